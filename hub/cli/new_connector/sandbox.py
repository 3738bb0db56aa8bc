"""Acme's double: takes messages, and reports each one sent."""

from aiohttp import web

from hub import rfc3339
from hub.sandbox import Double

from . import Acme, Message


class Sandbox(Double):
    """Refuses what Acme refuses, as far as its documentation says."""

    connector = Acme

    def routes(self) -> list[web.RouteDef]:
        """Give Acme's paths, as they follow its base URL."""
        return [web.post("/messages", self.take)]

    async def take(self, request: web.Request) -> web.Response:
        """Take one message, and send the webhook that follows."""
        if request.headers.get("Authorization") in (None, "Bearer revoked"):
            return web.json_response({"message": "unknown key"}, status=401)
        sent = await request.json()
        if missing := Message.model_fields.keys() - sent.keys():
            return web.json_response({"message": f"missing: {min(missing)}"}, status=422)
        ident = f"msg_{len(self.state.ledger) + 1}"
        self.effect("message", ident, sent.get("reference", ident), sent)
        at = rfc3339(self.clock.now())
        self.emit({"id": f"evt_{ident}", "type": "message.sent", "at": at, "message": sent})
        return web.json_response({"id": ident}, status=201)
