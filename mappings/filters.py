"""Filters and tests: pure functions from values to values; the first argument is what they change.

No regular expressions, no clock, no randomness, no secrets. What a filter may cost is counted
around it (`guards.apply`); one that makes more than it reads counts before it builds.
"""

import hashlib
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote

from hub.model import Json, write_json
from mappings import money, numbers, times
from mappings.guards import default, required
from mappings.values import (
    MAX_TEXT,
    Absent,
    Stop,
    a_list,
    a_text,
    an_int,
    an_object,
    kind,
    same,
    unfolded,
    written,
)


# -- text --------------------------------------------------------------------------------------
def lower(value: Json) -> str:
    """`lower`: small letters."""
    return a_text(value).lower()


def upper(value: Json) -> str:
    """`upper`: capital letters."""
    return a_text(value).upper()


def trim(value: Json) -> str:
    """`trim`: without white space at either end."""
    return a_text(value).strip()


def replace(value: Json, old: Json, new: Json) -> str:
    """`replace`: every occurrence of a text."""
    text, old, new = a_text(value), a_text(old), a_text(new)
    if not old:
        raise Stop("mapping.text", "{path}: 'replace' wants a text to look for, found an empty one")
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise _too_long()
    return text.replace(old, new)


def truncate(value: Json, n: Json, end: Json = "…") -> str:
    """`truncate`: at most n characters, the end sign among them."""
    text, length, end = a_text(value), an_int(n), a_text(end)
    if length < len(end):
        raise Stop("mapping.number", "{path}: 'truncate' wants room for its end sign")
    return text if len(text) <= length else text[: length - len(end)] + end


def split(value: Json, sep: Json) -> list[str]:
    """`split`: the parts between a separator."""
    if not a_text(sep):
        raise Stop("mapping.text", "{path}: 'split' wants a separator, found an empty one")
    return a_text(value).split(sep)


def slug(value: Json) -> str:
    """`slug`: small ASCII letters, digits and single hyphens.

    >>> slug("Café & Crème, 2")
    'cafe-creme-2'
    """
    plain = unicodedata.normalize("NFKD", a_text(value)).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split())


def to_json(value: Json) -> str:
    """`json`: compact JSON as text."""
    return write_json(_unfolded(value)).decode()


def _unfolded(value: Json) -> Json:
    if type(value) is dict:
        return {key: _unfolded(item) for key, item in value.items()}
    if type(value) is list:
        return [_unfolded(item) for item in value]
    return unfolded(value) if type(value) is Decimal else value


def urlencode(value: Json) -> str:
    """`urlencode`: percent-encoded, `/` too."""
    return quote(written(value), safe="")


def sha256(value: Json) -> str:
    """`sha256`: the hash of the text's UTF-8, in hex."""
    return hashlib.sha256(a_text(value).encode()).hexdigest()


def _too_long() -> Stop:
    return Stop("mapping.large", f"{{path}} gives a text of more than {MAX_TEXT} characters")


# -- lists and objects -------------------------------------------------------------------------
def join(value: Json, sep: Json = "") -> str:
    """`join`: the items as one text."""
    texts, between = [written(item) for item in a_list(value)], a_text(sep)
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT:
        raise _too_long()
    return between.join(texts)


def length(value: Json) -> int:
    """`length`: of a text, list or object."""
    if type(value) in (str, list, dict):
        return len(value)
    raise Stop(
        "mapping.kind", f"{{path}}: 'length' wants string, list or object, found {kind(value)}"
    )


def first(value: Json) -> Json:
    """`first`: the first item; of an empty list it is missing."""
    return _end(value, 0)


def last(value: Json) -> Json:
    """`last`: the last item; of an empty list it is missing."""
    return _end(value, -1)


def _end(value: Json, index: int) -> Json:
    if a_list(value):
        return value[index]
    raise Absent("mapping.missing", "{path} is of an empty list")


def unique(value: Json) -> list[Json]:
    """`unique`: each value once, in the order of its first."""
    seen: dict[Json, Json] = {}
    for item in a_list(value):
        seen.setdefault(_identity(item), item)
    return list(seen.values())


def _identity(item: Json) -> Json:
    if type(item) in (list, dict):
        return kind(item), _canonical(item)
    return type(item) is bool, item


def _canonical(item: Json) -> Json:
    if type(item) is dict:
        return frozenset((key, _identity(value)) for key, value in item.items())
    return tuple(_identity(value) for value in item)


def compact(value: Json) -> list[Json]:
    """`compact`: without null and empty texts."""
    return [item for item in a_list(value) if item is not None and item != ""]


def _field(item: Json, field: str) -> Json:
    found = an_object(item)
    if field in found:
        return found[field]
    raise Absent("mapping.missing", f"{{path}}: an item has no field '{field}'")


def map_field(value: Json, field: Json) -> list[Json]:
    """`map`: one field of every item."""
    name = a_text(field)
    return [_field(item, name) for item in a_list(value)]


def where(value: Json, field: Json, wanted: Json) -> list[Json]:
    """`where`: the items whose field has a value."""
    name = a_text(field)
    return [item for item in a_list(value) if same(_field(item, name), wanted)]


def total(value: Json, field: Json = None) -> Json:
    """`sum`: of numbers, or of Money of one currency; 0 of nothing."""
    items = a_list(value) if field is None else map_field(value, field)
    if items and all(money.is_money(item) for item in items):
        codes = {item["currency"] for item in items}
        if len(codes) > 1:
            raise Stop("mapping.kind", "{path}: 'sum' adds Money of one currency")
        return {"amount": _added([item["amount"] for item in items]), "currency": codes.pop()}
    return _added(items)


def _added(items: list[Json]) -> Json:
    result: Json = 0
    for item in items:
        result = numbers.add(result, item)
    return result


def sort(value: Json, field: Json = None) -> list[Json]:
    """`sort`: numbers or texts upwards; items of one rank keep their order."""
    items = a_list(value)
    keys = items if field is None else map_field(items, field)
    kinds = {"number" if kind(key) in ("int", "decimal") else kind(key) for key in keys}
    if kinds - {"number"} and kinds - {"string"}:
        raise Stop("mapping.kind", "{path}: 'sort' wants only numbers or only texts, found "
                   f"{', '.join(sorted(kinds))}")  # fmt: skip
    return [items[index] for index in sorted(range(len(items)), key=keys.__getitem__)]


def pick(value: Json, *names: Json) -> dict[str, Json]:
    """`pick`: an object of these fields alone; each must be there."""
    return {a_text(name): _field(value, name) for name in names}


def drop(value: Json, *names: Json) -> dict[str, Json]:
    """`drop`: an object without these fields."""
    gone = {a_text(name) for name in names}
    return {key: item for key, item in an_object(value).items() if key not in gone}


def _is(*kinds: str) -> Callable[[Json], bool]:
    return lambda value: kind(value) in kinds


FILTERS: MappingProxyType[str, Callable[..., Json]] = MappingProxyType({
    "lower": lower, "upper": upper, "trim": trim, "string": written, "replace": replace,
    "truncate": truncate, "split": split, "slug": slug, "json": to_json, "urlencode": urlencode,
    "join": join, "length": length, "first": first, "last": last, "unique": unique,
    "compact": compact, "map": map_field, "where": where, "sum": total, "sort": sort,
    "pick": pick, "drop": drop,
    "int": numbers.to_int, "decimal": numbers.to_decimal, "abs": numbers.absolute,
    "round": numbers.rounded,
    "money": money.money, "major": money.major, "minor": money.minor,
    "currency": money.currency_of, "format_money": money.format_money,
    "iso": times.iso, "epoch": times.epoch, "epoch_ms": times.epoch_ms,
    "epoch_us": times.epoch_us, "date": times.date, "format_date": times.format_date,
    "sha256": sha256, "default": default, "required": required,
})  # fmt: skip
COSTS = {
    **dict.fromkeys(("length", "first", "last", "money", "major", "minor", "currency"), "one"),
    **dict.fromkeys(("json", "unique", "where"), "all"),
    **dict.fromkeys(("format_money", "format_date"), "babel"),
}
"""How guards.apply counts a filter that does not read its value once, from end to end."""

TESTS: MappingProxyType[str, Callable[[Json], bool]] = MappingProxyType({
    "defined": lambda _: True, "none": _is("null"), "string": _is("string"),
    "number": _is("int", "decimal"), "boolean": _is("bool"), "list": _is("list"),
    "object": _is("object"),
})  # fmt: skip
