"""Why a request was refused, for the person who set its webhook up: what would have let it in.

A guess is proven before it is told: with that secret, at that time, for that URL or body, the
request verifies. Only of what is missing, and of a provider's own marks, there is no proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError

from hub.errors import HubError, SignatureError
from hub.model import Request
from hub.plugin import Connector
from hub.secrets import Secret
from webhooks import bodies
from webhooks.doors import Door, expired
from webhooks.library import SCHEMES

LARGE = 64 << 10
FARTHEST = 1 << 33  # seconds: the year 2242
MOST_DOORS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that no secret let in.

    Args:
        others: Every other door of the hub.
        urls: As which addresses it may have been sent, by its Host and its proxies.
    """

    door: Door
    request: Request
    reason: str
    now: datetime
    others: Sequence[Door] = ()
    urls: Sequence[str] = ()

    @property
    def valid(self) -> list[Secret]:
        """Give the secrets that count today."""
        return [s.value for s in self.door.secrets if not expired(s, self.now)]

    def passes(
        self, request: Request | None = None, *, secret: Secret | None = None, off: float = 0
    ) -> bool:
        """Say whether it verifies with another body or URL, another secret, another clock."""
        at, sent = self.now.timestamp() + off, request or self.request
        tried = [secret] if secret else self.valid
        return any(not _verdict(self.door.connector, sent, one, at) for one in tried)


def cause(found: Refused) -> str:
    """Give the likely cause, in words for whoever can mend it."""
    for guess in _GUESSES:
        if told := guess(found):
            return told
    if found.reason == "missing":
        return "it carries no signature: the sender is not the provider"
    return (
        "no secret here signed it, nor one of another connector: another secret at the "
        "provider, a body changed on its way, or a forgery"
    )


def clock_offset(found: Refused) -> float | None:
    """Give by how many seconds the signed time is ahead of our clock; None where none is signed.

    The verifier is asked at which clock it begins to say `stale`, so that it does not matter
    where and how the time stands.
    """
    signing = found.door.connector.signature
    if signing is None or signing.window is None or not found.door.secrets:
        return None
    secret = found.door.secrets[-1].value

    def stale(at: int) -> bool:
        return _verdict(found.door.connector, found.request, secret, at) == "stale"

    low, high = 0, FARTHEST
    if stale(low) or not stale(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if stale(middle) else (middle, high)
    return low - signing.window[0] - int(found.now.timestamp())


def _verdict(connector: Connector, request: Request, secret: Secret, at: float) -> str:
    """Give the reason of a refusal; nothing where there is none."""
    try:
        connector.verify(request, secret, now=at)
    except SignatureError as error:
        return error.reason
    except HubError:  # what it needs is not there yet
        return "later"
    return ""


# -- guesses, the surest first ---------------------------------------------------------------------
def _run_out(found: Refused) -> str | None:
    for secret in found.door.secrets:
        if expired(secret, found.now) and found.passes(secret=secret.value):
            return f"signed with {secret.value.name}, which counted until {secret.until} only"
    return None if found.valid else "every secret of this connector has run out"


def _off(found: Refused) -> str | None:
    if found.reason not in ("stale", "early"):
        return None
    off = clock_offset(found)
    if off is None:
        return None
    if not found.passes(off=off):
        return f"its time is {_ago(off)}, and no secret of this connector signed it"
    if found.passes():
        return f"signed {_ago(off)}, past this connector's tolerance of {found.door.tolerance:g} s"
    why = "a clock is off, ours or the sender's"
    return f"signed {_ago(off)}: {why}" + (", or it was held back or is a replay" * (off < 0))


def _elsewhere(found: Refused) -> str | None:
    """Try the secrets of the other connectors."""
    mine = _mode(found.door.connector)
    for door in found.others[:MOST_DOORS]:
        if any(found.passes(secret=one.value) for one in door.secrets):
            theirs = _mode(door.connector)
            if mine and theirs and mine != theirs:
                return f"a {theirs} secret on a {mine} connector: it is that of {door.name}"
            return f"signed with the secret of another connector: {door.name}"
    return None


def _spaced(found: Refused) -> str | None:
    for secret in found.valid:
        value = secret.reveal()
        forms = {value.strip(), value + b"\n", value + b"\r\n"} - {value}
        if any(found.passes(secret=Secret(one, secret.name)) for one in forms):
            return f"{secret.name} differs from the provider's by white space at an end"
    return None


def _body(found: Refused) -> str | None:
    if len(found.request.body) > LARGE:
        return None
    for how, body in bodies.before(found.request.body):
        if found.passes(found.request.with_body(body)):
            return f"the body was changed on its way, by a proxy: {how}"
    return None


def _url(found: Refused) -> str | None:
    if not found.door.connector.signs_url:
        return None
    ours = found.request.url.partition("?")[0]
    for url in found.urls:
        if found.passes(replace(found.request, url=url)):
            theirs = url.partition("?")[0]
            return f"signed for {theirs}, but by service.public_url the address is {ours}"
    return None


def _scheme(found: Refused) -> str | None:
    """Try the other schemes of the library that need no settings."""
    own = getattr(found.door.connector, "scheme", None)
    if len(found.request.body) > LARGE:
        return None
    for name, scheme in SCHEMES.items():
        try:
            signer = scheme.signer()
        except ValidationError:
            continue
        for secret in found.valid if scheme is not own else ():
            try:
                signer.verify(found.request, secret, now=found.now.timestamp())
            except SignatureError:
                continue
            return f"signed as the scheme {name} has it, which is not this connector's"
    return None


def _hint(found: Refused) -> str | None:
    try:
        return found.door.connector.suspect(found.request)
    except Exception:  # noqa: BLE001 -- a plugin's guess at hostile input; refused it is anyway
        return None


def _headers(found: Refused) -> str | None:
    """Compare the headers with those a signed request has."""
    try:
        signed = found.door.connector.sign(b"{}", found.valid[0], now=found.now.timestamp())
    except HubError:
        return None  # the signature stands in the body or the URL, or only the provider can sign
    sent = [name.decode("latin-1").lower() for name, _ in found.request.headers]
    lost = [name for name in signed if name.lower() not in sent]
    twice = [name for name in signed if sent.count(name.lower()) > 1]
    if found.reason == "missing" and lost:
        others = "it came without " + " and ".join(lost)
        return f"{others}: a proxy strips it, or the sender is not the provider"
    if twice:
        return f"{' and '.join(twice)} came more than once: a proxy adds its own"
    return None


_GUESSES = (_run_out, _off, _elsewhere, _spaced, _body, _url, _scheme, _hint, _headers)


def _mode(connector: Connector) -> str | None:
    """Say whether a connector is set to its provider's live or test side, if it can be."""
    settings = connector.settings
    mode = getattr(settings, "mode", None)
    if mode in ("test", "live"):
        return str(mode)
    sandbox = getattr(settings, "sandbox", None)
    return None if sandbox is None else "test" if sandbox else "live"


def _ago(off: float) -> str:
    return f"{off:g} s ahead of our clock" if off > 0 else f"{-off:g} s ago"
