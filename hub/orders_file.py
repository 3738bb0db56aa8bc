"""Files of orders made elsewhere: JSON lines as `POST /v1/orders` takes them, or CSV. Pure.

In CSV each row is one line of an order, those of one `external_ref` one below the other; amounts
are in minor units. What cannot be read is told with its line, and stops nothing else.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from hub.model import Json, read_json
from hub.shop.orders import NewOrder

PERSON = ("email", "first_name", "last_name", "phone", "locale")
PLACE = ("name", "company", "street", "street2", "zip", "city", "region", "country")
LINE = ("sku", "title", "qty", "unit_price", "discount", "tax")
ORDER = (
    "external_ref", "number", "currency", "placed_at", "shipping", "total", "prices_include_tax",
    "connector", "provider_ref", "paid",
)  # fmt: skip
COLUMNS = (*ORDER, *PERSON, *PLACE, *LINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One order of a file, or why it is none.

    Args:
        line: Where it begins, from 1.
        size: How many characters of the file it took.
    """

    line: int
    order: NewOrder | None = None
    fault: str | None = None
    size: int = 0


def json_lines(lines: Iterable[str]) -> Iterator[Read]:
    """Read JSON lines; empty ones are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            body = read_json(line.encode())
        except ValueError:
            yield Read(line=number, fault="is no JSON", size=len(line))
        else:
            yield _read(number, body, len(line))


def table(lines: Iterable[str]) -> Iterator[Read]:
    """Read CSV with a header."""
    reader = csv.DictReader(lines)
    if wrong := set(reader.fieldnames or ()) - set(COLUMNS):
        yield Read(line=1, fault=f"has no column {', '.join(sorted(map(str, wrong)))}")
        return
    numbered = ((reader.line_num, row) for row in reader)
    for _, rows in groupby(numbered, key=lambda pair: pair[1].get("external_ref")):
        found = list(rows)
        size = sum(len(str(value)) + 1 for _, row in found for value in row.values())
        try:
            body = _body([row for _, row in found])
        except ValueError as error:
            yield Read(line=found[0][0], fault=str(error), size=size)
        else:
            yield _read(found[0][0], body, size)


def _read(line: int, body: Json, size: int) -> Read:
    if isinstance(body, dict):
        body = {"origin": "import"} | body
    try:
        return Read(line=line, order=NewOrder.model_validate(body), size=size)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = [f"{'/'.join(str(p) for p in f['loc'])}: {f['msg']}" for f in faults[:3]]
        return Read(line=line, fault="; ".join(told), size=size)


def _body(rows: list[Mapping[str, Any]]) -> Json:
    """Make an order of its rows; what is the whole order's stands in the first."""
    head = {name: value for name, value in rows[0].items() if value not in (None, "")}
    if None in head:
        raise ValueError("has more values than columns")
    currency = head.get("currency", "")
    body: dict[str, Json] = {
        name: head[name] for name in ("external_ref", "number", "currency") if name in head
    }
    body |= {"placed_at": head["placed_at"]} if "placed_at" in head else {}
    for name in ("shipping", "total"):
        if name in head:
            body[name] = _money(head[name], currency, name)
    if "prices_include_tax" in head:
        body["prices_include_tax"] = head["prices_include_tax"].lower() in ("1", "true", "yes")
    body["customer"] = {name: head[name] for name in PERSON if name in head}
    if place := {name: head[name] for name in PLACE if name in head}:
        body["shipping_address"] = place
    if "paid" in head:
        paid = _money(head["paid"], currency, "paid")
        about = {name: head.get(name, "") for name in ("connector", "provider_ref")}
        body["payments"] = [about | {"amount": paid}]
    body["lines"] = [_line(row, currency) for row in rows]
    return body


def _line(row: Mapping[str, Any], currency: str) -> Json:
    line: dict[str, Json] = {name: row[name] for name in ("sku", "title") if row.get(name)}
    line.setdefault("title", line.get("sku"))
    line["qty"] = _number(row.get("qty") or "1", "qty")
    for name in ("unit_price", "discount", "tax"):
        if row.get(name):
            line[name] = _money(row[name], currency, name)
    return line


def _money(text: str, currency: str, name: str) -> Json:
    return {"amount": _number(text, name), "currency": currency}


def _number(text: str, name: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit():
        raise ValueError(f"{name}: wants a whole number (amounts in minor units)")
    return int(text)
