"""What a connector offers to be read: pages of records, in the order of their change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from pydantic import BaseModel

from hub.errors import HubError
from hub.model import Json

EVENTS = "events"
Method = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a source: records in the order of their change, and where to go on.

    Args:
        records: JSON objects; those of `events` as the body of a webhook would have brought them.
        cursor: Resumes after this page, or where `more` is false begins the next reading.
    """

    records: tuple[Json, ...]
    cursor: str | None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A source as its connector declares it.

    Args:
        model: Of one record; None for `events`, whose records are the provider's requests.
        id: The field that names a record.
        version: The field whose value changes with the record: one job for each.
    """

    name: str
    model: type[BaseModel] | None = None
    id: str = "id"
    version: str = "version"


@overload
def source(method: Method) -> Method: ...
@overload
def source(
    *,
    model: type[BaseModel],
    id: str = ...,
    version: str = ...,
) -> Callable[[Method], Method]: ...


def source(
    method: Method | None = None,
    *,
    model: type[BaseModel] | None = None,
    id: str = "id",  # noqa: A002 -- as the record says it
    version: str = "version",
) -> Any:
    """Declare a method as a source; `events` feeds the inbox, any other a sync.

    `events(self, cursor, overlap) -> Page`: the cursor is what an earlier page gave, or the
    RFC 3339 time to begin from, or None for all the provider keeps; `overlap` (a timedelta) is
    how far to read back before where the last reading ended.

    Any other, `contacts(self, cursor) -> Page`, is declared with the model of its records,
    `@source(model=Contact, version="updated_at")`; None as cursor begins with the first.

    Raises:
        HubError: `events` with a model, another without one, or one without those fields.
    """

    def declare(method: Method) -> Method:
        name = method.__name__
        if (name == EVENTS) is not (model is None):
            raise HubError(f"{method.__qualname__}: a source but events needs the model it gives")
        if model is not None and not model.model_fields.keys() >= {id, version}:
            raise HubError(f"{method.__qualname__}: its model needs the fields {id} and {version}")
        made = SourceSpec(name=name, model=model, id=id, version=version)
        method.__source__ = made  # type: ignore[attr-defined] # a mark on the function
        return method

    return declare if method is None else declare(method)
