"""`/livez` and `/readyz`: does the process live, and may a balancer send to it.

`/readyz?details` says more, to those whose key lets them see it.
"""

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from hub.api.access import let_in
from hub.api.endpoint import STAFF, Answer, Api, Ask, Endpoint
from hub.errors import Refused
from hub.model import Json, write_json


class Health:
    """Answers for a supervisor and a balancer.

    Args:
        hindrances: Each says why the hub is not ready, or None.
        details: What staff may see beside, by name.
        api: Knows whose key it is.
        lagging: Says that the event loop does not keep up, or None.
    """

    def __init__(
        self,
        hindrances: Sequence[Callable[[], str | None]],
        *,
        details: Mapping[str, Callable[[], Json]],
        api: Callable[[], Api],
        lagging: Callable[[], str | None],
    ) -> None:
        self._hindrances, self._details, self._api = hindrances, details, api
        self._lagging = lagging

    def routes(self) -> list[web.RouteDef]:
        """Give both routes."""
        return [web.get("/livez", self._livez), web.get("/readyz", self._readyz)]

    def hindrances(self) -> list[str]:
        """Say why the hub is not ready; nothing where it is."""
        return [why for hindrance in self._hindrances if (why := hindrance()) is not None]

    async def _livez(self, _: web.Request) -> web.Response:
        why = self._lagging()
        return web.Response(text=f"{why or 'ok'}\n", status=503 if why else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        whys = self.hindrances()
        status = 503 if whys else 200
        if "details" in request.query:
            return await self._detailed(request, whys, status)
        return web.Response(text=f"{whys[0] if whys else 'ok'}\n", status=status)

    async def _detailed(self, request: web.Request, whys: list[str], status: int) -> web.Response:
        try:
            await let_in(self._api(), DETAILS, request)
        except Refused as refused:
            known = refused.code == "forbidden"
            raise (web.HTTPForbidden if known else web.HTTPUnauthorized) from refused
        body = {"ready": not whys, "hindrances": whys}
        body |= {name: give() for name, give in self._details.items()}
        return web.Response(body=write_json(body), status=status, content_type="application/json")


async def _nothing(_: Ask) -> Answer:
    return Answer(body=None)


DETAILS = Endpoint(method="GET", path="/readyz", may=STAFF, do=_nothing)
