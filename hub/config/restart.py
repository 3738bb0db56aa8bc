"""What a reload cannot change: the process was made with it."""

from dataclasses import replace
from typing import Any

from hub.config.loading import Config
from hub.config.report import dotted
from hub.errors import ConfigError, Fault
from hub.nodes import Path, fault, nearest

FIXED: tuple[Path, ...] = (
    ("service", "listen"),
    ("service", "reuse_port"),
    ("service", "lease"),
    ("service", "shutdown_delay"),
    ("service", "shutdown_grace"),
    ("service", "reload"),
    ("outbound",),
    *(("service", "limits", name) for name in ("body", "read_within", "connections", "refusals")),
    ("store", "url"),
    ("store", "pool"),
    ("store", "encryption_keys"),
)


def refuse(old: Config, new: Config) -> None:
    """Raise where a configuration differs in what the process was made with.

    Raises:
        ConfigError: reload.restart, at every such key.
    """
    found = [path for path in FIXED if _value(old, path) != _value(new, path)]
    if found:
        raise ConfigError(*(_told(new, path) for path in found))


def _value(config: Config, path: Path) -> Any:
    value: Any = config
    for step in path:
        value = getattr(value, str(step))
    return value


def _told(new: Config, path: Path) -> Fault:
    path = ("service", "outbound") if path == ("outbound",) else path
    text, fix = f"{dotted(path)} needs a restart", "restart the hub, or put it back"
    if new.written is None:
        return Fault(code="reload.restart", text=text, fix=fix)
    spot, _ = nearest(new.written, path)
    # No source line: keys of the store may stand on it.
    return replace(fault(spot.key or spot.node, "reload.restart", text, fix=fix), source="")
