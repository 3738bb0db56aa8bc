"""The ground of every snapshot."""

from pydantic import BaseModel, ConfigDict


class Snapshot(BaseModel):
    """Part of an event's data; what may be unknown is absent, never null."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # at first use
