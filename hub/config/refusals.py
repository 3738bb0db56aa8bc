"""pydantic's refusals in the words of the error catalogue, each at the place it is about."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hub.config.references import Referred, unset
from hub.config.report import Report, dotted, suggest
from hub.nodes import Path, plain
from hub.nodes import nearest as find
from hub.secrets import Secret

SECRETIVE = ("connectors", "store")
EXAMPLES = {
    "version": "version: 1",
    "store": 'store: { encryption_keys: ["${env:HUB_KEY}"] }',
    "encryption_keys": 'encryption_keys: ["${env:HUB_KEY}"]',
    "type": "type: stripe",
    "do": "do: connector.action",
    "on": "on: shop.order.paid",
    "name": "name: order-receipt",
    "from": "from: shop.customers",
    "schema": "schema: schemas/my-event.json",
    "value": 'value: "${env:NAME}"',
    "time_zone": "time_zone: Europe/Berlin",
    "locale": "locale: de-DE",
    "currencies": "currencies: [EUR]",
}
PATTERNS = {
    r"^[a-z][a-z0-9_]{0,31}$": "wants lower-case letters, digits and _, at most 32",
    r"^[a-z][a-z0-9-]{0,62}$": "wants lower-case letters, digits and -, at most 63",
    r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$": "wants connector.action",
    r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]+$": "wants connector.source, such as shop.customers",
    r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$": "wants dotted words, such as loyalty.points_changed",
    r"^[A-Z]{3}$": "wants an ISO 4217 code, such as EUR",
    r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$": "wants a locale, such as de-DE",
    r"^https?://[^\s/]+(/[^\s?#]*)?$": "wants an https URL without a query",
}


def refused(report: Report, error: ValidationError, model: type[BaseModel], base: Path) -> None:
    """Note each of pydantic's errors as a fault; what hangs on a missing reference is left out.

    Args:
        model: The model that refused, for the names of its keys.
        base: The path of the value it refused.
    """
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        loc = detail["loc"][:-1] if detail["loc"][-1:] == ("[key]",) else detail["loc"]
        if not (hollow(report, base + loc) or _follows(detail, details)):
            _note(report, detail, model, base, loc)


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Say whether a list is only too short because pydantic left out the entries it refused."""
    loc = detail["loc"]
    inside = (d for d in details if d is not detail and d["loc"][: len(loc)] == loc)
    return detail["type"] == "too_short" and any(inside)


def hollow(report: Report, path: Path) -> bool:
    """Say whether the value at a path, or one inside it, is a reference with nothing behind it."""
    spot, found = find(report.tree, path)
    return found == path and any(unset(value) for value in _leaves(plain(spot.node)))


def _note(
    report: Report, detail: ErrorDetails, model: type[BaseModel], base: Path, loc: Path
) -> None:
    kind, where = detail["type"], base + loc
    owner = dotted(base + loc[:-1])
    if kind == "missing":
        name = str(loc[-1])
        text = f"{owner} needs '{name}'"
        report.at(where[:-1], "key.missing", text, EXAMPLES.get(name, f"{name}: …"))
    elif kind == "extra_forbidden":
        fix = suggest(str(loc[-1]), keys_of(model, loc[:-1]))
        if where[0] in SECRETIVE:
            report.hide(where)  # it may be a misspelt secret
        report.at(where, "key.unknown", f"{owner} has no key '{loc[-1]}'", fix, key=True)
    else:
        code, text, fix = _words(report, detail, where)
        is_key = bool(detail["loc"]) and detail["loc"][-1] == "[key]"
        report.at(where, code, f"{dotted(where)} {text}", fix, key=is_key)


def _words(report: Report, detail: ErrorDetails, where: Path) -> tuple[str, str, str]:
    """Give code, text and fix of a refused value; none of them repeats it."""
    kind, context = detail["type"], detail.get("ctx", {})
    if "." in kind:
        return kind, detail["msg"] + _got(report, kind, where), str(context.get("fix", ""))
    if kind in ("literal_error", "enum"):
        names = [name.strip("' ") for name in context["expected"].replace(" or ", ", ").split(",")]
        return "value.choice", f"must be one of {', '.join(names)}", _meant(report, where, names)
    if kind == "is_instance_of" and context.get("class") == Secret.__name__:
        return "value.type", "wants a reference", "${env:NAME} or ${file:/path}"
    if kind == "is_instance_of":  # the only other class that a setting is made of beforehand
        return "value.type", "wants an expression", '"{{ … }}"'
    return *_pydantics(kind, detail["msg"], context), ""


def _pydantics(kind: str, said: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """Say one of pydantic's own refusals our way."""
    if kind == "string_pattern_mismatch":
        return "value.type", PATTERNS.get(context["pattern"], "has not the form it must have")
    if kind in ("value_error", "assertion_error"):
        return "value.refused", said.partition(", ")[2]
    if kind == "too_short":
        return "value.range", f"wants {context['min_length']} or more"
    sort = "value.type" if kind.endswith(("_type", "_parsing", "_attributes")) else "value.range"
    words = said.replace("Input should be a valid", "wants a valid")
    return sort, words.replace("Input should be", "must be").replace("Input should", "must")


def _literal(report: Report, where: Path) -> Any:
    """Give a short value that was written in the file itself; None for all else."""
    spot, found = find(report.tree, where)
    value = plain(spot.node) if found == where else None
    shown = not isinstance(value, Referred | Secret) and len(str(value)) <= 40
    return value if shown and not isinstance(value, list | dict) else None


def _got(report: Report, kind: str, where: Path) -> str:
    value = _literal(report, where) if kind == "value.unit" else None
    return "" if value is None else f", got {value}"


def _meant(report: Report, where: Path, names: list[str]) -> str:
    found = suggest(str(_literal(report, where) or ""), names)
    return found if found.startswith("did you mean") else ""


def keys_of(model: type[BaseModel], loc: Path) -> list[str]:
    """Name the keys of the model that stands at a path below another; none if there is none."""
    hint: Any = model
    for step in loc:
        hint = next(_below(hint, step), None)
    found = next(models_in(hint), None)
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def models_in(hint: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation allows, without those in lists or mappings."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    elif getattr(hint, "__origin__", None) not in (list, tuple, dict, frozenset):
        for arm in get_args(hint):
            yield from models_in(arm)


def _below(hint: Any, step: str | int) -> Iterator[Any]:
    """Yield the annotations of what lies at a key or index of a value."""
    for model in models_in(hint):
        for name, field in model.model_fields.items():
            if step in (name, field.alias):
                yield field.annotation
    if isinstance(step, int):
        yield from get_args(hint)[:1]
    elif getattr(hint, "__origin__", None) is dict:
        yield from get_args(hint)[1:]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
