"""A connector's webhook address: which secrets are valid now, and whether one lets a request in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.config.instances import WebhookSecret
from hub.errors import Retry, SignatureError
from hub.model import Request
from hub.plugin import Connector
from hub.secrets import Secret


@dataclass(frozen=True, slots=True)
class Door:
    """One connector's webhook address.

    Args:
        events: Wanted types without the connector's name; empty means all.
        tolerance: Seconds a signed time may be off, narrower than the scheme's own window.
        held: Secrets of endpoints that the hub itself made, accepted beside the configured ones.
    """

    connector: Connector
    secrets: Sequence[WebhookSecret]
    events: frozenset[str] = frozenset()
    tolerance: float | None = None
    held: Sequence[WebhookSecret] = ()

    @property
    def name(self) -> str:
        """Give the last word of the address."""
        return self.connector.name

    @property
    def covered(self) -> bool:
        """Say whether the signature covers all that is used; else only ids are believed."""
        signing = self.connector.signature
        return signing is not None and signing.covers == "body"

    def needs(self, request: Request, now: datetime) -> str | None:
        """Give the path of what the check needs beside the request; None where it needs nothing.

        Raises:
            SignatureError: It is refused whatever is read there.
        """
        if all(expired(secret, now) for secret in self.secrets):
            return None
        return self.connector.needs(request, now=now.timestamp())

    def admit(self, request: Request, now: datetime) -> str:
        """Try every secret valid now; give the name of the one that passed.

        Raises:
            SignatureError: None did.
            Retry: One might, once what it needs is fetched.
        """
        refused: SignatureError | Retry = SignatureError("no_secret")
        for secret in (*self.secrets, *self.held):
            if expired(secret, now):
                continue
            try:
                self.verify(request, secret.value, now.timestamp())
            except Retry as error:
                refused = error
            except SignatureError as error:
                refused = refused if isinstance(refused, Retry) else error
            else:
                return secret.value.name
        raise refused

    def verify(self, request: Request, secret: Secret, now: float) -> None:
        """Raise unless this secret signed the request, within the tolerance.

        A clock moved by what the tolerance leaves of the window meets the same bound in the
        scheme, whatever it signs and wherever its time stands.
        """
        for clock in self._clocks(now):
            self.connector.verify(request, secret, now=clock)

    def _clocks(self, now: float) -> Iterator[float]:
        yield now
        signing = self.connector.signature
        if self.tolerance is not None and signing is not None and signing.window is not None:
            past, future = signing.window
            yield now + max(0.0, past - self.tolerance)
            yield now - max(0.0, future - self.tolerance)


def expired(secret: WebhookSecret, now: datetime) -> bool:
    """Say whether a secret's last day (UTC) is over."""
    return secret.until is not None and now.date() > secret.until
