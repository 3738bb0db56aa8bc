"""What Stripe's objects mean to the hub: outcomes of actions, effects that lookups look for."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from connectors.stripe import facts, sdk
from hub import Call, Json, Outcome, made_at

LOOK_BACK = timedelta(minutes=5)  # how far Stripe's clock may run behind ours


def now(call: Call) -> datetime:
    """Give the time before asking, in whole seconds as Stripe's events count, so that they sort."""
    return call.clock.now().replace(microsecond=0)


def intent(thing: Json, at: datetime, *, handoff: bool = False) -> Outcome:
    """Read an intent; its client_secret is handed on only where it was made."""
    secret = thing.get("client_secret") if handoff else None
    hand = {"client_secret": secret} if secret else None
    return Outcome(ref=thing["id"], facts=facts.of_intent(thing, at), handoff=hand)


def session(thing: Json, at: datetime, *, handoff: bool = False) -> Outcome:
    """Read a session; its page is handed on only where it was made and while it is open."""
    url = thing.get("url") if handoff else None
    hand = {"redirect_url": url} if url else None
    return Outcome(ref=thing["id"], facts=facts.of_session(thing, at), handoff=hand)


def refund(thing: Json, at: datetime) -> Outcome:
    """Read a refund."""
    return Outcome(ref=thing["id"], facts=facts.of_refund(thing, at))


def since(job: str) -> Json:
    """Bound a list by the time the job was written, which its uid tells."""
    made = made_at(job)
    return {"created": {"gte": int((made - LOOK_BACK).timestamp())}} if made else {}


async def marked(listing: Callable[[Json], Awaitable[Any]], params: Json, job: str) -> Json | None:
    """Find the object of a list that carries the job's uid; None proves nothing."""
    async for thing in sdk.pages(listing, params):
        if facts.marks(thing).get("hub_job") == job:
            return thing
    return None
