"""Twilio: HMAC over the URL and the sorted parameters, run together; of JSON the query has a hash.

Names and values are not parted in what is signed, so one may lend the other a part of itself:
coverage is partial, and only parameters that Twilio is known to send are read.
Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security (read 2026-11).
"""

import re
from dataclasses import replace
from typing import Literal

from pydantic import Field

from hub.errors import SignatureError
from hub.model import Request
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, bytes_of, with_headers

HEADER, HASH = "X-Twilio-Signature", "bodySHA256="
_PORT = {b"https": b":443", b"http": b":80"}
_URL = re.compile(rb"(https?)://([^/:?]+)(:[0-9]+)?(.*)")
_NAMES = re.compile(
    "AccountSid|AddOns|AnsweredBy|ApiVersion|Body|ButtonPayload|ButtonText|Call(Duration|Sid|Status)"
    "|(Called|Caller|From|To)(City|Country|State|Zip)?|CallerName|Channel(InstallSid|Prefix)"
    "|ChannelStatusMessage|ChannelToAddress|Confidence|Digits|Direction|Duration|Error(Code|Message)"
    "|EventType|ForwardedFrom|Media(ContentType|Url)[0-9]|Message(Sid|Status)|MessagingServiceSid"
    "|Num(Media|Segments)|OptOutType|ParentCallSid|ProfileName|RawDlrDoneDate|ReferralNumMedia"
    "|Recording(Duration|Sid|Status|Url)|SequenceNumber|Sms(MessageSid|Sid|Status)|SpeechResult"
    "|StirVerstat|Timestamp|WaId"
)


class Twilio(Signer):
    """The algorithm is ours to say: a header left out must not weaken it."""

    account_sid: str | None = Field(pattern=r"^AC[0-9a-f]{32}$", description="your AccountSid")
    algorithm: Literal["sha1", "sha256"] = Field(
        default="sha1", description="sha256 where you set up a shared key"
    )
    query: str = Field(default="", description="the query of the URL you registered")

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the signature of a form, or of a URL that holds the hash of a JSON body."""
        sent = schemes.the_header(request, HEADER)
        params = self._params(request)
        text = twilio_text(params)
        key, found = schemes.key_of(secret), False
        for url in _spellings(schemes.signed_url(request)):
            found |= _same(schemes.hmac_b64(key, url + text, self.algorithm), sent)
        if not found:
            raise SignatureError("mismatch")

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign a form; a JSON body by its hash in the query."""
        query, params = self.query, list[tuple[str, str]]()
        if request.body[:1] in (b"{", b"["):
            digest = schemes.sha256_hex(request.body).decode()
            query = "&".join(part for part in (query, f"{HASH}{digest}") if part)
        else:
            params = schemes.form(request.body)
        base = request.url.partition("?")[0]
        signed = replace(request, url=f"{base}?{query}" if query else base)
        message = schemes.signed_url(signed) + twilio_text(params)
        made = schemes.hmac_b64(schemes.key_of(secret), message, self.algorithm)
        return with_headers(signed, {HEADER: made.decode()})

    def reads(self, name: str) -> bool:
        """Say whether Twilio is known to send a parameter: another may be two of its own."""
        return bool(_NAMES.fullmatch(name))

    def _params(self, request: Request) -> list[tuple[str, str]]:
        """Give the form's parameters, none with a JSON body; the URL must be the registered one."""
        before, hashed, digest = request.url.partition("?")[2].rpartition(HASH)
        query = before.removesuffix("&") if hashed else digest
        if query != self.query:
            raise SignatureError("mismatch")
        if hashed:
            schemes.matches(schemes.sha256_hex(request.body), [bytes_of(digest)])
            return []
        params = schemes.form(request.body)
        accounts = [value for name, value in params if name == "AccountSid"]
        if self.account_sid is not None and accounts != [self.account_sid]:
            raise SignatureError("mismatch")
        return params


def twilio_text(params: list[tuple[str, str]]) -> bytes:
    """Give what is signed of a form: for each name in order its values in order, run together.

    Raises:
        SignatureError: malformed (a pair sent twice, which Twilio would sign once).
    """
    if len(set(params)) != len(params):
        raise SignatureError("malformed")
    return bytes_of("".join(name + value for name, value in sorted(params)))


def _spellings(url: bytes) -> tuple[bytes, bytes]:
    """Give a URL as it may have been signed: without its port, and with it."""
    found = _URL.fullmatch(url)
    if found is None:
        raise SignatureError("malformed")
    scheme, host, port, rest = found.groups(b"")
    with_port = port or _PORT[scheme]
    return scheme + b"://" + host + rest, scheme + b"://" + host + with_port + rest


def _same(expected: bytes, sent: bytes) -> bool:
    try:
        schemes.matches(expected, [sent])
    except SignatureError:
        return False
    return True
