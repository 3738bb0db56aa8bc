"""All sandbox doubles on one port: each below `/<type>`, and a control API below `/_control`.

    GET  /_control                    every double's ledger, calls, deliveries and faults
    GET  /_control/<type>             one double's
    GET  /_control/<type>/counts      {"contact": 3, "deal": 2, …}: its ledger, counted by kind
    POST /_control/<type>/faults      {"fault": "cut", "path": "/v3/mail/send", "times": 1, …}
    POST /_control/<type>/endpoints   {"url": "http://…/webhooks/stripe", "secret": "whsec_…"}
    POST /_control/<type>/release     send the webhooks that `reorder` held back
    POST /_control/reset              forget faults (never the ledger)

It binds to loopback only and asks for no credential: it is a test bench, never a service.
"""

import importlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from aiohttp import web

from hub.clock import Clock
from hub.discovery import discover, homes
from hub.model import Json, read_json, write_json
from hub.plugin import Connector
from hub.sandbox import Double, Fault
from hub.secrets import Secret

FAULTS = ("429", "500", "hang", "cut", "slow", "duplicate", "reorder", "delay", "drop")


def double(kind: str, folders: Iterable[Path] = (), *, clock: Clock | None = None) -> Double:
    """Make the double of a connector type.

    Raises:
        LookupError: There is no such type, or it has no double.
    """
    return double_of(discover(kind, folders), clock=clock)


def double_of(connector: type[Connector], *, clock: Clock | None = None) -> Double:
    """Make the double of a connector class.

    Raises:
        LookupError: It has none.
    """
    try:
        made = importlib.import_module(f"{connector.__module__}.sandbox").Sandbox
    except ModuleNotFoundError as error:
        text = f"the connector type '{connector.type}' has no sandbox.py"
        raise LookupError(text) from error
    found: Double = made(clock=clock)
    return found


def with_double(folders: Iterable[Path] = ()) -> list[str]:
    """Name the connector types that have a double."""
    return sorted(kind for kind, home in homes(folders).items() if (home / "sandbox.py").exists())


def application(doubles: Mapping[str, Double]) -> web.Application:
    """Serve doubles by type, with their control API."""
    app = web.Application()
    control = Control(doubles)
    app.add_routes(
        [
            web.get("/_control", control.all),
            web.post("/_control/reset", control.reset),
            web.get("/_control/{kind}", control.one),
            web.get("/_control/{kind}/counts", control.counts),
            web.post("/_control/{kind}/faults", control.fault),
            web.post("/_control/{kind}/endpoints", control.endpoint),
            web.post("/_control/{kind}/release", control.release),
        ]
    )
    for kind, served in doubles.items():
        app.add_subapp(f"/{kind}", served.app())
    return app


class Control:
    """The control API: what the doubles saw, and the faults they are to play."""

    def __init__(self, doubles: Mapping[str, Double]) -> None:
        self.doubles = doubles

    async def all(self, _: web.Request) -> web.Response:
        """Give every double's state."""
        return _json({kind: served.describe() for kind, served in self.doubles.items()})

    async def one(self, request: web.Request) -> web.Response:
        """Give one double's state."""
        return _json(self._double(request).describe())

    async def counts(self, request: web.Request) -> web.Response:
        """Count what one double did, by kind."""
        ledger = self._double(request).state.ledger
        return _json(dict(Counter(effect.kind for effect in ledger)))

    async def fault(self, request: web.Request) -> web.Response:
        """Set a fault to play."""
        served, asked = self._double(request), await _asked(request)
        known = {field.name for field in fields(Fault)}
        have = (*FAULTS, *sorted(served.OWN_FAULTS))
        if not asked.keys() <= known or asked.get("fault") not in have:
            raise web.HTTPBadRequest(text=f"a fault is one of {', '.join(have)}, with {known}")
        asked = {k: float(v) if k in ("after", "share") else v for k, v in asked.items()}
        served.state.faults.append(Fault(**asked))
        return _json({"set": True}, 201)

    async def endpoint(self, request: web.Request) -> web.Response:
        """Send this double's webhooks to an address, signed with a secret."""
        asked = await _asked(request)
        if not isinstance(asked.get("url"), str) or not isinstance(asked.get("secret"), str):
            raise web.HTTPBadRequest(text="an endpoint wants a url and a secret")
        self._double(request).send_to(asked["url"], Secret(asked["secret"], "sandbox"))
        return _json({"set": True}, 201)

    async def release(self, request: web.Request) -> web.Response:
        """Send the webhooks that were held back."""
        self._double(request).release()
        return _json({"released": True})

    async def reset(self, _: web.Request) -> web.Response:
        """Forget all faults."""
        for served in self.doubles.values():
            served.state.faults.clear()
        return _json({"reset": True})

    def _double(self, request: web.Request) -> Double:
        found = self.doubles.get(request.match_info["kind"])
        if found is None:
            raise web.HTTPNotFound(text=f"there is no double; have: {', '.join(self.doubles)}")
        return found


async def _asked(request: web.Request) -> dict[str, Any]:
    try:
        asked = read_json(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body is no JSON") from error
    if not isinstance(asked, dict):
        raise web.HTTPBadRequest(text="the body is no object")
    return asked


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(body=write_json(value), status=status, content_type="application/json")
