"""Connectors that a configuration no longer has, though jobs of theirs are still to be done."""

from collections.abc import Mapping

from hub.config import Config
from hub.errors import Fault
from hub.nodes import fault, nearest

SHOP = "shop"


def warnings(config: Config, live: Mapping[str, int]) -> list[Fault]:
    """Warn of each connector that is gone.

    Args:
        live: How many jobs each connector has that have not ended and are not dead.
    """
    gone = sorted(live.keys() - config.working().keys() - {SHOP})
    return [_warning(config, name, live[name]) for name in gone]


def _warning(config: Config, name: str, count: int) -> Fault:
    jobs = f"{count} live job{'' if count == 1 else 's'}"
    text = f"'{name}' is gone but has {jobs}; they are held"
    fix = "put it back, or hub jobs cancel --connector NAME"
    if config.written is None:
        return Fault(code="connector.in_use", text=text, fix=fix, warning=True)
    spot, _ = nearest(config.written, ("connectors",))
    return fault(spot.key or spot.node, "connector.in_use", text, fix=fix, warning=True)
