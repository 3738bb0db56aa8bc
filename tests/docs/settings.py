"""The keys of config.yaml as a table: made of their models; the meanings are kept as written."""

from collections.abc import Iterator
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from hub.ceiling import PER_RECIPIENT
from hub.circuit import Breaker
from hub.config import units
from hub.config.instances import CONNECT, TOTAL
from hub.config.part import Part
from hub.config.settings import Defaults, Whole
from hub.retry import Policy
from hub.secrets import Secret

POLICY, BREAKER = Policy(), Breaker()
BUILT_IN: dict[str, Any] = {
    "defaults.retry.max_age": POLICY.max_age,
    "defaults.retry.max_attempts": POLICY.max_attempts,
    "defaults.retry.backoff.initial": timedelta(seconds=POLICY.initial),
    "defaults.retry.backoff.factor": int(POLICY.factor),
    "defaults.retry.backoff.max": timedelta(seconds=POLICY.max_wait),
    "defaults.retry.backoff.jitter": POLICY.jitter,
    "defaults.breaker.failures": BREAKER.failures,
    "defaults.breaker.within": BREAKER.within,
    "defaults.breaker.open_for": BREAKER.open_for,
    "defaults.breaker.probes": BREAKER.probes,
    "defaults.ceiling.per_hour": "computed",
    "defaults.ceiling.per_recipient": PER_RECIPIENT,
    "defaults.timeout.connect": CONNECT,
    "defaults.timeout.total": TOTAL,
}
READERS = {
    units.duration: "duration",
    units.size: "size",
    units.whole: "whole number",
    units.number: "number",
    units.percent: "percentage",
    units.address: "host:port",
    units.time_zone: "time zone",
    units.network: "network",
    units.day: "date",
}
PLAIN = {bool: "true or false", str: "text", int: "whole number", Secret: "reference"}
INHERITED = "inherited"


class Key(NamedTuple):
    """One row: the key's path, what it takes, what it is where nobody writes it."""

    path: str
    takes: str
    default: str


def table(old: str) -> str:
    """Write the table anew; a new key gets an empty meaning, which a test refuses."""
    means = meanings(old)
    rows = ["| key | takes | default | means |", "|---|---|---|---|"]
    rows += [
        f"| `{k.path}` | {k.takes} | {k.default} | {means.get(k.path, '')} |" for k in every_key()
    ]
    return "\n".join(rows)


def meanings(old: str) -> dict[str, str]:
    """Read what a person has written in the last column, by key."""
    rows = [line.strip("| ").split(" | ", 3) for line in old.splitlines() if line.startswith("| `")]
    return {row[0].strip("` "): row[3].strip("| ") for row in rows if len(row) == 4}


def every_key() -> list[Key]:
    """Give every key of config.yaml; a part met before is referred to."""
    return list(_keys(Whole, "", {}))


def _keys(model: type[BaseModel], prefix: str, met: dict[Any, str]) -> Iterator[Key]:
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        inner, shape = _inside(hints[name])
        if inner is None:
            takes = _takes(hints[name])
            yield Key(path, takes, _default(path, field, takes))
        elif inner in met:
            yield Key(path, f"as `{met[inner]}`", INHERITED)
        else:
            if shape != ".<name>":  # two kinds of named things are never one
                met[inner] = path
            yield from _keys(inner, f"{path}{shape}.", met)


def _inside(hint: Any) -> tuple[type[BaseModel] | None, str]:
    """Find the part behind a hint, and how a path goes on to it."""
    hint = _bare(hint)
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint, ""
    for shape, kind, which in ((".<name>", dict, 1), ("[]", tuple, 0)):
        if get_origin(hint) is kind:
            one = _bare(get_args(hint)[which])
            return (one, shape) if isinstance(one, type) and issubclass(one, Part) else (None, "")
    return None, ""


def _bare(hint: Any) -> Any:
    """Take `| None` and Annotated off."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        some = [arg for arg in get_args(hint) if arg is not type(None)]
        return _bare(some[0]) if len(some) == 1 else some[0]
    return hint


def _takes(hint: Any) -> str:
    readers = [READERS[m.func] for m in _metadata(hint) if getattr(m, "func", None) in READERS]
    bare = _bare(hint)
    if readers:
        return readers[0]
    if get_origin(bare) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(bare))
    if get_origin(bare) in (tuple, frozenset):
        return f"list of {_takes(get_args(bare)[0])}"
    return "keys and values" if get_origin(bare) is dict else PLAIN[bare]


def _metadata(hint: Any) -> list[Any]:
    if get_origin(hint) is Annotated:
        first, *rest = get_args(hint)
        return [*_metadata(first), *(m for m in rest if isinstance(m, BeforeValidator))]
    if get_origin(hint) in (Union, UnionType):
        return [m for arg in get_args(hint) for m in _metadata(arg)]
    return []


def _default(path: str, field: FieldInfo, takes: str) -> str:
    if field.is_required():
        return "**required**"
    value = BUILT_IN.get(path, field.get_default(call_default_factory=True))
    if value is None:
        inherits = path.rpartition(".")[2] in Defaults.model_fields
        return INHERITED if inherits else "none"
    if takes == READERS[units.size]:
        return f"`{_whole(value, units.BYTES)}`"
    return f"`{_text(value)}`" if value not in ((), {}) else "none"


def _text(value: Any) -> str:
    if isinstance(value, timedelta):
        return _whole(value.total_seconds(), {u: float(n) for u, n in units.SECONDS.items()})
    if isinstance(value, units.Address):
        return f"{value.host}:{value.port}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):  # the only ones are percentages
        return f"{value:.0%}"
    if isinstance(value, tuple | frozenset):
        return f"[{', '.join(sorted(value))}]"
    return str(value)


def _whole(amount: float, known: dict[str, Any]) -> str:
    """Write an amount in the largest unit of which it is a whole number."""
    unit = max((u for u, n in known.items() if amount % n == 0), key=lambda u: known[u])
    return f"{amount / known[unit]:g}{unit}"
