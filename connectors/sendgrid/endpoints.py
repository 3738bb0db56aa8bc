"""SendGrid's Event Webhooks: which there are, a new signed one, one mended.

The public key that verifies a webhook may be read at any time.
Source: https://www.twilio.com/docs/sendgrid/api-reference/webhooks (v3; read 2026-11), and
twilio/sendgrid-oai, tsg_webhooks_v3.
"""

from collections.abc import Mapping

from hub import Ambiguous, Http, Json, Made, Secret, Subscription, Wanted, permitted

SETTINGS = "/v3/user/webhooks/event/settings"
THEIRS = {"spamreport": "spam_report"}  # what an event's switch is called, where not as it is
SETTLING = ("processed", "delivered", "bounce", "dropped")
OTHERS = ("friendly_name", "oauth_client_id", "oauth_token_url")
NAME = "Shop Hub"
PERMISSION = "the key lacks a scope: user.webhooks.event.settings.read, .create, .update"


async def listed(http: Http, events: tuple[str, ...]) -> list[Subscription]:
    """Read all of them."""
    async with permitted(PERMISSION):
        found = (await http.get(f"{SETTINGS}/all")).json()
    return [_subscription(one, events) for one in _dict(found).get("webhooks") or ()]


async def made(http: Http, wanted: Wanted, events: tuple[str, ...]) -> Made:
    """Make one, and have it signed."""
    body = {"enabled": True, "url": wanted.url, "friendly_name": NAME}
    async with permitted(PERMISSION):
        answer = await http.post(SETTINGS, json=body | _switches(wanted.events, events))
        ref = str(_dict(answer.json())["id"])
        return Made(ref=ref, secret=await _signed(http, ref))


async def mended(
    http: Http, have: Subscription, wanted: Wanted, events: tuple[str, ...]
) -> None:  # fmt: skip
    """Enable and sign one, and have it hear what is needed beside what it hears."""
    async with permitted(PERMISSION):
        now = _dict((await http.get(f"{SETTINGS}/{have.ref}")).json())
        kept = {name: now[name] for name in OTHERS if now.get(name) is not None}
        body = {"enabled": True, "url": have.url} | kept
        heard = _switches(have.events | wanted.events, events)
        await http.patch(f"{SETTINGS}/{have.ref}", json=body | heard)
        await _signed(http, have.ref)


async def _signed(http: Http, ref: str) -> Secret:
    """Switch the signature on; give the public key."""
    answer = await http.patch(f"{SETTINGS}/signed/{ref}", json={"enabled": True})
    return Secret(str(_dict(answer.json())["public_key"]), "endpoint")


def _switches(on: frozenset[str], events: tuple[str, ...]) -> dict[str, Json]:
    return {THEIRS.get(name, name): name in on for name in events}


def _subscription(one: Mapping[str, Json], events: tuple[str, ...]) -> Subscription:
    key = one.get("public_key")
    return Subscription(
        ref=str(one["id"]),
        url=one["url"],
        events=frozenset(name for name in events if one.get(THEIRS.get(name, name))),
        enabled=bool(one.get("enabled")),
        wrong=None if key else "it is not signed",
        secret=Secret(key, "endpoint") if key else None,
    )


def _dict(found: Json) -> dict[str, Json]:
    if not isinstance(found, dict):
        raise Ambiguous("sendgrid: the answer is no object")
    return found
