"""What Segment's actions take, checked here: Segment answers 200 to what it then throws away.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (2026-11).
"""

from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from hub import PERSONAL, Json

Id = Annotated[str, StringConstraints(min_length=1, max_length=255)]
ZONED = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"


def _real(text: str) -> str:
    datetime.fromisoformat(text)  # ValueError: there is no such day or hour
    return text


Time = Annotated[str, StringConstraints(pattern=ZONED), AfterValidator(_real)]


class Entry(BaseModel):
    """What every call says: who, when, and what surrounds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    user_id: Id | None = None
    anonymous_id: Id | None = None
    timestamp: Time = Field(description="RFC 3339, fixed in the job: each attempt says the same")
    context: dict[str, Json] | None = Field(default=None, json_schema_extra=PERSONAL)

    @model_validator(mode="after")
    def _has_identity(self) -> Self:
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("needs userId or anonymousId")
        return self

    def wire(self) -> dict[str, Json]:
        """Give the members as Segment names them, without those not set."""
        members = self.model_dump(by_alias=True)
        return {name: value for name, value in members.items() if value is not None}


class Track(Entry):
    """Something a user did."""

    event: str = Field(min_length=1, max_length=255)
    properties: dict[str, Json] = Field(default={})


class Identify(Entry):
    """What is known of a user."""

    traits: dict[str, Json] = Field(default={}, json_schema_extra=PERSONAL)
