"""What repeating does, action by action: tables made of the connectors' own declarations."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from pathlib import Path

from hub.discovery import discover, homes
from hub.effects import Effect
from hub.plugin import ActionSpec, Connector
from hub.retry import KEY_MARGIN
from hub.shop.backend import Shop
from hub.shop.rules import ShopRules

SHIPPED = Path(__file__).resolve().parents[2] / "connectors"
BUILT_IN = "webhook"  # of the types that are no provider's, the one with actions of its own
NEVER = "cannot be: a transaction"
ENDS = {
    "keyed": "exactly once",
    "upsert": "exactly once, as an end state",
    "deduped": "once, as well as the provider drops repeats",
    "unsafe": "at most once",
    "read": "none: it only reads",
}
Action = tuple[type[Connector], ActionSpec]


def actions() -> Iterator[Action]:
    """Give every action of every shipped connector, by name; our own webhooks last."""
    shipped = [kind for kind, home in sorted(homes().items()) if home.parent == SHIPPED]
    for kind in (*shipped, BUILT_IN):
        cls = discover(kind)
        yield from ((cls, spec) for _, spec in sorted(cls.actions().items()))


def short(_: str = "") -> str:
    """Make the README's table: one row for all actions of a connector that repeat alike."""
    rows = ["| actions | effect | where the outcome is unknown |", "|---|---|---|"]
    alike = sorted(actions(), key=_alike)
    for (kind, effect, after), some in groupby(alike, key=_alike):
        names = ", ".join(f"`{spec.name}`" for _, spec in some)
        rows.append(f"| **{kind}** {names} | {effect} | {after} |")
    names = ", ".join(f"`{name}`" for name in sorted(Shop(ShopRules()).actions))
    return "\n".join([*rows, f"| **shop** {names} | exactly once | {NEVER} |"])


def full(_: str = "") -> str:
    """Make the guarantees' table: one row for each action."""
    rows = [
        "| action | declared | effect at the provider | where the outcome is unknown |",
        "|---|---|---|---|",
    ]
    for one in actions():
        cls, spec = one
        by = f" by `{spec.effect.by}`" if spec.effect.by else ""
        effect = f"{_declared(spec.effect)}{by} | {ENDS[spec.effect.kind]}"
        rows.append(f"| `{cls.type}.{spec.name}` | {effect} | {unknown(one)} |")
    return "\n".join([*rows, f"| `shop.*` | transaction | exactly once | {NEVER} |"])


def unknown(action: Action) -> str:
    """Say what follows when a call was sent and its answer is not known."""
    cls, spec = action
    until = _hours(spec.effect.window - KEY_MARGIN) if spec.effect.window else ""
    who = ["a look-up"] if spec.lookup else []
    who += ["the provider's signed event"] if cls.takes_webhooks() else []
    told = " or ".join(filter(None, (", ".join(who), "a person")))
    parked = f"`uncertain` until {told} settles it"
    match spec.effect.kind:
        case "keyed":
            return f"sent again under its key for {until}; then {parked}"
        case "upsert":
            return "sent again: the same end state"
        case "deduped":
            return f"sent again under its id for {until}; then dead"
        case "unsafe":
            return f"not sent again; {parked}"
        case "read":
            return "asked again"


def _alike(action: Action) -> tuple[str, str, str]:
    cls, spec = action
    return cls.type, _declared(spec.effect), unknown(action)


def _declared(effect: Effect) -> str:
    return f"{effect.kind}, {_hours(effect.window)}" if effect.window else effect.kind


def _hours(window: timedelta) -> str:
    days, rest = divmod(window, timedelta(days=1))
    if days < 2:
        return f"{window / timedelta(hours=1):g} h"
    return f"{days} days" + (f" {rest / timedelta(hours=1):g} h" if rest else "")
