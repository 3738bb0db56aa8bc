"""Personal data in what is shown to people: found by the names of fields, and by their values.

A mapping may put an address into any text, so every value that stood in a personal field of an
event is masked wherever it comes up again, whole words of it, in small or capital letters.
"""

import re
from collections.abc import Iterator

from hub.model import Json

MASK = "‹personal›"
NAMES = frozenset({
    "email", "phone", "mobilephone", "firstname", "lastname", "fullname", "street", "street2",
    "address", "address1", "address2", "zip", "postcode", "postalcode", "city", "ip", "ipaddress",
    "birthday", "dateofbirth",
})  # fmt: skip
"""Names of fields that tell of a person, in small letters and without hyphens."""
_MAYBE = frozenset({"name", "company", "recipient"})  # a person's in an event, a product's outside
_SHORTEST = 2


def is_personal(name: str) -> bool:
    """Say whether a field of this name tells of a person.

    >>> is_personal("firstName"), is_personal("first_name"), is_personal("sku")
    (True, True, False)
    """
    return name.replace("_", "").replace("-", "").lower() in NAMES


class Mask:
    """Masks in any value what stood in the personal fields of one event."""

    def __init__(self, data: Json) -> None:
        words = {re.escape(text.strip()) for text in _personal(data) if len(text) >= _SHORTEST}
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
