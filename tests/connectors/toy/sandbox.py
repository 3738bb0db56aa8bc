"""Toy's double: sells labels."""

from typing import ClassVar

from aiohttp import web

from hub import Connector, Json
from hub.sandbox import Double

from . import Toy


class Sandbox(Double):
    """Keeps labels by their idempotency key."""

    connector: ClassVar[type[Connector]] = Toy

    def routes(self) -> list[web.RouteDef]:
        """Give the label endpoint."""
        self.labels: dict[str, Json] = {}
        return [web.post("/labels", self.buy)]

    async def buy(self, request: web.Request) -> web.Response:
        """Sell a label, once for each key."""
        key = request.headers["Idempotency-Key"]
        if key not in self.labels:
            self.labels[key] = {"id": f"lab_{len(self.labels) + 1}"}
            self.effect("label", self.labels[key]["id"], key)
        return web.json_response(self.labels[key])
