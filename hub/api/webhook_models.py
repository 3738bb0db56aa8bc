"""What /v1/webhook-endpoints takes and gives."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from hub.secrets import Secret
from webhooks.deliver import EventName, HookUrl, check_key

Origins = Annotated[
    frozenset[Literal["live", "import", "backfill", "replay"]], Field(min_length=1, max_length=4)
]
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Order = bool | Literal["aggregate", "all"]


def _key(text: str) -> str:
    check_key(Secret(text, "secret"))
    return text


class Input(BaseModel):
    """A body; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # at first use


class NewEndpoint(Input):
    """Where to send which events.

    `types`: names, or names ending in `.*`; none: all. `ordered`: true (of each aggregate) or
    `all`. `secret`: your own `whsec_…`. `asymmetric`: sign with a private key (`v1a`) instead.
    """

    url: HookUrl
    types: tuple[EventName, ...] = Field(default=(), max_length=100)
    ordered: Order = False
    origins: Origins = frozenset({"live", "backfill"})
    description: Text | None = None
    secret: Annotated[str, Field(max_length=200), AfterValidator(_key)] | None = None
    asymmetric: bool = False


class EndpointChange(Input):
    """What is to be otherwise."""

    url: HookUrl | None = None
    types: tuple[EventName, ...] | None = Field(default=None, max_length=100)
    ordered: Order | None = None
    origins: Origins | None = None
    description: Text | None = None


class Rotation(Input):
    """For how many seconds the old keys go on signing beside the new one; a day unless said."""

    overlap: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400
    secret: Annotated[str, Field(max_length=200), AfterValidator(_key)] | None = None


class Note(Input):
    """Why; it is kept in the audit."""

    note: Text = ""


class WebhookEndpoint(BaseModel):
    """A webhook endpoint; `secret` only where it was just made, `public_keys` for `v1a`."""

    id: str
    url: str
    description: str | None
    types: list[str]
    ordered: Literal["no", "aggregate", "all"]
    origins: list[str]
    managed: Literal["api", "config"]
    enabled: bool
    disabled_at: AwareDatetime | None
    disabled_reason: str | None
    failing_since: AwareDatetime | None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    public_keys: list[str]
    secret: str | None = None


class WebhookEndpoints(BaseModel):
    """All of them."""

    items: list[WebhookEndpoint]
    next: str | None


class Gone(BaseModel):
    """What was deleted."""

    id: str
    deleted: bool
