"""The shape of `alerts`: channels to people, which signals go to which, the heartbeat."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from hub.alerting import REPEAT
from hub.config.part import Part
from hub.config.units import Cidr, Duration, Name, Slug, listed
from hub.secrets import Secret


class ChannelPart(Part):
    """A way to people: a connector with an action of kind `alert`, or `connector.action`."""

    via: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
    to: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()


class RulePart(Part):
    """On these signals, of all or of one connector or route, tell this channel."""

    when: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
    to: Name
    connector: Name | None = None
    route: Slug | None = None
    over: Duration | None = None
    repeat: Duration = REPEAT


class HeartbeatPart(Part):
    """An address that is called while the hub is well; whoever is behind it alarms without it."""

    url: Secret
    every: Duration = timedelta(minutes=1)
    allow_private: tuple[Cidr, ...] = ()


class AlertsPart(Part):
    """Who is told of what, and who notices when the hub itself is gone."""

    channels: dict[Name, ChannelPart] = Field(default_factory=dict)
    rules: tuple[RulePart, ...] = ()
    heartbeat: HeartbeatPart | None = None
