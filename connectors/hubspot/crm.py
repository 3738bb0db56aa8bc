"""The double's memory: properties, records by id and unique value, associations. No HTTP.

Refuses what HubSpot refuses as far as the shop can meet it. Source: CRM API pages (2026-03).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.hubspot.catalog import NATURAL, Named, definition, fault, fold, standard
from hub import Json

KINDS = {
    "contact": "contact", "contacts": "contact", "0-1": "contact",
    "deal": "deal", "deals": "deal", "0-3": "deal",
    "line_item": "line_item", "line_items": "line_item", "0-8": "line_item",
}  # fmt: skip
LABELS = {
    ("contact", "deal"): 4, ("deal", "contact"): 3,
    ("deal", "line_item"): 19, ("line_item", "deal"): 20,
}  # fmt: skip


class Wrong(Exception):
    """A refusal: its status, category and words; `named` are property, code and message."""

    def __init__(
        self, category: str, message: str, *, status: int = 400,
        named: list[Named] | None = None, context: Json = None,
    ) -> None:  # fmt: skip
        self.category, self.message, self.status = category, message, status
        self.named, self.context = named or [], context
        super().__init__(message)

    def body(self) -> dict[str, Json]:
        """Give the members every error body has."""
        body: dict[str, Json] = {
            "status": "error",
            "message": self.message,
            "category": self.category,
        }
        if self.named:
            body["errors"] = [
                {"message": message, "code": code, "context": {"propertyName": [name]}}
                for name, code, message in self.named
            ]
        return body | ({"context": self.context} if self.context else {})


@dataclass(slots=True)
class Record:
    """One record; `states` keeps every state with its time, for the search index's lag."""

    id: str
    kind: str
    created_at: datetime
    states: list[tuple[datetime, dict[str, str]]] = field(default_factory=list)

    @property
    def properties(self) -> dict[str, str]:
        """Give the newest state."""
        return self.states[-1][1] if self.states else {}

    def as_of(self, when: datetime) -> dict[str, str] | None:
        """Give the state that was there at `when`; None where the record was not."""
        return next((state for at, state in reversed(self.states) if at <= when), None)


class Crm:
    """One account's records."""

    def __init__(self) -> None:
        self.properties = {kind: standard(kind) for kind in NATURAL}
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in NATURAL}
        self.holders: dict[tuple[str, str, str], str] = {}
        self.links: set[tuple[str, str, str, str]] = set()
        self._count = 500

    def find(self, kind: str, ident: str, by: str | None = None) -> Record | None:
        """Find a record by its id, or by a unique property."""
        if by and by != "hs_object_id":
            if not self.properties[kind].get(by, {}).get("hasUniqueValue"):
                raise Wrong("VALIDATION_ERROR", f"Unable to use non-unique property {by}")
            ident = self.holders.get((kind, by, fold(by, ident)), "")
        return self.records[kind].get(ident)

    def upsert(self, kind: str, one: Mapping[str, Json], now: datetime) -> tuple[Record, str]:
        """Write one input of a batch; also says whether the record is new, changed or the same."""
        record, values = self.judge(kind, one)
        return self.write(kind, record, values, now)

    def judge(self, kind: str, one: Mapping[str, Json]) -> tuple[Record | None, dict[str, str]]:
        """Find an input's record and its values, or say what is wrong with it; writes nothing."""
        ident, by = one["id"], one.get("idProperty")
        record = self.find(kind, ident, by)
        if record is None and by is None:
            raise Wrong("OBJECT_NOT_FOUND", f"No {kind} with ID {ident} exists", status=404)
        naming = {str(by): ident} if record is None else {}
        values = {name: fold(name, v) for name, v in (naming | one["properties"]).items()}
        self._check(kind, values)
        self._refuse_taken(kind, values, record)
        return record, values

    def create(self, kind: str, one: Mapping[str, Json], now: datetime) -> tuple[Record, str]:
        """Make a record; refuses where its unique values are taken."""
        values = {name: fold(name, v) for name, v in one["properties"].items()}
        self._check(kind, values)
        self._refuse_taken(kind, values, None)
        return self.write(kind, None, values, now)

    def write(
        self, kind: str, record: Record | None, values: Mapping[str, str], now: datetime
    ) -> tuple[Record, str]:
        """Keep values that were judged good."""
        if record is not None and record.properties | dict(values) == record.properties:
            return record, "same"
        what = "new" if record is None else "changed"
        record = record or self._new(kind, now)
        self._keep(record, values, now)
        return record, what

    def associate(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Bind two records, both ways; False where they were bound already."""
        for kind, ident in (one, other):
            if ident not in self.records[kind]:
                ids = {"fromObjectId": [one[1]], "toObjectId": [other[1]]}
                text = f"No {kind} with ID {ident} exists"
                raise Wrong("OBJECT_NOT_FOUND", text, status=404, context=ids)
        fresh = (*one, *other) not in self.links
        self.links |= {(*one, *other), (*other, *one)}
        return fresh

    def partners(self, record: Record, to_kind: str) -> list[str]:
        """Name the records of a kind bound to this one."""
        mine = (link for link in self.links if link[:2] == (record.kind, record.id))
        return sorted((link[3] for link in mine if link[2] == to_kind), key=int)

    def define(self, kind: str, body: Mapping[str, Json]) -> dict[str, Json]:
        """Make a property."""
        name = str(body["name"])
        if name in self.properties[kind]:
            text = f"A property named '{name}' already exists."
            raise Wrong("OBJECT_ALREADY_EXISTS", text, status=409)
        made = definition(name, str(body["type"]))
        self.properties[kind][name] = made | dict(body)
        return self.properties[kind][name]

    def search(self, kind: str, groups: list[Json], when: datetime) -> list[Record]:
        """Find what the index knew at `when`: any group of which every filter holds."""
        found = []
        for record in self.records[kind].values():
            state = record.as_of(when)
            if state is not None and (not groups or any(_holds(g, state) for g in groups)):
                found.append(record)
        return found

    def unique(self, kind: str) -> set[str]:
        """Name the properties of which no two records share a value."""
        return {n for n, made in self.properties[kind].items() if made["hasUniqueValue"]}

    def _check(self, kind: str, values: Mapping[str, str]) -> None:
        known = self.properties[kind]
        wrong = [found for item in values.items() if (found := fault(known.get(item[0]), *item))]
        if wrong:
            words = "; ".join(message for _, _, message in wrong)
            raise Wrong("VALIDATION_ERROR", f"Property values were not valid: {words}", named=wrong)

    def _refuse_taken(self, kind: str, values: Mapping[str, str], record: Record | None) -> None:
        for name, value in values.items():
            holder = self.holders.get((kind, name, value))
            if holder is not None and (record is None or holder != record.id):
                text = f"{kind.capitalize()} already exists. Existing ID: {holder}"
                raise Wrong("CONFLICT", text, status=409)

    def _new(self, kind: str, now: datetime) -> Record:
        self._count += 1
        record = Record(str(self._count), kind, now)
        self.records[kind][record.id] = record
        return record

    def _keep(self, record: Record, values: Mapping[str, str], now: datetime) -> None:
        before = record.properties
        record.states.append((now, before | dict(values)))
        for name in values.keys() & self.unique(record.kind):
            self.holders.pop((record.kind, name, before.get(name, "")), None)
            self.holders[record.kind, name, values[name]] = record.id


def _holds(group: Mapping[str, Json], state: Mapping[str, str]) -> bool:
    return all(_passes(one, state) for one in group.get("filters", ()))


def _passes(one: Mapping[str, Json], state: Mapping[str, str]) -> bool:
    value, operator = state.get(one["propertyName"]), one["operator"]
    wanted = one.get("value")
    match operator:
        case "HAS_PROPERTY":
            return bool(value)
        case "NOT_HAS_PROPERTY":
            return not value
        case "EQ":
            return value == wanted
        case "NEQ":
            return value != wanted
        case "IN":
            return value in one.get("values", ())
        case "NOT_IN":
            return value not in one.get("values", ())
    raise Wrong("VALIDATION_ERROR", f"the sandbox knows no operator {operator}")
