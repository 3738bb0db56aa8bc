"""What every scheme of the library is: settings of one provider that verify and sign requests.

Pure: whatever the request, only SignatureError leaves `verify`, `challenge` and `greet`.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.errors import SignatureError
from hub.model import MAX_NODES, Json, Request, read_json
from hub.secrets import Secret
from webhooks import schemes

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class Signer(BaseModel):
    """A scheme as an admin set it; its fields are what there is to set.

    Args:
        texts: Form parameters that hold JSON.
        reply: What every verified request is to be answered; None: that it is stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    texts: ClassVar[frozenset[str]] = frozenset()
    reply: ClassVar[bytes | None] = None

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Raise SignatureError unless the request is signed with this one secret, in time."""
        raise SignatureError("unsupported")

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Give the request as the provider would sign it: other headers, body or URL."""
        raise SignatureError("unsupported")

    @classmethod
    def fetches_from(cls, settings: Mapping[str, Json]) -> str | None:  # noqa: ARG003 -- for those that do
        """Give the base URL of what `needs` asks for; None where nothing is fetched.

        Args:
            settings: As written and not yet checked.
        """
        return None

    def needs(self, request: Request, *, now: float) -> str | None:
        """Give the path of what must be fetched to check a request; None: nothing.

        Raises:
            SignatureError: It is refused whatever is fetched.
        """
        return None

    def reads(self, name: str) -> bool:
        """Say whether a form parameter is to be read."""
        return True

    def challenge(self, body: Json) -> bytes | None:
        """Give what a verified body asks to be answered; None where it is an ordinary one."""
        return None

    def suspect(self, request: Request) -> str | None:
        """Guess, for a person, why a request was refused; hostile, and nothing follows from it."""
        return None

    def greet(self, request: Request) -> bytes | None:
        """Give what a GET or HEAD at set-up is to be answered; None where it is not expected."""
        return None


class Fixed(Signer):
    """An HMAC that leaves nothing to set."""

    hmac: ClassVar[schemes.Hmac]

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check it."""
        self.hmac.verify(request, secret, now=now)

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign the request's body, and its URL where that is signed."""
        signed = self.hmac.sign(request.body, secret, now=now, url=request.url)
        return with_headers(request, signed)


def fixed(hmac: schemes.Hmac) -> type[Fixed]:
    """Give the scheme of an HMAC that is as it is."""
    return type("Fixed", (Fixed,), {"hmac": hmac, "__doc__": Fixed.__doc__})


class Free(Signer):
    """An HMAC; everything that providers do differently can be set."""

    header: str = Field(min_length=1, description="where the signature stands")
    signed: str = Field(
        default="{body}",
        pattern=r"\{body\}",
        description="template over {t}, {id}, {url}, {method} and {body}",
    )
    prefix: str = Field(default="", description="before the signature, such as sha256=")
    separator: str | None = Field(default=None, description="between several signatures")
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha256", "sha1", "sha512"] = "sha256"
    key: schemes.KeyForm = Field(default="text", description="how the secret is written")
    time_header: str | None = Field(default=None, description="where {t} stands")
    time_prefix: str | None = Field(default=None, description="before {t} in the same header")
    time_unit: Literal["s", "ms"] = "s"
    id_header: str | None = Field(default=None, description="where {id} stands")
    window: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=300, description="seconds a signed time may be old or ahead"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """A time or id that is sent must be signed, and one that is signed must be sent."""
        timed = self.time_header is not None or self.time_prefix is not None
        if timed != ("{t}" in self.signed):
            raise ValueError("signed: {t} stands there if and only if a time is sent")
        if (self.id_header is not None) != ("{id}" in self.signed):
            raise ValueError("signed: {id} stands there if and only if id_header is set")
        return self

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check it as described."""
        self._hmac().verify(request, secret, now=now)

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign as described."""
        signed = self._hmac().sign(request.body, secret, now=now, url=request.url)
        return with_headers(request, signed)

    def _hmac(self) -> schemes.Hmac:
        unit = 0.001 if self.time_unit == "ms" else 1.0
        given = self.model_dump(include=set(Free.model_fields) - {"time_unit"})
        return schemes.Hmac(**given, unit=unit)


class Token(Signer):
    """A secret of ours in the URL, for providers that sign nothing."""

    parameter: Word = Field(default="token", description="the parameter that holds it")

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Compare it."""
        sent = schemes.query_value(request, self.parameter)
        schemes.matches(schemes.key_of(secret), [sent])

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Add it to the URL that the provider is given."""
        value = quote(schemes.key_of(secret), safe="")
        return replace(request, url=f"{request.url.partition('?')[0]}?{self.parameter}={value}")


class Basic(Signer):
    """The provider was given a URL with `user:password@`, so it sends HTTP Basic."""

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Compare the credentials; the secret is `user:password`."""
        schemes.basic_auth(request, secret)

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Send them."""
        sent = base64.b64encode(schemes.key_of(secret)).decode()
        return with_headers(request, {"Authorization": f"Basic {sent}"})


# -- for signers -----------------------------------------------------------------------------------
def with_headers(request: Request, headers: Mapping[str, str]) -> Request:
    """Give the request with these headers, each in place of any of its name."""
    names = {name.lower().encode() for name in headers}
    kept = [pair for pair in request.headers if pair[0].lower() not in names]
    added = [(name.encode(), value.encode()) for name, value in headers.items()]
    return replace(request, headers=(*kept, *added))


def object_of(body: bytes) -> dict[str, Json]:
    """Read a JSON object in which a signature stands.

    Raises:
        SignatureError: malformed.
    """
    try:
        found = read_json(body, nodes=MAX_NODES)
    except ValueError as error:
        raise SignatureError("malformed") from error
    if not isinstance(found, dict):
        raise SignatureError("malformed")
    return found


def text_of(value: Json) -> str:
    """Give a text or whole number as it was signed; nothing else is one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def bytes_of(text: str) -> bytes:
    """Encode a text out of JSON or a form.

    Raises:
        SignatureError: malformed (half of a surrogate pair).
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SignatureError("malformed") from error
