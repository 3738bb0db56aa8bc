"""`/livez` and `/readyz`: does the process live, and may a balancer send to it."""

from collections.abc import Callable, Sequence

from aiohttp import web


class Health:
    """Answers for a supervisor and a balancer.

    Args:
        hindrances: Each says why the hub is not ready, or None.
    """

    def __init__(self, hindrances: Sequence[Callable[[], str | None]]) -> None:
        self._hindrances = hindrances

    def routes(self) -> list[web.RouteDef]:
        """Give both routes."""
        return [web.get("/livez", self._livez), web.get("/readyz", self._readyz)]

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        for hindrance in self._hindrances:
            if (why := hindrance()) is not None:
                return web.Response(text=f"{why}\n", status=503)
        return web.Response(text="ok\n")
