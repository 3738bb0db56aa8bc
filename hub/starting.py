"""A configuration to start from: the shipped one, cut to the connectors that are wanted."""

import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from hub.discovery import discover
from hub.doubles import double_of
from hub.errors import HubError
from hub.plugin import Connector
from hub.secrets import Secret
from hub.shipped import SHIPPED
from store.crypto import new_key

USUAL = ("stripe", "hubspot", "sendgrid", "segment")
BY_HAND = ("http", "inbound", "webhook")
IGNORED = (".env", "var/", ".hub/")
ENV_HEAD = """\
# Read by the hub for ${env:NAME}; the environment itself wins. Keep it out of version control.
# All but HUB_KEY are stand-ins, good for the sandbox alone: put your own in their place.
"""
_BLOCK = re.compile(r"^  ([a-z][a-z0-9_]*):\n(?:(?:    .*)?\n)+", re.MULTILINE)
_ROUTE = re.compile(r"^(?:  #.*\n)*  - name: .*\n(?:    .*\n)*\n?", re.MULTILINE)
_DOES = re.compile(r"^    do: ([a-z0-9_]+)\.", re.MULTILINE)
_REFERENCE = re.compile(r"\$\{env:([A-Z0-9_]+)\}")
MAKE: Mapping[str, Callable[[], str]] = {
    "HUB_KEY": new_key,
    "STRIPE_API_KEY": lambda: "sk_test_" + secrets.token_hex(24),
}


def files(kinds: Iterable[str] = USUAL) -> dict[str, str]:
    """Write the files of a configuration with these connectors, by their paths.

    Raises:
        HubError: There is no such type, or it has nothing usual to begin with.
    """
    wanted = list(dict.fromkeys(kinds))
    classes = {kind: _class(kind) for kind in wanted}
    config = _config(classes)
    return {
        "config.yaml": config,
        "routes.d/routes.yaml": _routes(wanted),
        ".env": ENV_HEAD + _values(config, classes),
    }


def write(home: Path, made: Mapping[str, str]) -> list[Path]:
    """Write files, none over another; `.env` for its owner's eyes alone.

    Raises:
        HubError: One of them is there already; nothing was written.
    """
    paths = {home / name: text for name, text in made.items()}
    if there := [str(path) for path in paths if path.exists()]:
        raise HubError(f"{', '.join(there)} is there already: nothing was written")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if path.name == ".env" else 0o644
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
    (home / "mappings.d").mkdir(exist_ok=True)
    _ignore(home / ".gitignore")
    return list(paths)


def _ignore(path: Path) -> None:
    old = path.read_text("utf-8") if path.exists() else ""
    new = [line for line in IGNORED if line not in old.split()]
    if new:
        gap = "" if not old or old.endswith("\n") else "\n"
        path.write_text(old + gap + "\n".join(new) + "\n", "utf-8")


def _class(kind: str) -> type[Connector]:
    if kind in BY_HAND:
        raise HubError(f"type {kind} is set up by hand: see its README")
    try:
        return discover(kind)
    except LookupError as error:
        raise HubError(f"{error}") from error


def _config(classes: Mapping[str, type[Connector]]) -> str:
    text = (SHIPPED / "config.yaml").read_text("utf-8")
    head, _, tail = text.partition("connectors:\n")
    shipped = {found[1]: found[0].rstrip() for found in _BLOCK.finditer(tail + "\n")}
    blocks = [shipped.get(kind) or _block(kind, cls) for kind, cls in classes.items()]
    head = head.replace("config/routes.yaml #", "routes.d/*.yaml #")
    return f"{head}connectors:\n" + "\n\n".join(blocks) + "\n"


def _block(kind: str, cls: type[Connector]) -> str:
    """Write a connector that the shipped file does not have, out of what it needs."""
    lines = [f"  {kind}:", f"    type: {kind}", "    settings:"]
    for name, field in cls.Settings.model_fields.items():
        if not field.is_required():
            continue
        secret = field.annotation is Secret
        value = f"${{env:{kind.upper()}_{name.upper()}}}" if secret else "change-me"
        lines.append(f'      {field.alias or name}: "{value}"')
    if lines[-1].endswith("settings:"):
        lines.pop()
    if cls.takes_webhooks():
        lines += ["    webhooks:", f'      secrets: ["${{env:{kind.upper()}_WEBHOOK_SECRET}}"]']
    return "\n".join(lines)


def _routes(kinds: Iterable[str]) -> str:
    """Keep the shipped routes whose connectors are there."""
    text = (SHIPPED / "config" / "routes.yaml").read_text("utf-8")
    head, _, tail = text.partition("routes:\n")
    head = head.replace("mappings/library", "the hub's own library")
    kept = [
        found[0].rstrip()
        for found in _ROUTE.finditer(tail)
        if (does := _DOES.search(found[0])) and does[1] in kinds
    ]
    return f"{head}routes:" + ("\n" + "\n\n".join(kept) if kept else " []") + "\n"


def _values(config: str, classes: Mapping[str, type[Connector]]) -> str:
    """Make a value for each reference that has no default."""
    make = dict(MAKE)
    for kind, cls in classes.items():
        if cls.takes_webhooks():
            for name in (f"{kind.upper()}_WEBHOOK_SECRET", f"{kind.upper()}_WEBHOOK_KEY"):
                make[name] = partial(_webhook_key, cls)
    said = "\n".join(line for line in config.splitlines() if not line.startswith("#"))
    names = dict.fromkeys(_REFERENCE.findall(said))
    return "".join(f"{name}={make.get(name, _token)()}\n" for name in names)


def _webhook_key(cls: type[Connector]) -> str:
    return double_of(cls).new_keys()[1].text()


def _token() -> str:
    return "sandbox-" + secrets.token_urlsafe(24)
