"""S22 and what `hub webhooks watch` tells: ten planted causes of a 401, ten right diagnoses."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from hub import ManualClock, Request, Secret, config
from hub.app import Hub
from hub.gcra import Quota
from store import keys
from store.crypto import new_key
from webhooks.connections import GuardedRunner
from webhooks.refusals import KEPT, LOOKED_INTO, Refusals
from webhooks.signers import with_headers

PUBLIC = "https://hub.example.com"
TIMES = int(os.environ.get("HUB_TEST_TIMES", "1"))  # `make hostile` sends this many times as many
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIVE, TEST, OLD, HUBSPOT, CODE, CHAT, SPACED = (
    f"whsec_{word}0123456789abcdef" for word in ("live", "test", "old", "hub", "code", "chat", "sp")
)
CONFIG = f"""\
version: 1
service: {{ public_url: "{PUBLIC}" }}
store: {{ url: "sqlite:///HOME/hub.db", encryption_keys: ["${{env:HUB_KEY}}"] }}
connectors:
  stripe:
    type: stripe
    settings: {{ mode: live, api_key: "${{env:LIVE_KEY}}" }}
    webhooks: {{ secrets: ["${{env:LIVE}}", {{ value: "${{env:OLD}}", until: 2026-11-19 }}] }}
  stripe_test:
    type: stripe
    settings: {{ mode: test, api_key: "${{env:TEST_KEY}}" }}
    webhooks: {{ secrets: ["${{env:TEST}}"], tolerance: 60s }}
  hubspot:
    type: hubspot
    settings: {{ access_token: "${{env:TOKEN}}" }}
    webhooks: {{ secrets: ["${{env:HUBSPOT}}"] }}
  code:
    type: inbound
    settings: {{ scheme: github, event_id: "{{{{ body.id }}}}", event_type: push }}
    webhooks: {{ secrets: ["${{env:CODE}}"] }}
  chat:
    type: inbound
    settings: {{ scheme: slack, event_id: "{{{{ body.id }}}}", event_type: said }}
    webhooks: {{ secrets: ["${{env:CHAT}}"] }}
  svix:
    type: inbound
    settings: {{ scheme: standard_webhooks, event_id: "{{{{ body.id }}}}", event_type: said }}
    webhooks: {{ secrets: ["${{env:SVIX}}"] }}
  spaced:
    type: inbound
    settings: {{ scheme: github, event_id: "{{{{ body.id }}}}", event_type: push }}
    webhooks: {{ secrets: ["${{env:SPACED}}"] }}
"""
BODY = json.dumps({"id": "evt_1", "name": "Zoë & <b>", "at": 1}, indent=2).encode() + b"\n"


@dataclass
class Bench:
    """A hub at noon, what providers send it, and a member of staff who looks."""

    hub: Hub
    home: Path
    url: str
    http: ClientSession
    key: str

    def signed(self, name: str, secret: str, *, off: float = 0, body: bytes = BODY) -> Request:
        connector = self.hub.fitted.accounts[name].connector
        headers = connector.sign(body, Secret(secret), now=NOW.timestamp() + off)
        bare = Request(method="POST", url=connector.webhook_url, headers=(), body=body)
        return with_headers(bare, dict(headers))

    async def post(self, request: Request) -> int:
        url = request.url.replace(PUBLIC, self.url)
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
        async with self.http.post(url, data=BytesIO(request.body), headers=headers) as answer:
            return answer.status

    async def refusals(self, name: str) -> list[dict]:
        url, headers = (
            f"{self.url}/v1/webhooks/{name}/refusals",
            {"Authorization": f"Bearer {self.key}"},
        )
        async with self.http.get(url, headers=headers) as answer:
            assert answer.status == 200
            return (await answer.json())["data"]

    async def cause(self, request: Request) -> str:
        """Send it, see it refused, and give what the staff is told."""
        assert await self.post(request) == 401
        return (await self.refusals(request.path.rpartition("/")[2]))[0]["cause"]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("HOME", str(tmp_path)))
    env = {
        "HUB_KEY": new_key(), "OLD": OLD, "SPACED": SPACED + " ", "LIVE": LIVE, "TEST": TEST,
        "HUBSPOT": HUBSPOT, "CODE": CODE, "CHAT": CHAT, "SVIX": "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
        "LIVE_KEY": "sk_live_0123456789abcdef", "TEST_KEY": "sk_test_0123456789abcdef",
        "TOKEN": "pat-0123456789abcdef",
    }  # fmt: skip
    hub = Hub(config.load(path, env=env), clock=ManualClock(NOW))
    await hub.start()
    made = await hub.store.write(lambda tx: keys.create_key(tx, "readonly"))
    runner = GuardedRunner(hub.application(), auto_decompress=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession() as http:
        yield Bench(hub, tmp_path, f"http://{host}:{port}", http, made["key"])
    await runner.cleanup()
    await hub.stop()


def without(request: Request, name: str) -> Request:
    kept = [pair for pair in request.headers if pair[0].lower() != name.lower().encode()]
    return replace(request, headers=tuple(kept))


def other_url(bench: Bench) -> Request:
    """HubSpot signed the address that the hub was once known by."""
    hubspot = bench.hub.fitted.accounts["hubspot"].connector
    old = type(hubspot)(
        "hubspot", hubspot.settings, None, "https://old.example.com/webhooks/hubspot"
    )
    headers = old.sign(BODY, Secret(HUBSPOT), now=NOW.timestamp())
    bare = Request(method="POST", url=hubspot.webhook_url, headers=(), body=BODY)
    return with_headers(bare, {**headers, "X-Forwarded-Host": "old.example.com"})


def other_version(bench: Bench) -> Request:
    """HubSpot signed as it did before v3."""
    cls = type(bench.hub.fitted.accounts["hubspot"].connector)
    settings = bench.hub.config.connectors["hubspot"].settings
    old = cls(
        "hubspot",
        settings.model_copy(update={"signature": "v2"}),
        None,
        f"{PUBLIC}/webhooks/hubspot",
    )
    bare = Request(method="POST", url=old.webhook_url, headers=(), body=BODY)
    return with_headers(bare, dict(old.sign(BODY, Secret(HUBSPOT), now=NOW.timestamp())))


def doubled(request: Request, name: str) -> Request:
    value = request.header(name)
    return replace(request, headers=(*request.headers, (name.encode(), value)))


def anew(request: Request) -> Request:
    return request.with_body(json.dumps(json.loads(request.body), separators=(",", ":")).encode())


def live_body(live: bool) -> bytes:
    return json.dumps({"id": "evt_1", "livemode": live}).encode()


SIGNATURE, UNKNOWN = "X-Hub-Signature-256", "whsec_nobody_knows_it_01"
EUML = '{"id":"ë"}'
PLANTED = {
    # what went wrong: the request that comes of it, and words of the diagnosis
    "the secret of another endpoint": (
        lambda b: b.signed("code", SPACED + " "),
        "the secret of another connector: spaced",
    ),
    "a test secret on live": (
        lambda b: b.signed("stripe", TEST),
        "a test secret on a live connector: it is that of stripe_test",
    ),
    "a test secret on live, whose other side is not here": (
        lambda b: b.signed("stripe", UNKNOWN, body=live_body(False)),
        "a test secret on a live connector: the event is of test mode",
    ),
    "the body written anew": (
        lambda b: anew(b.signed("stripe", LIVE, body=json.dumps({"a": 1, "b": "é/"}).encode())),
        "changed on its way, by a proxy: its JSON was written anew",
    ),
    "a line end taken away": (
        lambda b: b.signed("code", CODE).with_body(BODY[:-1]),
        "its last line end was taken away",
    ),
    "the body's character set changed": (
        lambda b: b.signed("chat", CHAT, body=EUML.encode()).with_body(EUML.encode("latin-1")),
        "its character set was changed",
    ),
    "another public URL": (other_url, "signed for https://old.example.com/webhooks/hubspot"),
    "our clock is fast": (lambda b: b.signed("stripe", LIVE, off=-400), "signed 400 s ago"),
    "our clock is slow": (
        lambda b: b.signed("chat", CHAT, off=4000),
        "signed 4000 s ahead of our clock",
    ),
    "past the tolerance": (
        lambda b: b.signed("stripe_test", TEST, off=-61),
        "past this connector's tolerance of 60 s",
    ),
    "an old secret": (
        lambda b: b.signed("stripe", OLD),
        "signed with OLD, which counted until 2026-11-19 only",
    ),
    "a header stripped": (
        lambda b: without(b.signed("chat", CHAT), "X-Slack-Request-Timestamp"),
        "it came without X-Slack-Request-Timestamp: a proxy strips it",
    ),
    "a header doubled": (
        lambda b: doubled(b.signed("code", CODE), SIGNATURE),
        f"{SIGNATURE} came more than once",
    ),
    "another version": (other_version, "signed in HubSpot's version v2"),
    "another scheme": (
        lambda b: replace(b.signed("code", CHAT), url=f"{PUBLIC}/webhooks/chat"),
        "signed as the scheme github has it",
    ),
    "white space in a secret": (
        lambda b: b.signed("spaced", SPACED),
        "SPACED differs from the provider's by white space",
    ),
    "no signature": (
        lambda b: Request(method="POST", url=f"{PUBLIC}/webhooks/svix", headers=(), body=b"{}"),
        "it came without webhook-id and webhook-timestamp and webhook-signature",
    ),
    "a forgery": (lambda b: b.signed("code", UNKNOWN), "another secret at the provider"),
}


@pytest.mark.parametrize("what", PLANTED)
async def test_a_planted_cause_is_named(bench, what) -> None:
    make, words = PLANTED[what]
    assert words in await bench.cause(make(bench))


OFFSETS = [("stripe", LIVE, -400), ("chat", CHAT, 301), ("hubspot", HUBSPOT, -86_400)]


@pytest.mark.parametrize(("name", "secret", "off"), OFFSETS)
async def test_the_clock_s_offset_is_told_to_the_second(bench, name, secret, off) -> None:
    assert await bench.post(bench.signed(name, secret, off=off)) == 401
    [told] = await bench.refusals(name)
    assert (told["reason"], told["offset_s"]) == ("stale" if off < 0 else "early", off)


async def test_nothing_of_a_refused_body_is_written_or_told(bench) -> None:
    canary = b'{"card": "canary-4242424242"}'
    request = bench.signed("stripe", TEST, body=canary)
    request = with_headers(request, {"X-Odd": "canary-4242424242"})
    assert await bench.post(request) == 401
    told = json.dumps(await bench.refusals("stripe"))
    assert "canary" not in told
    assert "Stripe-Signature" in told
    assert '"length": 29' in told
    await bench.hub.stop()
    for file in bench.home.glob("hub.db*"):
        assert b"canary" not in file.read_bytes()
        assert b"evt_" not in file.read_bytes()


async def test_the_last_hundred_are_kept_and_the_rest_counted_out(bench) -> None:
    refusals = bench.hub.fitted.receiver.refusals
    request = bench.signed("code", CHAT)
    door = refusals.doors["code"]
    for n in range(KEPT + 5):
        more = with_headers(request, {f"X-{n}": "1"})
        refusals.keep(door, more, "mismatch", now=NOW + timedelta(seconds=n), urls=())
    found = refusals.last("code")
    assert len(found) == KEPT
    assert "X-104" in found[0].headers
    assert "X-5" in found[-1].headers
    assert refusals.last("chat") == []


async def test_a_flood_is_not_looked_into(bench) -> None:
    refusals = bench.hub.fitted.receiver.refusals
    request = bench.signed("code", CHAT)
    for _ in range(LOOKED_INTO.units + 3):
        refusals.keep(refusals.doors["code"], request, "mismatch", now=NOW, urls=())
    causes = [one.cause for one in refusals.last("code")]
    assert ["too many" in cause for cause in causes] == [True] * 3 + [False] * LOOKED_INTO.units


async def test_what_strangers_may_see_of_refusals_is_nothing(bench) -> None:
    async with bench.http.get(f"{bench.url}/v1/webhooks/stripe/refusals") as answer:
        assert answer.status == 401
    shop = await bench.hub.store.write(lambda tx: keys.create_key(tx, "shop"))
    bench.key = shop["key"]
    url = f"{bench.url}/v1/webhooks/stripe/refusals"
    headers = {"Authorization": f"Bearer {bench.key}"}
    async with bench.http.get(url, headers=headers) as answer:
        assert answer.status == 403
    made = await bench.hub.store.write(lambda tx: keys.create_key(tx, "support"))
    headers = {"Authorization": f"Bearer {made['key']}"}
    async with bench.http.get(url.replace("stripe", "nobody"), headers=headers) as answer:
        assert answer.status == 404


# -- S22: allowances -------------------------------------------------------------------------------
async def test_s22_an_address_that_spent_its_refusals_is_told_429_and_never_for_a_valid_one(bench):
    good, bad = bench.signed("code", CODE), bench.signed("code", "whsec_wrong_0123456789")
    told = [await bench.post(bad) for _ in range(105)]
    assert told == [401] * 100 + [429] * 5
    assert [await bench.post(good) for _ in range(5)] == [200] * 5
    bench.hub.clock.advance(0.6)
    assert [await bench.post(bad) for _ in range(2)] == [401, 429]


async def test_s22_among_2000_bad_signatures_every_good_one_passes(bench) -> None:
    good, bad = bench.signed("code", CODE), bench.signed("code", "whsec_wrong_0123456789")
    told: dict[str, list[int]] = {"good": [], "bad": []}

    async def sender(number: int) -> None:
        for n in range(200 * TIMES):
            told["bad"].append(await bench.post(bad))
            if n % 10 == number:
                told["good"].append(await bench.post(good))

    await asyncio.gather(*(sender(n) for n in range(10)))
    assert told["good"] == [200] * 200 * TIMES
    assert sorted(told["bad"]) == [401] * 100 + [429] * (2000 * TIMES - 100)


def test_s22_a_burst_of_1000_is_allowed_to_one_more_or_less() -> None:
    refusals = Refusals({}, Quota(1000, 60))
    allowed = [refusals.charge("203.0.113.1", NOW).allowed for _ in range(1500)]
    assert abs(sum(allowed) - 1000) <= 1
    assert refusals.charge("203.0.113.2", NOW).allowed


async def test_s22_whose_forwarded_address_counts_is_configured(bench) -> None:
    from ipaddress import ip_network  # noqa: PLC0415

    bad = bench.signed("code", "whsec_wrong_0123456789")
    first, second = (with_headers(bad, {"X-Forwarded-For": f"203.0.113.{n}"}) for n in (1, 2))
    for n in range(101):  # a stranger's word
        assert await bench.post(first if n % 2 else second) == (401 if n < 100 else 429)
    bench.hub.fitted.receiver.proxies = [ip_network("127.0.0.0/8")]
    assert await bench.post(first) == 401
