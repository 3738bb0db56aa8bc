"""A double of an API nobody has written: it keeps what it is sent, by path.

PUT and PATCH make or change the object at a path; POST makes one below it, and answers a key
it has seen with what it answered before; GET gives an object, or those below a path that match
the query; DELETE takes one away. Credentials must be sent, and not be "Bearer revoked".
"""

from typing import Any

from aiohttp import web

from connectors.http import Http
from hub import Json, read_json, write_json
from hub.sandbox import Double

KEY = "Idempotency-Key"
REVOKED = "Bearer revoked"


class Sandbox(Double):
    """What it holds is in `objects`, by path."""

    connector = Http

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.objects: dict[str, dict[str, Json]] = {}
        self.answered: dict[str, tuple[bytes, dict[str, Json]]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Take every path."""
        return [web.route("*", "/{path:.*}", self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as the method says."""
        sent = request.headers.get("Authorization", "")
        if not sent or sent == REVOKED:
            return _said(401, "credentials are missing or revoked")
        path = "/" + request.match_info["path"]
        if request.method == "GET":
            return self._read(path, dict(request.query))
        if request.method == "DELETE":
            return self._delete(path)
        return self._write(request, path, await request.read())

    def _write(self, request: web.Request, path: str, raw: bytes) -> web.Response:
        try:
            body = read_json(raw)
        except ValueError:
            return _said(400, "the body is no JSON")
        if not isinstance(body, dict):
            return _said(422, "the body is no object")
        if request.method == "POST":
            return self._create(path, body, raw, request.headers.get(KEY, ""))
        return self._change(path, body)

    def _read(self, path: str, query: dict[str, str]) -> web.Response:
        if path == "/":
            return _json({"ok": True})
        below = [one for name, one in self.objects.items() if name.rpartition("/")[0] == path]
        matching = (one for one in below if all(str(one.get(k)) == v for k, v in query.items()))
        found = self.objects.get(path) or next(matching, None)
        return _json(found) if found is not None else _said(404, "there is none")

    def _create(self, path: str, body: dict[str, Json], raw: bytes, key: str) -> web.Response:
        if key in self.answered:
            before, answer = self.answered[key]
            same = before == raw
            return _json(answer, 201) if same else _said(422, "the key came with another body")
        made = body | {"id": f"{path.strip('/').replace('/', '_')}_{len(self.objects) + 1}"}
        self.objects[f"{path}/{made['id']}"] = made
        if key:
            self.answered[key] = (raw, made)
        self.effect(f"POST {path}", made["id"], key, body)
        return _json(made, 201)

    def _change(self, path: str, body: dict[str, Json]) -> web.Response:
        changed = self.objects.get(path, {}) | body
        if self.objects.get(path) != changed:
            self.objects[path] = changed
            self.effect("PUT", path, path, body)
        return _json(changed)

    def _delete(self, path: str) -> web.Response:
        if self.objects.pop(path, None) is None:
            return _said(404, "there is none")
        self.effect("DELETE", path, path)
        return web.Response(status=204)


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(body=write_json(value), status=status, content_type="application/json")


def _said(status: int, text: str) -> web.Response:
    return _json({"message": text}, status)
