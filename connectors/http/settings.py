"""How an API is told who we are, and the headers that every call carries."""

import base64
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from hub import Secret

RESERVED = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "host",
     "transfer-encoding", "user-agent"}
)  # fmt: skip


def _free(name: str) -> str:
    if name.lower() in RESERVED:
        raise ValueError("is a header of the hub's own")
    return name


HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"), AfterValidator(_free)
]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]*$", max_length=2000)]


class Part(BaseModel):
    """A part of the settings; an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Basic(Part):
    """HTTP Basic."""

    user: Annotated[str, StringConstraints(pattern=r"^[^:]+$")]
    password: Secret


class Header(Part):
    """A header of the API's own."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    value: Secret


class HttpAuth(Part):
    """One of three ways."""

    bearer: Secret | None = Field(default=None, description="a token")
    basic: Basic | None = Field(default=None, description="user and password")
    header: Header | None = Field(default=None, description="name and value")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(way is not None for way in (self.bearer, self.basic, self.header)) != 1:
            raise ValueError("wants one of bearer, basic, header")
        return self


def credentials(settings: Any) -> Mapping[str, str]:
    """Give the headers that carry the credential."""
    found: HttpAuth | None = settings.auth
    if found is None:
        return {}
    if found.bearer is not None:
        return {"Authorization": f"Bearer {found.bearer.text()}"}
    if found.header is not None:
        return {found.header.name: found.header.value.text()}
    if found.basic is None:
        return {}
    pair = found.basic.user.encode() + b":" + found.basic.password.reveal()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def fields_of(path: str) -> list[str]:
    """Name the fields that a path takes from the body.

    >>> fields_of("/orders/{id}/lines/{line}")
    ['id', 'line']
    """
    return re.findall(r"\{([a-z_]\w*)\}", path, re.IGNORECASE)
