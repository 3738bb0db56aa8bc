"""The egress guard: what is public, what an allow-list adds, which URLs belong to a base URL."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp.resolver import ThreadedResolver

from hub.errors import Reject
from hub.http.egress import Guard, Trip, public, session, target

HOSTILE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "::1", "::", "10.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1",
    "198.51.100.7", "203.0.113.9", "240.0.0.1", "255.255.255.255", "224.0.0.1", "239.255.255.250",
    "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",  # mapped IPv4
    "::127.0.0.1", "::10.0.0.1",  # compatible IPv4
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",  # NAT64
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1",  # 6to4
    "192.88.99.1", "192.0.0.192", "192.0.0.8",  # relays and IETF protocol assignments
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1",
          "::ffff:8.8.8.8"]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_an_inner_address_is_not_public(address):
    assert not public(address)
    assert not Guard().permits(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_open_address_is_public(address):
    assert public(address)
    assert Guard().permits(address)


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "::1::"])
def test_what_is_no_address_is_not_permitted(address):
    assert not Guard(["127.0.0.0/8"]).permits(address)


def test_an_allow_list_adds_its_networks_and_no_others():
    guard = Guard(["10.1.0.0/16", "fd00::/8"])
    assert guard.permits("10.1.2.3")
    assert guard.permits("::ffff:10.1.2.3")
    assert guard.permits("fd12::1")
    assert guard.permits("1.1.1.1")
    assert not guard.permits("10.2.0.1")
    assert not guard.permits("127.0.0.1")


def test_plain_http_reaches_the_allow_list_alone():
    guard = Guard(["10.1.0.0/16"], plain=True)
    assert guard.permits("10.1.2.3")
    assert not guard.permits("1.1.1.1")


def test_a_refused_address_is_rejected_before_any_socket():
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80))
    with pytest.raises(Reject, match=r"egress\.allow_private"):
        Guard().socket(info)


TARGETS = [
    # base, path, the URL called
    ("https://api.example.com", "/v1/x", "https://api.example.com/v1/x"),
    ("https://api.example.com/2026-09", "/x?a=1", "https://api.example.com/2026-09/x?a=1"),
    ("https://api.example.com/2026-09/", "/x", "https://api.example.com/2026-09/x"),
    ("https://api.example.com", "", "https://api.example.com"),
    ("https://api.example.com", "//evil.com/x", "https://api.example.com//evil.com/x"),
    ("https://api.example.com", "/@evil.com", "https://api.example.com/@evil.com"),
    ("https://api.example.com", "https://api.example.com/v1/x", "https://api.example.com/v1/x"),
    ("https://api.example.com", "https://API.example.com:443/v", "https://api.example.com/v"),
    ("https://api.example.com", "/contacts/a%40b.c", "https://api.example.com/contacts/a@b.c"),
    ("https://api.example.com", "/a%2Fb", "https://api.example.com/a%2Fb"),
]


@pytest.mark.parametrize(("base", "path", "url"), TARGETS)
def test_a_path_is_joined_to_the_base_url(base, path, url):
    assert str(target(base, path)).rstrip("/") == url


FOREIGN = [
    "https://evil.com/v1",
    "http://api.example.com/v1",  # no TLS
    "https://api.example.com:8443/v1",
    "https://api.example.com.evil.com/",
    "https://api.example.com@evil.com/",
    "https://user:pw@api.example.com/",  # credentials of its own
    "evil.com/v1",
    "@evil.com/v1",
    ".evil.com/v1",
    "ftp://api.example.com/",
    "/v1/../../admin",
    "/v1/%2e%2e/admin",
    "/v1/%2E%2E%2Fadmin",
    "/v1/..\\admin",
    "/v1/x#y",
    "https://[::1/",
]


@pytest.mark.parametrize("path", FOREIGN)
def test_a_url_that_leaves_the_account_is_rejected(path):
    with pytest.raises(Reject):
        target("https://api.example.com/base", path)


# -- at the socket -------------------------------------------------------------------------------
class Canary:
    """A server on 127.0.0.1 that only counts who connects."""

    async def __aenter__(self):
        self.connects = 0
        self.server = await asyncio.start_server(self.count, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def count(self, reader, writer):
        self.connects += 1
        writer.close()

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()


def answers(*addresses):
    """Stand in for DNS; `ThreadedResolver` is what asks the machine."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET, "proto": 0,
             "flags": 0}
            for one in addresses
        ]  # fmt: skip

    return resolve


@pytest.mark.parametrize("host", ["127.0.0.1", "rebound.example", "[::ffff:127.0.0.1]"])
async def test_no_name_and_no_literal_leads_inside(host, monkeypatch):
    monkeypatch.setattr(ThreadedResolver, "resolve", answers("127.0.0.1"))
    async with Canary() as canary, session(Guard(), None) as way:
        with pytest.raises(Reject):
            await way.get(f"http://{host}:{canary.port}/")
    assert canary.connects == 0


class Blind(Guard):
    """A guard whose resolver looks away, as if a name had been re-bound after its look-up."""

    def resolver(self):
        return ThreadedResolver()


async def test_a_name_bound_anew_after_its_look_up_is_stopped_at_the_socket(monkeypatch):
    monkeypatch.setattr(ThreadedResolver, "resolve", answers("127.0.0.1"))
    async with Canary() as canary, session(Blind(), None) as way:
        with pytest.raises(Reject):
            await way.get(f"http://rebound.example:{canary.port}/")
    assert canary.connects == 0


async def test_of_several_addresses_only_the_permitted_are_tried(monkeypatch):
    monkeypatch.setattr(ThreadedResolver, "resolve", answers("10.9.9.9", "127.0.0.1", "10.8.8.8"))
    async with Canary() as canary, session(Guard(["127.0.0.0/8"], plain=True), None) as way:
        with pytest.raises(aiohttp.ClientError):
            await way.get(f"http://mixed.example:{canary.port}/", trace_request_ctx=Trip())
    assert canary.connects == 1


async def test_where_no_address_is_permitted_the_name_is_rejected(monkeypatch):
    monkeypatch.setattr(ThreadedResolver, "resolve", answers("10.9.9.9", "192.168.0.1"))
    async with session(Guard(), None) as way:
        with pytest.raises(Reject, match=r"inner\.example"):
            await way.get("https://inner.example/")
