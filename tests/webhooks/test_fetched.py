"""PayPal's certificate is fetched: from its own host, seldom, and believed for its chain alone."""

import asyncio
import base64
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from hub import ManualClock, config
from hub.app import Hub
from hub.gcra import Quota
from hub.http import Outbound
from hub.serving import running
from store import reads
from store.crypto import new_key
from tests.e2e.stage import free_port
from tests.webhooks.conftest import Bench, opened
from tests.webhooks.samples import (
    CHAIN,
    NOW,
    OTHER_KEY,
    PAYPAL,
    ROOT,
    ROOT_KEY,
    RSA_KEY,
    certificate,
    pem,
)
from tests.webhooks.test_library_hostile import CERT_URLS
from webhooks import fetched
from webhooks.doors import Door
from webhooks.fetched import Fetched

HOME, CERTS = "https://api.paypal.com", "/v1/notifications/certs/"
DAY = 86_400
WEBHOOK = "1JE4291016473214C"
ENV = {
    "HUB_KEY": new_key(), "ROOT": pem(ROOT),
    "OLD": pem(certificate("older", OTHER_KEY, ca=True)),
}  # fmt: skip
CONFIG = """\
version: 1
store: { encryption_keys: ["${env:HUB_KEY}"] }
connectors:
  pay:
    type: inbound
    settings:
      scheme: paypal
      certificate: fetched
      webhook_id: WEBHOOK
      event_id: "{{ body.id }}"
      event_type: "{{ body.event_type }}"
      base_url: "HOST"
    webhooks: { secrets: ["${env:OLD}", "${env:ROOT}"] }
    egress: { allow_private: ["127.0.0.0/8"] }
"""
JUNK = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def signed_as_paypal_does(body: bytes, now: datetime) -> dict[str, str]:
    ident, stamp = "69cd13f0-d67a-11e5-baa3-778b53f4ae55", now.strftime("%Y-%m-%dT%H:%M:%SZ")
    message = f"{ident}|{stamp}|{WEBHOOK}|{zlib.crc32(body)}".encode()
    made = RSA_KEY.sign(message, padding.PKCS1v15(), hashes.SHA256())
    parts = {"ID": ident, "TIME": stamp, "SIG": base64.b64encode(made).decode()}
    given = {f"PAYPAL-TRANSMISSION-{part}": value for part, value in parts.items()}
    return given | {"PAYPAL-AUTH-ALGO": "SHA256withRSA"}


def written(home: Path, host: str) -> Path:
    path = home / "config.yaml"
    path.write_text(CONFIG.replace("HOST", host).replace("WEBHOOK", WEBHOOK))
    return path


@dataclass
class CertificateHost:
    """A double of what serves PayPal's certificates, which can misbehave."""

    says: bytes = CHAIN
    status: int = 200
    asked: list[str] = field(default_factory=list)
    strayed: int = 0
    hangs: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.hangs is not None:
            await self.hangs.wait()
        if self.status == 302:
            raise web.HTTPFound(f"http://{request.host}/elsewhere")
        return web.Response(body=self.says, status=self.status)

    async def stray(self, _: web.Request) -> web.Response:
        self.strayed += 1
        return web.Response(body=CHAIN)


@dataclass
class Shop:
    """A hub's door for PayPal, and its certificates' host."""

    bench: Bench
    host: CertificateHost
    door: Door
    runner: web.AppRunner
    count: int = 0

    async def send(self, cert: str = "CERT-360caa42", *, signed=True, **headers: str) -> int:
        """Send a webhook as PayPal signs it now, with some of its headers changed."""
        self.count += 1
        body = b'{"id":"WH-%d","event_type":"PAYMENT.SALE.COMPLETED"}' % self.count
        given = signed_as_paypal_does(body, self.bench.clock.now())
        given["PAYPAL-CERT-URL"] = cert if "//" in cert or not cert else HOME + CERTS + cert
        given |= headers
        forged = {} if signed else {"PAYPAL-TRANSMISSION-ID": "another"}
        return await self.bench.post(body, given | forged, name="pay")

    async def kept(self) -> int:
        async with self.bench.store.read() as connection:
            return len(await reads.list_inbox(connection))

    def later(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    async def down(self) -> None:
        await self.runner.cleanup()


@pytest.fixture
async def shop(tmp_path) -> AsyncIterator[Shop]:
    host = CertificateHost()
    app = web.Application()
    app.add_routes([web.get(CERTS + "{name}", host.serve), web.get("/elsewhere", host.stray)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    made = config.load(written(tmp_path, f"http://127.0.0.1:{port}"), env=ENV).connectors["pay"]
    async with opened(f"sqlite:///{tmp_path}/hub.db") as bench:
        bench.clock.advance(NOW - bench.clock.now().timestamp())
        bench.receiver.fetched = Fetched(bench.clock, within=0.5)
        async with Outbound(bench.clock) as outbound:
            client = outbound.client(
                made.cls, made.settings, name="pay", allow_private=made.allow_private
            )
            url = "https://hub.example.com/webhooks/pay"
            door = Door(made.cls("pay", made.settings, client, url), made.secrets)
            bench.doors["pay"] = door
            await bench.store.know_accounts(["toy", "pay"])
            yield Shop(bench, host, door, runner)
    await runner.cleanup()


# -- as it should be -------------------------------------------------------------------------------
async def test_the_first_request_passes_and_the_certificate_is_fetched_once(shop):
    assert [await shop.send() for _ in range(5)] == [200] * 5
    assert shop.host.asked == [CERTS + "CERT-360caa42"]
    assert await shop.kept() == 5
    assert {name for _, name in shop.bench.receiver.seen} == {"ROOT"}


async def test_many_at_once_share_one_fetch(shop):
    shop.host.hangs = asyncio.Event()
    sent = [asyncio.create_task(shop.send()) for _ in range(40)]
    while not shop.host.asked:
        await asyncio.sleep(0)
    shop.host.hangs.set()
    assert await asyncio.gather(*sent) == [200] * 40
    assert len(shop.host.asked) == 1


async def test_a_new_certificate_under_a_new_address_is_fetched_too(shop):
    assert await shop.send() == 200
    shop.host.says = pem(certificate(PAYPAL, RSA_KEY, days=90, by=(ROOT, ROOT_KEY))).encode()
    assert await shop.send("CERT-new") == 200
    assert await shop.send() == 200
    assert len(shop.host.asked) == 2


async def test_a_day_later_it_is_asked_for_anew_and_counts_though_its_host_is_down(shop):
    assert await shop.send() == 200
    shop.later(DAY - 60)
    assert await shop.send() == 200
    assert len(shop.host.asked) == 1
    shop.later(120)
    assert await shop.send() == 200
    assert len(shop.host.asked) == 2
    shop.later(DAY + 60)
    await shop.down()
    assert await shop.send() == 200


async def test_an_intermediate_certificate_may_come_along(shop):
    between = certificate("between.example", OTHER_KEY, ca=True, by=(ROOT, ROOT_KEY))
    shop.host.says = (
        pem(certificate(PAYPAL, RSA_KEY, by=(between, OTHER_KEY))) + pem(between)
    ).encode()
    assert await shop.send() == 200


# -- what is refused, and nothing fetched for ------------------------------------------------------
SANDBOX = f"https://api.sandbox.paypal.com{CERTS}CERT-1"
ODD_PATHS = [f"{HOME}{path}" for path in (
    "/", "/v1/notifications/certs/", "/v1/notifications/certs", "/v1/oauth2/token", f"{CERTS}a?b=1",
    f"{CERTS}a/b", f"{CERTS}%2e%2e/a", f"{CERTS}{'a' * 101}", f"/{CERTS}a", f"{CERTS}a;b",
)]  # fmt: skip


async def test_no_other_address_is_ever_fetched(shop):
    for url in (*CERT_URLS, *ODD_PATHS, SANDBOX, ""):
        assert await shop.send(url) == 401, url
        shop.later(61)
    assert (shop.host.asked, shop.host.strayed, await shop.kept()) == ([], 0, 0)


HOPELESS = [
    ("PAYPAL-AUTH-ALGO", "SHA1withRSA"), ("PAYPAL-TRANSMISSION-TIME", "2020-01-01T00:00:00Z"),
    ("PAYPAL-TRANSMISSION-TIME", "2040-01-01T00:00:00Z"), ("PAYPAL-TRANSMISSION-TIME", "now"),
    ("PAYPAL-TRANSMISSION-SIG", "no base64"), ("PAYPAL-TRANSMISSION-SIG", ""),
    ("PAYPAL-TRANSMISSION-ID", "a|b"), ("PAYPAL-TRANSMISSION-ID", ""),
]  # fmt: skip


async def test_what_no_certificate_could_save_costs_no_fetch(shop):
    for header in HOPELESS:
        assert await shop.send(**dict([header])) == 401, header
    assert (shop.host.asked, await shop.kept()) == ([], 0)


async def test_with_no_secret_left_nothing_is_fetched(shop):
    over = datetime.fromtimestamp(NOW - 2 * DAY, UTC).date()
    shop.bench.doors["pay"] = Door(
        shop.door.connector, [replace(one, until=over) for one in shop.door.secrets]
    )
    assert await shop.send() == 401
    assert shop.host.asked == []


# -- certificates that prove nothing ---------------------------------------------------------------
def chained(name=PAYPAL, *, key=RSA_KEY, by=(ROOT, ROOT_KEY), **dates) -> bytes:
    return pem(certificate(name, key, by=by, **dates)).encode()


STRANGE = certificate("strange", OTHER_KEY, ca=True, days=99)
NO_CA = certificate("no.example", OTHER_KEY, by=(ROOT, ROOT_KEY))
BAD = {
    "run out": chained(start=-10),
    "not yet valid": chained(start=1),
    "of another root": chained(by=(STRANGE, OTHER_KEY)),
    "of another root that comes along": chained(by=(STRANGE, OTHER_KEY)) + pem(STRANGE).encode(),
    "signed by itself": pem(certificate(PAYPAL, RSA_KEY)).encode(),
    "of another name": chained("evil.example"),
    "of PayPal's sandbox": chained("messageverificationcerts.sandbox.paypal.com"),
    "of a name with more behind": chained(f"{PAYPAL}.evil.example"),
    "signed by one that is no authority": chained(by=(NO_CA, OTHER_KEY)) + pem(NO_CA).encode(),
    "another key's": chained(key=OTHER_KEY),
    "the root itself": pem(ROOT).encode(),
    "ours behind a strange one": pem(certificate(PAYPAL, OTHER_KEY)).encode() + CHAIN,
    "junk": b"junk",
    "junk in armour": JUNK,
    "a thousand of them": JUNK * 1000,
}


async def test_a_certificate_that_proves_nothing_lets_nothing_in(shop):
    for count, (what, shop.host.says) in enumerate(BAD.items(), 1):
        assert [await shop.send(), await shop.send()] == [401, 401], what
        assert len(shop.host.asked) == count
        shop.later(61)
    assert await shop.kept() == 0
    shop.host.says = CHAIN  # what proved nothing is forgotten in a minute
    assert await shop.send() == 200


async def test_one_that_was_good_counts_no_longer_once_it_has_run_out(shop):
    assert await shop.send() == 200
    shop.later(10 * DAY)
    assert await shop.send() == 401


# -- while it cannot be had ------------------------------------------------------------------------
async def not_there(shop: Shop) -> None:
    """See that all are told 503 by one fetch in a minute."""
    before = len(shop.host.asked)
    assert [await shop.send() for _ in range(3)] == [503] * 3
    assert len(shop.host.asked) == before + 1
    shop.later(61)


async def test_any_other_answer_is_503_until_it_is_mended(shop):
    for shop.host.status in (302, 401, 403, 404, 429, 500, 503):
        await not_there(shop)
    shop.host.status = 200
    for size in (0, fetched.LARGEST + 1, 6 << 20):
        shop.host.says = b"a" * size
        await not_there(shop)
    shop.host.says, shop.host.hangs = CHAIN, asyncio.Event()
    await not_there(shop)
    assert (shop.host.strayed, await shop.kept()) == (0, 0)
    shop.host.hangs = None
    assert await shop.send() == 200


async def test_no_host_at_all_is_503(shop):
    await shop.down()
    assert [await shop.send(), await shop.send()] == [503, 503]
    assert await shop.kept() == 0


# -- storms ----------------------------------------------------------------------------------------
async def test_a_thousand_forged_addresses_cost_ten_fetches_and_shut_nobody_out(shop):
    assert await shop.send() == 200
    shop.later(60)
    shop.host.status = 404
    told = []
    for start in range(0, 1000, 50):
        batch = (shop.send(f"CERT-{n}", signed=False) for n in range(start, start + 50))
        told += await asyncio.gather(*batch)
    assert set(told) == {503}
    assert len(shop.host.asked) - 1 == fetched.ALLOWED.units == 10
    assert await shop.send() == 200
    assert await shop.kept() == 2


async def test_certificates_of_strangers_push_none_out_that_is_proven(shop):
    assert await shop.send() == 200
    shop.bench.receiver.fetched._meter.quota = Quota(1000, 60.0)
    told = [await shop.send(f"CERT-{n}", signed=False) for n in range(3 * fetched.MOST)]
    assert set(told) <= {401, 429}
    assert len(shop.bench.receiver.fetched._found) <= fetched.MOST
    before = len(shop.host.asked)
    assert await shop.send() == 200
    assert len(shop.host.asked) == before


# -- where nobody may be called --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outbound", "home", "status"),
    [
        ("live", "HOST", 200),
        ("sandbox", "HOST", 200),  # a base_url on loopback is a double's, and stays as it is
        ("hold", "HOST", 503),
        ("hold", HOME, 503),
        ("sandbox", HOME, 503),
    ],
)
async def test_where_nobody_is_called_nothing_is_fetched(shop, tmp_path, outbound, home, status):
    path = written(tmp_path, shop.door.connector.settings.base_url if home == "HOST" else home)
    url = f"127.0.0.1:{free_port()}"
    text = path.read_text().replace("store: {", f'store: {{ url: "sqlite:///{tmp_path}/whole.db",')
    service = f"{{ listen: '{url}', outbound: {outbound}, public_url: 'https://hub.example.com' }}"
    path.write_text(f"service: {service}\n{text}")
    hub = Hub(config.load(path, env=ENV), clock=ManualClock(shop.bench.clock.now()))
    body = b'{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED"}'
    headers = signed_as_paypal_does(body, hub.clock.now())
    headers["PAYPAL-CERT-URL"] = f"{HOME}{CERTS}CERT-360caa42"
    async with running(hub), ClientSession() as session:
        async with session.post(f"http://{url}/webhooks/pay", data=body, headers=headers) as got:
            assert got.status == status
        base = hub.fitted.accounts["pay"].connector.settings.base_url
        assert base.startswith("http://127.0.0.1:") or outbound == "hold"
        assert hub.outbound.ready == (outbound != "hold")
    assert len(shop.host.asked) == (status == 200)
