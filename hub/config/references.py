"""References: `${env:NAME}`, its default and option, `${file:/path}`, `${vault:path#field}`.

They stand in text values only, never inside `{{ }}`, and what they give is never parsed again.
A Secret takes a whole reference only, and prints as its name.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hub.config.vault import REFERENCE as VAULT
from hub.config.vault import Vault, VaultError
from hub.errors import Fault, HubError
from hub.secrets import Secret

MAX_FILE = 1 << 20
FORMS = "${env:NAME}, ${env:NAME:-text}, ${env:NAME?}, ${file:/path}, ${vault:path#field}"
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(\?|:-(.*))?", re.DOTALL)
_IN_BRACES = re.compile(r"\{\{(?:(?!\}\}).)*\$\{", re.DOTALL)


class Referred(str):
    """A text that came out of references.

    Args:
        name: What it is called where it may not be shown.
        whole: The value is one reference and nothing else, as a Secret wants it.
        missing: There is nothing behind it; the text is empty, and the fault was told.
    """

    __slots__ = ("missing", "name", "whole")
    name: str
    whole: bool
    missing: bool


class Unset(Secret):
    """A Secret behind whose reference there is nothing; the fault was told."""

    __slots__ = ()


class Absent:
    """The value of an optional reference behind which there is nothing: its key is left out."""


ABSENT = Absent()


class BadReference(HubError):
    """A reference that cannot be resolved; its fault has no place yet."""

    def __init__(self, code: str, text: str, fix: str = "") -> None:
        self.fault = Fault(code=code, text=text, fix=fix)
        super().__init__(text)


class References:
    """Resolves references against an environment and the folders that may be read.

    Args:
        roots: `${file:}` reads only below these, links resolved.
        vault: What `${vault:}` reads; None: nobody has said where it is.
    """

    def __init__(
        self, env: Mapping[str, str], roots: Iterable[str] = (), vault: Vault | None = None
    ) -> None:
        self._env, self._vault = env, vault
        self._roots = [Path(root).resolve() for root in roots]

    def resolve(self, text: str) -> str | Absent:
        """Give the text with its references replaced; ABSENT where an optional one is unset.

        Raises:
            BadReference: ref.syntax, ref.place, env.missing, file.outside or file.missing.
        """
        if "${" not in text:
            return text
        if _IN_BRACES.search(text):
            fix = "put it in the connector's settings"
            raise BadReference("ref.place", "references are not allowed inside {{ }}", fix)
        parts: list[str] = []
        names: list[str] = []
        last = 0
        for found in _REFERENCE.finditer(text):
            parts.append(text[last : found.start()])
            last = found.end()
            if found[0] == "$${":
                parts.append("${")
                continue
            name, value = self._one(found[1])
            if isinstance(value, Absent):
                return value
            names.append(name)
            parts.append(value)
        joined = "".join([*parts, text[last:]])
        if not names:
            return joined
        return referred(joined, names[0], whole=bool(_REFERENCE.fullmatch(text)))

    def _one(self, body: str | None) -> tuple[str, str | Absent]:
        kind, _, rest = (body or "").partition(":")
        if kind == "file" and rest.startswith("/"):
            return rest, self._file(rest)
        if kind == "vault" and (named := VAULT.fullmatch(rest)):
            return rest, self._from_vault(named[1], named[2])
        if found := _ENV.fullmatch(body or ""):
            return found[1], self._variable(found[1], found[2], found[3])
        text = f"${{{body or ''}}} is not a reference" if body else "'${' opens no reference"
        raise BadReference("ref.syntax", text, FORMS)

    def _from_vault(self, path: str, name: str) -> str:
        if self._vault is None:
            text = f"${{vault:{path}#{name}}}: there is no secrets.vault"
            raise BadReference("vault.failed", text, "vault: { address: https://…, auth: { … } }")
        try:
            return self._vault.value(path, name)
        except VaultError as error:
            raise BadReference("vault.failed", f"${{vault:{path}#{name}}}: {error}") from error

    def _variable(self, name: str, mark: str | None, default: str | None) -> str | Absent:
        if value := self._env.get(name):
            return value
        if mark is None:
            fix = f"export it, or write ${{env:{name}?}} if it may be absent"
            raise BadReference("env.missing", f"${{env:{name}}} is not set", fix)
        return ABSENT if default is None else default

    def _file(self, name: str) -> str:
        try:
            path = Path(name).resolve()
        except (OSError, ValueError, RuntimeError):  # a NUL in it, or links in a circle
            raise BadReference("file.missing", "the path in ${file:…} is none") from None
        if not any(path.is_relative_to(root) for root in self._roots):
            roots = ", ".join(map(str, self._roots)) or "none"
            text = f"${{file:{name}}} is outside secrets.file_roots ({roots})"
            raise BadReference("file.outside", text, "move it, or add the root")
        try:
            with path.open("rb") as file:
                value = file.read(MAX_FILE + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise BadReference("file.missing", f"${{file:{name}}} cannot be read: {why}") from error
        if len(value) > MAX_FILE:
            raise BadReference("file.missing", f"${{file:{name}}} is larger than 1 MiB")
        return value.removesuffix("\n").removesuffix("\r")


def referred(text: str, name: str, *, whole: bool, missing: bool = False) -> Referred:
    """Mark a text as come out of a reference."""
    value = Referred(text)
    value.name, value.whole, value.missing = name, whole, missing
    return value


def unset(value: object) -> bool:
    """Say whether a value is a reference behind which there is nothing."""
    return isinstance(value, Unset) or (isinstance(value, Referred) and value.missing)


def raw_name(text: str) -> str:
    """Name the first reference in a text that could not be resolved."""
    found = re.search(r"\$\{(?:env|file|vault):([^{}?:]*)", text)
    return found[1] if found else "?"


def is_whole(text: str) -> bool:
    """Say whether a text is one reference and nothing else."""
    return bool(_REFERENCE.fullmatch(text)) and not text.startswith("$$")
