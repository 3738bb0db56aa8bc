"""What every mapping of config.yaml is made of."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of config.yaml; an unknown key is a fault."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True,
        defer_build=True,  # most are built as parts of others; building each at import takes longer
    )  # fmt: skip
