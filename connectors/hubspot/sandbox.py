"""HubSpot's double: its wire format over an account in memory, both budgets, webhooks out.

What a test may set: `search_lag` (seconds), `budget.limit` and `budget.daily`, `multi_status`
(False: one bad item refuses its whole batch), `races` (so many upserts lose a race against
another writer: 409), `denied` (kinds the token has no scope for).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from aiohttp import web

from connectors.hubspot import UNIQUE, Hubspot, wire
from connectors.hubspot.budget import DAILY, TEN_SECONDS, Budget
from connectors.hubspot.catalog import NATURAL, definition
from connectors.hubspot.crm import KINDS, LABELS, Crm, Record, Wrong
from connectors.hubspot.inbound import MOST_EVENTS
from hub import Clock, Json
from hub.sandbox import Double, Handler

VERSION = "{version:2026-0[39]}"
SEARCH = ("limit", "after", "sorts", "properties", "query")
READ = ("properties", "propertiesWithHistory", "idProperty", "archived")
PROPERTY = ("hasUniqueValue", "description", "displayOrder", "hidden", "formField", "options")
Act = Callable[[web.Request, Json], tuple[int, Json]]


class Sandbox(Double):
    """One HubSpot account. Its ledger counts a creation as `contact`, a change `contact_update`.

    Args:
        ours: Whether our unique properties are there from the start.
    """

    connector = Hubspot

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, ours: bool = True) -> None:
        super().__init__(clock=clock, seed=seed)
        self.crm = Crm()
        self.budget = Budget()
        self.search_lag, self.multi_status, self.races = 0.0, True, 0
        self.denied: set[str] = set()
        self._answers = self._events = 0
        for kind, (name, _, _) in UNIQUE.items() if ours else ():
            self.crm.properties[kind][name] = definition(name, "string", unique=True)

    def routes(self) -> list[web.RouteDef]:
        """Give the parts of the CRM, associations, properties and account APIs we meet."""
        objects = f"/crm/objects/{VERSION}/{{kind}}"
        properties = f"/crm/properties/{VERSION}/{{kind}}"
        account = f"/account-info/{VERSION}"
        table: list[tuple[str, str, Act]] = [
            ("POST", f"{objects}/batch/upsert", self._upsert),
            ("POST", f"{objects}/batch/read", self._batch_read),
            ("POST", f"{objects}/search", self._search),
            ("GET", objects, self._list),
            ("POST", objects, self._create),
            ("GET", f"{objects}/{{id}}", self._read),
            ("GET", f"{objects}/{{id}}/associations/{{to}}", self._partners),
            ("POST", f"/crm/associations/{VERSION}/{{kind}}/{{to}}/batch/create", self._associate),
            ("POST", properties, self._define),
            ("GET", f"{properties}/{{name}}", self._property),
            ("GET", f"{account}/details", self._details),
            ("GET", f"{account}/api-usage/daily/private-apps", self._usage),
        ]
        return [web.route(method, path, self._guarded(act)) for method, path, act in table]

    # -- every call ------------------------------------------------------------------------------
    def _guarded(self, act: Act) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if (policy := self.budget.spend(self.clock.now())) is not None:
                return self.too_many(10, policy)
            try:
                self._authorise(request)
                status, body = act(request, await wire.read_body(request))
            except Wrong as wrong:
                status, body = wrong.status, wrong.body()
            return self._answer(body, status=status)

        return handle

    def too_many(self, after: float, policy: str = TEN_SECONDS) -> web.StreamResponse:
        """Answer 429 as HubSpot does; the daily policy says no Retry-After."""
        body = {
            "status": "error",
            "message": f"You have reached your {policy.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "policyName": policy,
        }
        headers = {} if policy == DAILY else {"Retry-After": f"{after:g}"}
        return self._answer(body, status=429, headers=headers)

    def _authorise(self, request: web.Request) -> None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or bearer in ("", "revoked"):
            text = "Authentication credentials not found."
            raise Wrong("INVALID_AUTHENTICATION", text, status=401)
        for name in ("kind", "to"):
            kind = KINDS.get(request.match_info.get(name, "contact"))
            if kind is None:
                raise Wrong("VALIDATION_ERROR", "Unable to infer object type")
            if kind in self.denied and name in request.match_info:
                text = "This app hasn't been granted all required scopes to make this call."
                raise Wrong("MISSING_SCOPES", text, status=403)

    def _answer(
        self, body: Json, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        self._answers += 1
        ident = f"00000000-0000-4000-8000-{self._answers:012d}"
        if status >= 400:
            body = body | {"correlationId": ident}
        stated = {"X-HubSpot-Correlation-Id": ident} | self.budget.headers() | dict(headers or {})
        return web.json_response(body, status=status, headers=stated)

    # -- objects ---------------------------------------------------------------------------------
    def _upsert(self, request: web.Request, body: Json) -> tuple[int, Json]:
        kind, inputs = _kind(request), wire.upserts(body)
        traces = {one.get("objectWriteTraceId") for one in inputs} - {None}
        partly = self.multi_status and len(traces) == len(inputs)
        self._lose_race(kind, inputs[0])
        for one in () if partly else inputs:
            self.crm.judge(kind, one)
        results, errors, written = [], [], []
        for one in inputs:
            try:
                written.append(self.crm.upsert(kind, one, self.clock.now()))
            except Wrong as wrong:
                named = {"objectWriteTraceId": [one["objectWriteTraceId"]]}
                errors.append(wrong.body() | {"context": named})
            else:
                self._enter(one, *written[-1])
                results.append(wire.upserted(one, *written[-1]))
        self._tell(written)
        return wire.batch(results, errors, self.clock.now())

    def _lose_race(self, kind: str, one: Json) -> None:
        """Let another writer make this record just before us, `races` times."""
        by = one.get("idProperty")
        if self.races and by and self.crm.find(kind, one["id"], by) is None:
            self.races -= 1
            self.crm.upsert(kind, {**one, "properties": {}}, self.clock.now())
            self.crm.create(kind, {"properties": {by: one["id"]}}, self.clock.now())  # taken: 409

    def _enter(self, one: Json, record: Record, what: str) -> None:
        """Note in the ledger what a write did."""
        key = record.properties.get(NATURAL[record.kind], record.id)
        if what != "same":
            name = record.kind if what == "new" else f"{record.kind}_update"
            self.effect(name, record.id, key, one)

    def _create(self, request: web.Request, body: Json) -> tuple[int, Json]:
        one = wire.creation(body)
        written = self.crm.create(_kind(request), one, self.clock.now())
        self._enter(one, *written)
        self._tell([written])
        return 201, wire.shown(written[0])

    def _batch_read(self, request: web.Request, body: Json) -> tuple[int, Json]:
        wire.members(body, {"inputs"}, READ)
        asked = [one["id"] for one in wire.inputs(body, {"id"})]
        found = {i: self.crm.find(_kind(request), i, body.get("idProperty")) for i in asked}
        missing = [ident for ident, record in found.items() if record is None]
        results = [wire.shown(r, body.get("properties")) for r in found.values() if r]
        wrong = Wrong("OBJECT_NOT_FOUND", "Could not get some objects", context={"ids": missing})
        return wire.batch(results, [wrong.body()] if missing else [], self.clock.now())

    def _search(self, request: web.Request, body: Json) -> tuple[int, Json]:
        wire.members(body, {"filterGroups"}, SEARCH)
        when = self.clock.now() - timedelta(seconds=self.search_lag)
        found = self.crm.search(_kind(request), body["filterGroups"], when)
        start, limit = int(body.get("after") or 0), min(int(body.get("limit") or 10), 200)
        page = found[start : start + limit]
        results = [wire.shown(record, body.get("properties"), when) for record in page]
        more = {"paging": {"next": {"after": str(start + limit)}}}
        rest = more if start + limit < len(found) else {}
        return 200, {"total": len(found), "results": results} | rest

    def _list(self, request: web.Request, body: Json) -> tuple[int, Json]:
        records = list(self.crm.records[_kind(request)].values())
        limit = int(request.query.get("limit", "10"))
        return 200, {"results": [wire.shown(record) for record in records[:limit]]}

    def _read(self, request: web.Request, body: Json) -> tuple[int, Json]:
        record = self._found(request)
        wanted = request.query.get("properties", "").split(",")
        shown = wire.shown(record, [name for name in wanted if name])
        tied = {
            name: {"results": [{"id": i, "type": f"{record.kind}_to_{name}"} for i in ids]}
            for name in request.query.get("associations", "").split(",")
            if (ids := self.crm.partners(record, KINDS.get(name, name)))
        }
        return 200, shown | ({"associations": tied} if tied else {})

    def _found(self, request: web.Request) -> Record:
        ident, by = request.match_info["id"], request.query.get("idProperty")
        record = self.crm.find(_kind(request), ident, by)
        if record is None:
            raise Wrong("OBJECT_NOT_FOUND", "resource not found", status=404)
        return record

    # -- associations, properties, account -------------------------------------------------------
    def _partners(self, request: web.Request, body: Json) -> tuple[int, Json]:
        record, to_kind = self._found(request), _kind(request, "to")
        kinds = [{"category": "HUBSPOT_DEFINED", "typeId": LABELS[record.kind, to_kind]}]
        ids = self.crm.partners(record, to_kind)
        return 200, {"results": [{"toObjectId": int(i), "associationTypes": kinds} for i in ids]}

    def _associate(self, request: web.Request, body: Json) -> tuple[int, Json]:
        kinds = _kind(request), _kind(request, "to")
        results, errors = [], []
        for one in wire.inputs(wire.members(body, {"inputs"}), {"from", "to", "types"}):
            start, end = wire.ends(one, LABELS.get(kinds))
            try:
                fresh = self.crm.associate((kinds[0], start), (kinds[1], end))
            except Wrong as wrong:
                errors.append(wrong.body())
                continue
            if fresh:
                self.effect("association", f"{start}-{end}", f"{kinds[0]} {start} {kinds[1]} {end}")
            results.append(wire.associated(kinds, start, end))
        return wire.batch(results, errors, self.clock.now(), 201)

    def _define(self, request: web.Request, body: Json) -> tuple[int, Json]:
        wire.members(body, {"name", "label", "type", "fieldType", "groupName"}, PROPERTY)
        made = self.crm.define(_kind(request), body)
        self.effect("property", made["name"], f"{_kind(request)}.{made['name']}", body)
        return 201, made

    def _property(self, request: web.Request, body: Json) -> tuple[int, Json]:
        made = self.crm.properties[_kind(request)].get(request.match_info["name"])
        if made is None:
            raise Wrong("OBJECT_NOT_FOUND", "Property does not exist", status=404)
        return 200, made

    def _details(self, request: web.Request, body: Json) -> tuple[int, Json]:
        return 200, wire.ACCOUNT

    def _usage(self, request: web.Request, body: Json) -> tuple[int, Json]:
        return 200, {"results": [self.budget.usage(self.clock.now())]}

    # -- webhooks --------------------------------------------------------------------------------
    def _tell(self, written: Iterable[tuple[Record, str]]) -> None:
        """Send what was written as one array; its changes share an eventId, as HubSpot's may."""
        self._events += 1
        at = int(self.clock.now().timestamp() * 1000)
        changes = wire.changes(written, event=self._events, at=at)
        if changes and self.state.endpoints:
            for start in range(0, len(changes), MOST_EVENTS):
                self.emit(changes[start : start + MOST_EVENTS])


def _kind(request: web.Request, name: str = "kind") -> str:
    return KINDS[request.match_info[name]]
