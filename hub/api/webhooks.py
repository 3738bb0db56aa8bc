"""/v1/webhooks: what was refused there lately, by the node that answers; it is kept in memory."""

from hub.api.endpoint import STAFF, Answer, Ask, Endpoints
from hub.errors import Refused

webhooks = Endpoints()


@webhooks.get("/webhooks/{name}/refusals", may=STAFF, gives={200: "Refusals"})
async def list_refusals(ask: Ask) -> Answer:
    """List a connector's last refused webhooks, newest first: why, and the likely cause."""
    refusals = ask.api.refusals
    if (name := ask.part("name")) not in refusals.doors:
        raise Refused("not_found", "no connector of that name takes webhooks")
    return Answer(body={"data": [one.json() for one in refusals.last(name)]})
