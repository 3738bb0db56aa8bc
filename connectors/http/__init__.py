"""Any API, called from YAML: each action a method, a path, and what repeating it does.

    erp:
      type: http
      settings:
        base_url: https://erp.example.com/api
        auth: { bearer: "${env:ERP_TOKEN}" }
        actions:
          book_order: { method: PUT, path: "/orders/{id}", effect: { upsert: id } }

The body is what the mapping makes; the mapping's `to` names the connector: `erp.book_order`.
An action that says nothing of its effect is unsafe: an unknown outcome is parked, not guessed.
"""

import builtins
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from connectors.http.actions import Body, HttpAction, Name, body_model
from connectors.http.calls import accepted, find, perform
from connectors.http.settings import HeaderName, HeaderText, HttpAuth, credentials
from hub import (
    Answer,
    Auth,
    AuthFailed,
    Call,
    CallError,
    Check,
    Connector,
    ConnectorSettings,
    Json,
    Outcome,
    Reject,
    action,
    lookup,
)

Method = Callable[..., Any]


class Http(Connector):
    """An API that has no connector of its own; what it can do stands in its settings."""

    type = "http"
    auth = Auth(credentials)

    class Settings(ConnectorSettings):
        """The API's address, how we show who we are, and what it can be asked."""

        auth: HttpAuth | None = Field(
            default=None, description="bearer, basic or header, by reference"
        )
        headers: dict[HeaderName, HeaderText] = Field(
            default={}, description="sent with every call"
        )
        check: str | None = Field(
            default=None, pattern=r"^/[^#\s]*$", description="a GET that proves the credentials"
        )
        actions: dict[Name, HttpAction] = Field(
            min_length=1, description="what the API can be asked, by name"
        )

    settings: Settings
    declared: ClassVar[Mapping[str, HttpAction]] = {}

    @classmethod
    def configured(cls, name: str, settings: Mapping[str, Json]) -> builtins.type[Connector]:
        """Give a class that has the declared actions as its own."""
        given = settings.get("actions")
        declared = {
            action_name: _read(one)
            for action_name, one in (given.items() if isinstance(given, dict) else ())
            if not hasattr(Connector, action_name)
        }
        members: dict[str, Any] = {"maps_as": name, "declared": declared}
        for action_name, one in declared.items():
            members[action_name] = _performing(action_name, one)
            if one.lookup is not None:
                members[f"_find_{action_name}"] = _finding(action_name, one)
        return builtins.type("Http", (cls,), members)

    def classify(self, answer: Answer) -> CallError | None:
        """Let an action call a status a success that is none by itself."""
        return accepted(answer)

    async def check(self) -> list[Check]:
        """Prove the credentials by the path set for that; without one, reach alone."""
        path = self.settings.check
        try:
            await self.http.get(path or "")
        except AuthFailed as error:
            return [Check("credentials", "fail", str(error), "see auth")]
        except Reject as error:
            if path is not None:
                return [Check("credentials", "fail", str(error), "see check")]
        if path is not None:
            return [Check("credentials", "ok")]
        text = "nothing is set whose GET would prove the credentials"
        return [Check("reach", "ok"), Check("credentials", "warn", text, "check: /some/path")]


def _read(given: Json) -> HttpAction:
    """Read a declaration; where it has faults, which are told elsewhere, as one that takes all."""
    try:
        return HttpAction.model_validate(given)
    except ValidationError:
        return HttpAction(path="/")


def _performing(name: str, declared: HttpAction) -> Method:
    """Make the method of an action."""

    async def run(self: Http, call: Call, item: Body) -> Outcome:
        return await perform(call, declared, item.root, self.settings.headers)

    run.__name__, run.__qualname__ = name, f"Http.{name}"
    run.__doc__ = f"{declared.method} {declared.path}."
    run.__annotations__["item"] = body_model(declared)
    return action(effect=declared.effect.effect(), kind=declared.kind)(run)


def _finding(name: str, declared: HttpAction) -> Method:
    """Make the look-up of an action."""

    async def run(self: Http, call: Call, item: Body) -> Outcome | None:
        return await find(call, declared, item.root, self.settings.headers)

    run.__name__, run.__qualname__ = f"_find_{name}", f"Http._find_{name}"
    run.__doc__ = f"GET {declared.lookup}."
    return lookup(name)(run)
