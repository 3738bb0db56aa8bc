"""/docs: the OpenAPI document as a page to read. No script, nothing from elsewhere.

What it says is what the document says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.api import published
from hub.api.problems import PROBLEMS
from hub.config import Config
from hub.config.events import Events
from hub.model import write_json

HERE = Path(__file__).with_name("docs")
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
VARY = {"Vary": "Authorization"}
DEEPEST, MOST_FIELDS = 6, 500


class Field(NamedTuple):
    """One line of a body: how deep it stands, its name, what it holds, whether it must be there."""

    depth: int
    name: str
    holds: str
    required: bool


class Held(NamedTuple):
    """What events of these types carry, or an action takes."""

    name: str
    types: tuple[str, ...]
    fields: list[Field]


def routes(
    document: Callable[[], Mapping[str, Any]],
    current: Callable[[], Config],
    knows: Callable[[web.Request], Awaitable[bool]],
) -> list[web.RouteDef]:
    """Serve the document, the page and its style.

    Args:
        document: Writes the endpoints; what `current` has of events and actions is added.
        knows: Says whether a caller sent a living key; others see only what is everywhere alike.
    """
    whole, public = Written(document), Written(document, published.public)

    async def made(request: web.Request) -> Texts:
        written = whole if await knows(request) else public
        return await asyncio.to_thread(written.of, current())

    async def openapi(request: web.Request) -> web.Response:
        body = (await made(request)).document
        return web.Response(body=body, content_type="application/json", headers=VARY)

    async def docs(request: web.Request) -> web.Response:
        page = (await made(request)).page
        return web.Response(text=page, content_type="text/html", headers=HEADERS | VARY)

    async def look(_: web.Request) -> web.Response:
        style = HERE.joinpath("style.css").read_text()
        return web.Response(text=style, content_type="text/css", headers=HEADERS)

    return [
        web.get("/openapi.json", openapi, name="openapi"),
        web.get("/docs", docs, name="docs"),
        web.get("/docs/style.css", look),
    ]


class Texts(NamedTuple):
    """What is served of one configuration."""

    config: Config
    document: bytes
    page: str


class Written:
    """Writes document and page when asked; anew only where another configuration is in force.

    Args:
        shown: Gives what of a configuration is told.
    """

    def __init__(
        self,
        document: Callable[[], Mapping[str, Any]],
        shown: Callable[[Config], Config] = lambda config: config,
    ) -> None:
        self._document, self._shown = document, shown
        self._texts: Texts | None = None

    def of(self, config: Config) -> Texts:
        """Give what is served of a configuration."""
        texts = self._texts
        if texts is None or texts.config is not config:
            shown = self._shown(config)
            whole = published.into(self._document(), shown)
            texts = Texts(config, write_json(whole), _render(whole, shown))
            self._texts = texts
        return texts


def _render(document: Mapping[str, Any], config: Config) -> str:
    pages = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            name = path.split("/")[2]
            groups.setdefault(name, []).append(_shown(document, path, method, operation))
    return pages.get_template("page.html").render(
        title=document["info"]["title"],
        version=document["info"]["version"],
        groups=groups,
        events=list(_events(document, config.known)),
        actions=[
            Held(name, (), _listed(document, {"$ref": published.REF + key}))
            for name, (key, _) in published.actions(config).items()
        ],
        problems=PROBLEMS,
    )


def _events(document: Mapping[str, Any], known: Events) -> Iterator[Held]:
    for name, (key, _) in published.events(known).items():
        types = tuple(event for event, data in known.data.items() if data == name)
        yield Held(name, types, _listed(document, {"$ref": published.REF + key}))


def _listed(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Field]:
    """List the fields of a schema that may be an admin's own, and so of any size."""
    return list(islice(_fields(document, schema), MOST_FIELDS))


def _shown(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "roles": operation["description"],
        "parameters": operation["parameters"],
        "body": list(_fields(document, body["schema"])) if body else [],
        "answers": [
            (status, answer["description"], list(_answer(document, answer)))
            for status, answer in sorted(operation["responses"].items())
        ],
    }


def _answer(document: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Field]:
    content = answer.get("content", {}).get("application/json", {})
    return _fields(document, content["schema"]) if content else iter(())


def _fields(
    document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0
) -> Iterator[Field]:
    """List an object's fields and those of the objects in it, in their order."""
    found = _resolved(document, schema)
    needed = found.get("required", ())
    for name, held in found.get("properties", {}).items():
        yield Field(depth, name, _holds(document, held), name in needed)
        inner = _inside(document, held)
        if inner is not None and depth < DEEPEST:
            yield from _fields(document, inner, depth + 1)


def _resolved(document: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    """Follow references; one that leads nowhere, or round in a circle, tells nothing."""
    for _ in range(DEEPEST):
        if not isinstance(schema, dict):
            return {}
        ref = schema.get("$ref")
        if not isinstance(ref, str):
            return schema
        schema = _at(document, ref)
    return {}


def _at(document: Mapping[str, Any], ref: str) -> Any:
    """Give what a reference within the document names."""
    found: Any = document if ref.startswith("#/") else None
    for step in ref[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _inside(document: Mapping[str, Any], schema: Any, depth: int = 0) -> Mapping[str, Any] | None:
    """Give the object a field holds, alone or in a list; None where it holds none of ours."""
    found = _resolved(document, schema)
    if found.get("type") == "array" and depth < DEEPEST:
        return _inside(document, found.get("items", {}), depth + 1)
    return found if "properties" in found else None


def _holds(document: Mapping[str, Any], schema: Any, depth: int = 0) -> str:
    found = _resolved(document, schema)
    if depth == DEEPEST:
        return "anything"
    if "anyOf" in found:
        told = (_holds(document, one, depth + 1) for one in found["anyOf"])
        return " or ".join(dict.fromkeys(told))
    if "enum" in found:
        return ", ".join(map(str, found["enum"]))
    if "const" in found:
        return str(found["const"])
    if found.get("type") == "array":
        return f"list of {_holds(document, found.get('items', {}), depth + 1)}"
    bounds = " ".join(
        f"{word} {found[key]}"
        for key, word in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "at most"))
        if key in found
    )
    kinds = found.get("type", "anything")
    kind = " or ".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds)
    return " ".join(filter(None, [kind, found.get("format"), bounds]))
