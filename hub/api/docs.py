"""/docs: the OpenAPI document as a page to read. No script, nothing from elsewhere.

Made once, when it is first asked for: what it says is what the document says.
"""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.api.problems import PROBLEMS

HERE = Path(__file__).with_name("docs")
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
DEEPEST = 6


class Field(NamedTuple):
    """One line of a body: how deep it stands, its name, what it holds, whether it must be there."""

    depth: int
    name: str
    holds: str
    required: bool


def routes(document: Mapping[str, Any]) -> list[web.RouteDef]:
    """Serve the page and its style."""
    page = cache(partial(_render, document))

    async def docs(_: web.Request) -> web.Response:
        return web.Response(text=page(), content_type="text/html", headers=HEADERS)

    async def look(_: web.Request) -> web.Response:
        style = HERE.joinpath("style.css").read_text()
        return web.Response(text=style, content_type="text/css", headers=HEADERS)

    return [web.get("/docs", docs, name="docs"), web.get("/docs/style.css", look)]


def _render(document: Mapping[str, Any]) -> str:
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
        problems=PROBLEMS,
    )


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


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _inside(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the object a field holds, alone or in a list; None where it holds none of ours."""
    found = _resolved(document, schema)
    if found.get("type") == "array":
        return _inside(document, found.get("items", {}))
    return found if "properties" in found else None


def _holds(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    found = _resolved(document, schema)
    if "anyOf" in found:
        return " or ".join(dict.fromkeys(_holds(document, one) for one in found["anyOf"]))
    if "enum" in found:
        return ", ".join(map(str, found["enum"]))
    if "const" in found:
        return str(found["const"])
    if found.get("type") == "array":
        return f"list of {_holds(document, found.get('items', {}))}"
    bounds = " ".join(
        f"{word} {found[key]}"
        for key, word in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "at most"))
        if key in found
    )
    return " ".join(filter(None, [str(found.get("type", "anything")), found.get("format"), bounds]))
