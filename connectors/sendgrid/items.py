"""What SendGrid's actions take: one mail to one person, with SendGrid's limits.

One recipient per job, so that one uncertain send is one person. Categories and custom args are
kept by SendGrid for ever and treated as no personal data: ids only, never a name or an address.
Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send (v3; read 2026-11).
"""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from hub import PERSONAL, Json, write_json

CUSTOM_ARGS_BYTES = 10_000
JOB_BYTES = len('"hub_job":"job_",') + 26

# Custom args come back flat, beside the event's own fields: these names would overwrite them.
TAKEN = frozenset({
    "asm_group_id", "attempt", "bounce_classification", "category", "cert_err", "email", "event",
    "hub_job", "ip", "pool", "reason", "response", "sg_event_id", "sg_machine_open",
    "sg_message_id", "smtp-id", "status", "timestamp", "tls", "type", "unique_args", "url",
    "url_offset", "useragent",
})  # fmt: skip

Address = Annotated[
    str, StringConstraints(pattern=r'^[^\s@<>()\[\],;:\\"]+@[^\s@<>()\[\],;:\\"]+$', max_length=320)
]
Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n\x00]+$", max_length=998)]


def _no_address(text: str) -> str:
    if "@" in text:
        raise ValueError("SendGrid keeps this for ever: an id, never an address")
    return text


Id = Annotated[str, AfterValidator(_no_address)]
Category = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_no_address)
]


def _fitting(args: dict[str, str]) -> dict[str, str]:
    if taken := sorted(TAKEN & args.keys()):
        raise ValueError(f"SendGrid's events use these names themselves: {', '.join(taken)}")
    if len(write_json(args)) + JOB_BYTES > CUSTOM_ARGS_BYTES:
        raise ValueError(f"custom_args, hub_job included, are over {CUSTOM_ARGS_BYTES} bytes")
    return args


def _once_each(categories: list[str]) -> list[str]:
    if len(set(categories)) < len(categories):
        raise ValueError("a category is named twice")
    return categories


class Recipient(BaseModel):
    """Whom the mail is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Address
    name: Line | None = None


class Mail(BaseModel):
    """What every mail has: its recipient, the ids that come back, how it is counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Recipient = Field(json_schema_extra=PERSONAL)
    custom_args: Annotated[dict[str, Id], AfterValidator(_fitting)] = Field(default={})
    categories: Annotated[list[Category], Field(max_length=10), AfterValidator(_once_each)] = Field(
        default=[]
    )
    asm_group: int | None = Field(default=None, ge=1, description="unsubscribe group")


class AlertMail(BaseModel):
    """What the hub tells the people who run it; one mail to all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: list[Address] = Field(min_length=1, max_length=20, json_schema_extra=PERSONAL)
    subject: Line
    text: str = Field(min_length=1)


class TemplateMail(Mail):
    """A mail whose text is a dynamic template at SendGrid, filled with `data`."""

    template_id: str = Field(pattern=r"^d-\S+$", max_length=100)
    data: dict[str, Json] = Field(default={}, json_schema_extra=PERSONAL)


class PlainMail(Mail):
    """A mail whose text is in the job."""

    subject: Line = Field(json_schema_extra=PERSONAL)
    text: str | None = Field(default=None, min_length=1, json_schema_extra=PERSONAL)
    html: str | None = Field(default=None, min_length=1, json_schema_extra=PERSONAL)

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("a mail needs text or html")
        return self
