"""Personal data: which fields hold it, by their marks and names, and what is masked for people.

A schema marks a field, an event's or an action's, with `x-personal`: true says that it is for
personal data, false that it is not, whatever its name; without a mark the name decides.

A mapping may put an address into any text, so every value that stood in a personal field of an
event is masked wherever it comes up again, whole words of it, in small or capital letters.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from hub.model import Json

MASK = "‹personal›"
MARK = "x-personal"
PERSONAL: dict[str, Any] = {MARK: True}
"""For a field's `json_schema_extra`: what stands in it tells of a person."""
NOT_PERSONAL: dict[str, Any] = {MARK: False}
"""For a field's or a model's: no personal data belongs there."""
NAMES = frozenset({
    "email", "phone", "mobilephone", "firstname", "lastname", "fullname", "street", "street2",
    "address", "address1", "address2", "addressline1", "addressline2", "phonenumber",
    "zip", "postcode", "postalcode", "city", "ip", "ipaddress", "birthday", "dateofbirth",
})  # fmt: skip
"""Names of fields that tell of a person, their words joined, in small letters."""
_MAYBE = frozenset({"name", "company", "recipient"})  # a person's in an event, a product's outside
_SHORTEST = 2
_WORDS = re.compile(r"[A-Z]*[a-z0-9]+|[A-Z]+")


def is_personal(name: str) -> bool:
    """Say whether a field of this name tells of a person: the whole of it, or how it ends.

    >>> is_personal("firstName"), is_personal("receipt_email"), is_personal("sku")
    (True, True, False)
    >>> is_personal("membership"), is_personal("email_template")
    (False, False)
    """
    words = _WORDS.findall(name)
    return any("".join(words[start:]).lower() in NAMES for start in range(len(words)))


class Mask:
    """Masks in any value what stood in the personal fields of one event.

    Args:
        marked: Texts of the event that stand in fields its schema marks.
    """

    def __init__(self, data: Json, marked: Iterable[str] = ()) -> None:
        texts = (*_personal(data), *marked)
        words = {re.escape(text.strip()) for text in texts if len(text) >= _SHORTEST}
        longest = sorted(filter(None, words), key=len, reverse=True)
        self._words = re.compile(rf"(?i)(?<!\w)(?:{'|'.join(longest)})(?!\w)") if longest else None

    def __call__(self, value: Json, name: str = "") -> Json:
        """Give a value with personal data masked.

        Args:
            name: Of the field that it stands in.
        """
        if isinstance(value, dict):
            return {key: self(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self(item, name) for item in value]
        if not isinstance(value, str) or not value:
            return value
        if is_personal(name):
            return MASK
        return self._words.sub(MASK, value) if self._words else value


def _personal(data: Json, name: str = "") -> Iterator[str]:
    """Yield the texts that stand in personal fields."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _personal(value, key)
    elif isinstance(data, list):
        for item in data:
            yield from _personal(item, name)
    elif isinstance(data, str) and (is_personal(name) or name.lower() in _MAYBE):
        yield data
