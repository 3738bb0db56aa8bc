"""The egress guard: what is public, what an allow-list adds, which URLs belong to a base URL."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp.resolver import ThreadedResolver

from hub.clock import ManualClock
from hub.errors import Reject
from hub.http.egress import Guard, Trip, check_url, public, session, target, web_port

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
    "::ffff:0:7f00:1", "::ffff:0:a9fe:a9fe",  # SIIT
    "::ffff:7f00:1", "::ffff:c0a8:101", "::ffff:6440:1", "0:0:0:0:0:ffff:7f00:1",  # mapped, in hex
    "0000:0000:0000:0000:0000:0000:0000:0001", "::7f00:1", "::8.8.8.8",
    "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1:ffff::7f00:1",
    "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:2::1",  # Teredo, ORCHID, benchmarking
    "3fff::1", "3fff:fff::1", "5f00::1", "4000::1", "8000::1", "e000::1", "fe00::1",
    "febf::1", "feff::1", "fdff:ffff::1", "ff01::1", "ff05::2", "fe80::5efe:7f00:1",
    "127.255.255.254", "169.254.0.1", "169.254.170.2", "100.127.255.255", "198.19.255.255",
    "0.0.0.1", "172.20.10.2", "192.168.255.255", "10.255.255.255", "225.0.0.1", "248.1.1.1",
    "254.255.255.254", "192.0.0.1", "192.0.0.170", "192.88.99.2",
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


@pytest.mark.parametrize("port", [0, 1, 22, 25, 110, 143, 445, 465, 587, 993, 2049, 6000, 6667])
def test_a_port_of_another_service_is_refused_where_nothing_allows_it(port):
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", port))
    with pytest.raises(Reject, match="no port of an API"):
        Guard().socket(info)
    assert not web_port(port)
    assert Guard(["8.8.8.8/32"]).permits("8.8.8.8", port)


@pytest.mark.parametrize("port", [80, 443, 1024, 4443, 8080, 8443, 65535])
def test_a_port_of_an_api_is_let_through(port):
    assert Guard().permits("8.8.8.8", port)


REFUSED_URLS = [
    "", "x", "/", "https://", "https:///x", "http://shop.example.com/hook", "ftp://x.example/",
    "file:///etc/passwd", "gopher://x.example/", "//x.example/", "https://user@x.example.com/",
    "https://user:pw@x.example.com/", "https://x.example.com/#top", "https://x.example.com/ a",
    "https://x.example.com/\r\nHost: y", "https://x.example.com:99999/", "https://[::1/",
    "https://127.0.0.1/", "https://127.0.0.1./", "https://127.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://0/",
    "https://017700000001/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/meta-data/",
    "https://\u2460\u2461\u2466.0.0.1/", "https://127\u30020\u30020\u30021/",
    "https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://hub/",
    "https://db.internal/", "https://metadata.google.internal/", "https://printer.local/",
    "https://x.localhost/", "https://nas.home.arpa/", "https://8.8.8.8:25/",
    "https://x.example.com:22/",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_leads_inside_or_nowhere_is_refused(url):
    with pytest.raises(Reject):
        check_url(url, Guard())


@pytest.mark.parametrize(
    "url",
    ["https://shop.example.com/hook?x=1", "https://8.8.8.8/", "https://x.example.com:8443/a%20b",
     "https://[2606:4700::1111]/", "https://xn--bcher-kva.example/hook"],
)  # fmt: skip
def test_a_url_on_the_open_internet_is_let_through(url):
    check_url(url, Guard())


def test_an_allow_list_lets_its_own_urls_through_and_no_other_address():
    guard = Guard(["127.0.0.0/8"])
    check_url("http://127.0.0.1:9000/hook", guard)
    check_url("https://localhost:9000/hook", guard)
    with pytest.raises(Reject):
        check_url("http://10.0.0.1/hook", guard)


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


NUMERIC = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0"]  # what resolvers still read


@pytest.mark.parametrize("host", NUMERIC)
async def test_no_odd_spelling_of_an_address_leads_inside(host):
    async with Canary() as canary, session(Guard(), None) as way:
        with pytest.raises((Reject, aiohttp.InvalidURL)):
            await way.get(f"http://{host}:{canary.port}/")
    assert canary.connects == 0


class Rebinding:
    """A resolver that gives an open address at first, and 127.0.0.1 from then on."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        async def resolve(resolver, host, port=0, family=socket.AF_UNSPEC):
            self.asked += 1
            given = "8.8.8.8" if self.asked == 1 else "127.0.0.1"
            return await answers(given)(resolver, host, port)

        return resolve


async def test_a_rebinding_name_reaches_nothing_however_often_it_is_called(monkeypatch):
    rebinding = Rebinding()
    monkeypatch.setattr(ThreadedResolver, "resolve", rebinding())
    assert [a["host"] for a in await ThreadedResolver().resolve("rebound.example")] == ["8.8.8.8"]
    async with Canary() as canary:
        for guarded in (Guard(), Blind()):
            async with session(guarded, None) as way:
                for _ in range(10):
                    with pytest.raises(Reject):
                        await way.get(f"http://rebound.example:{canary.port}/")
    assert canary.connects == 0
    assert rebinding.asked > 2


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
            await way.get(
                f"http://mixed.example:{canary.port}/", trace_request_ctx=Trip(ManualClock())
            )
    assert canary.connects == 1


async def test_where_no_address_is_permitted_the_name_is_rejected(monkeypatch):
    monkeypatch.setattr(ThreadedResolver, "resolve", answers("10.9.9.9", "192.168.0.1"))
    async with session(Guard(), None) as way:
        with pytest.raises(Reject, match=r"inner\.example"):
            await way.get("https://inner.example/")
