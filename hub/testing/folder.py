"""A connector's folder as the suite sees it: its class, its fixtures, ready instances."""

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hub.discovery import discover
from hub.errors import SignatureError
from hub.model import Json, read_json
from hub.plugin import Connector, Http
from hub.secrets import Secret
from hub.testing.case import Mismatch, faults, known, need

NOW = 1_700_000_000.0
SETTINGS_KEYS = ("settings", "secrets", "window", "coverage", "proof")


class Folder:
    """One connector's folder; everything is read when first asked for."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).resolve()
        self.kind = self.path.name

    @cached_property
    def connector(self) -> type[Connector]:
        """Import the connector class.

        Raises:
            Mismatch: There is none of this folder's name.
        """
        try:
            found = discover(self.kind, [self.path.parent])
        except LookupError as error:
            raise Mismatch(
                f'__init__.py has no connector class with type = "{self.kind}", the folder\'s name'
            ) from error
        home = sys.modules[found.__module__].__file__ or ""
        need(self.path in Path(home).parents, f"type {self.kind} is taken by {home}")
        with suppress(
            Mismatch
        ):  # settings that cannot be read are told by the cases that need them
            return found.configured(self.kind, self._plain())
        return found

    @cached_property
    def package(self) -> str:
        """Name the package the folder was imported as."""
        module = self.connector.__module__
        return module[: module.index(f".{self.kind}") + len(self.kind) + 1]

    def sandbox(self) -> Any:
        """Import the folder's sandbox double."""
        return importlib.import_module(f"{self.package}.sandbox").Sandbox

    # -- fixtures --------------------------------------------------------------------------------
    def fixtures(self, where: str) -> Iterator[Path]:
        """List the JSON fixtures below a folder of `fixtures/`."""
        yield from sorted((self.path / "fixtures" / where).rglob("*.json"))

    def name(self, path: Path) -> str:
        """Name a fixture as error texts do."""
        return path.relative_to(self.path / "fixtures").as_posix()

    @cached_property
    def given(self) -> dict[str, Json]:
        """Read fixtures/settings.json."""
        given: dict[str, Json] = load(self.path / "fixtures" / "settings.json")
        known("settings.json", given, SETTINGS_KEYS)
        return given

    @property
    def secrets(self) -> list[Secret]:
        """Give the webhook secrets."""
        values = self.given.get("secrets", [])
        return [Secret(value, f"webhook-{i}") for i, value in enumerate(values)]

    @property
    def hidden(self) -> list[str]:
        """Give every secret text that must never be printed; short ones stand anywhere."""
        values = _revealed(_sealed(self._plain(), self.connector.Settings, ""))
        return [text for text in [*values, *self.given.get("secrets", [])] if len(text) >= 8]

    # -- instances -------------------------------------------------------------------------------
    def secret_fields(self) -> set[str]:
        """Name the settings that are secrets, by the names they are written with."""
        fields = self.connector.Settings.model_fields
        return {f.alias or n for n, f in fields.items() if _is_secret(f.annotation)}

    def settings(self, **changed: Json) -> Any:
        """Make the settings of the fixture, changed."""
        wrapped = _sealed(self._plain() | changed, self.connector.Settings, "")
        try:
            return self.connector.Settings(**wrapped)
        except ValidationError as error:
            text = f"the settings in settings.json do not fit the class: {faults(error)}"
            raise Mismatch(text) from error

    def make(self, http: Http | None = None, url: str = "", **changed: Json) -> Connector:
        """Make a connector, named as its folder."""
        return self.connector(self.kind, self.settings(**changed), http, url)

    def signs(self) -> bool:
        """Say whether the connector can sign with the fixture's first secret."""
        if not self.secrets:
            return False
        try:
            return bool(self.make().sign(b"{}", self.secrets[0], now=NOW))
        except SignatureError:
            return False

    def _plain(self) -> dict[str, Json]:
        plain: dict[str, Json] = self.given.get("settings", {})
        return plain


def load(path: Path) -> Any:
    """Read a JSON fixture.

    Raises:
        Mismatch: It is missing or no JSON.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        return read_json(path.read_bytes())
    except OSError as error:
        raise Mismatch(f"{name} is missing") from error
    except ValueError as error:
        raise Mismatch(f"{name} is no JSON{_spot(path)}") from error


def _spot(path: Path) -> str:
    """Say where a file stops being JSON, which the fast decoder does not."""
    try:
        json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        return f": line {error.lineno}: {error.msg}"
    except ValueError as error:
        return f": {error}"
    return ""


def _sealed(value: Json, hint: Any, name: str) -> Any:
    """Give settings with a Secret wherever their class has one, however deep."""
    if isinstance(value, str) and value and _is_secret(hint):
        return Secret(value, name)
    if not isinstance(value, dict):
        return value
    fields = {f.alias or n: f.annotation for m in _models(hint) for n, f in m.model_fields.items()}
    return {key: _sealed(inner, fields.get(key), key) for key, inner in value.items()}


def _revealed(value: Any) -> list[str]:
    """Give the text of every Secret in settings."""
    if isinstance(value, Secret):
        return [value.text()]
    inside = value.values() if isinstance(value, dict) else ()
    return [text for inner in inside for text in _revealed(inner)]


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for one in get_args(hint):
        yield from _models(one)


def _is_secret(hint: Any) -> bool:
    return hint is Secret or any(_is_secret(one) for one in get_args(hint))
