"""Every deliberate error of the hub; each tells the machine one thing to do.

    HubError
    ├── ConfigError          the hub does not start (a reload changes nothing); all faults
    ├── SignatureError       an inbound request is refused: 401, nothing stored
    ├── MappingError         a mapping could not make its target: a job dead at birth
    ├── NotStored            the store could not commit: 503, the sender tries again
    ├── Refused              a shop change is refused: rolled back to its savepoint, 4xx
    └── CallError            how an outbound call ended, when not well
        ├── Retry            surely not done, or safe to repeat: later, by the retry policy
        ├── RateLimited      the account's budget pauses; no attempt used
        ├── AuthFailed       the account is held, one alert; no attempt used
        ├── Reject           the provider said no: dead, with its field errors
        ├── Unwanted         the receiver wants no more: its account waits until it is enabled
        ├── Ambiguous        sent, answer unknown: by the action's effect, repeat or `uncertain`
        └── Skip             nothing to do: `skipped`, with the reason

A message names what happened, the connector and the key; never a payload or a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class HubError(Exception):
    """The root; catch it only at a rim (CLI, API, worker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a configuration or mapping file, where it is and how to mend it."""

    code: str
    text: str
    file: str = ""
    line: int = 0
    col: int = 0
    fix: str = ""
    source: str = ""
    warning: bool = False

    def __str__(self) -> str:
        """Print as `file:line:col: error[code] text`, the source line, a caret, `fix: …`."""
        kind = "warning" if self.warning else "error"
        place = f"{self.file}:{self.line}:{self.col}: " if self.line else f"{self.file}: "
        lines = [f"{place if self.file else ''}{kind}[{self.code}] {self.text}"]
        if self.source:
            lines += [f"    {self.source}", "    " + " " * max(self.col - 1, 0) + "^"]
        if self.fix:
            lines.append(f"    fix: {self.fix}")
        return "\n".join(lines)


class ConfigError(HubError):
    """The configuration cannot be used; `faults` lists every one of its faults."""

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = tuple(
            f if isinstance(f, Fault) else Fault(code="config", text=f) for f in faults
        )
        super().__init__("\n".join(str(f) for f in self.faults))


class SignatureError(HubError):
    """An inbound request carries no valid signature.

    Args:
        reason: missing, malformed, stale, early, mismatch, unsupported, too_many; or no_secret,
            where none is valid any more.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MappingError(HubError):
    """A mapping met data it cannot use; names fields and types, never values."""

    def __init__(
        self, code: str, text: str, *, file: str = "", line: int = 0, col: int = 0
    ) -> None:
        self.code, self.text, self.file, self.line, self.col = code, text, file, line, col
        place = f"{file}:{line}:{col}: " if line else ""
        super().__init__(f"{place}error[{code}] {text}")


class NotStored(HubError):
    """The store could not commit; nothing may be answered with a yes."""


class Refused(HubError):
    """A shop change the rules do not allow.

    Args:
        code: A problem type of the API's closed list, such as `out_of_stock`.
        detail: One sentence for a developer.
        extra: Members for the problem document, JSON-ready.
    """

    def __init__(self, code: str, detail: str = "", **extra: Any) -> None:
        self.code, self.detail, self.extra = code, detail, extra
        super().__init__(f"{code}: {detail}" if detail else code)


class CallError(HubError):
    """How an outbound call ended, when not well."""


class Retry(CallError):
    """Surely nothing was done, or repeating is safe; try later, never before `after` seconds."""

    def __init__(self, text: str = "", *, after: float | None = None) -> None:
        self.after = after
        super().__init__(text or "try again later")


class RateLimited(CallError):
    """The provider asks for a pause of `after` seconds; the whole account waits."""

    def __init__(self, text: str = "", *, after: float | None = None) -> None:
        self.after = after
        super().__init__(text or "rate limited")


class AuthFailed(CallError):
    """The provider refuses our credentials; the account is held.

    Args:
        status: What it answered, where it did: 401 knows no such key, 403 knows and forbids.
    """

    def __init__(self, text: str = "", *, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


class Unwanted(CallError):
    """The receiver wants nothing any more; what is for it waits until a person enables it."""


class Reject(CallError):
    """The provider refuses this call for good.

    Args:
        errors: Field name (or "") to the provider's own message.
        facts: Payment facts the refusal itself establishes, such as a declined attempt.
    """

    def __init__(
        self, text: str, *, errors: Mapping[str, str] | None = None, facts: Sequence[Any] = ()
    ) -> None:
        self.errors, self.facts = dict(errors or {}), tuple(facts)
        super().__init__(text)


class Ambiguous(CallError):
    """The request left, its outcome is unknown.

    Args:
        final: Repeating would only replay the same answer: park at once, whatever the effect.
    """

    def __init__(self, text: str = "", *, after: float | None = None, final: bool = False) -> None:
        self.after, self.final = after, final
        super().__init__(text or "outcome unknown")


class Skip(CallError):
    """There is nothing to do, and that is well."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
