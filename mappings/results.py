"""What may become the result of a run: of what size and depth, and with which numbers."""

from decimal import Decimal

from hub.model import Json
from mappings.values import Stop, bounded, kind, unfolded

MAX_OUTPUT = 1 << 20
MAX_LEVELS = 32


def settled(value: Json, limit: int, levels: int = MAX_LEVELS) -> tuple[Json, int]:
    """Give a result that JSON can hold in plain digits, and its size; or stop at what it cannot."""
    size, level, numbers = 0, [value], list[Json]()
    for _ in range(levels + 1):
        below: list[Json] = []
        for item in level:
            if type(item) is str:
                size += len(item) + 2
            elif type(item) is dict:
                size += 2 + 4 * len(item) + sum(map(len, item))
                below += item.values()
            elif type(item) is list:
                size += 2 + len(item)
                below += item
            elif item is not None and type(item) is not bool:
                numbers.append(item)
            if size > limit:
                raise Stop("mapping.large", f"{{path}} is larger than {limit} bytes")
        if not below:
            return _plain(value, numbers), size
        level = below
    raise Stop("mapping.large", f"{{path}} has more than {MAX_LEVELS} levels")


def _plain(value: Json, numbers: list[Json]) -> Json:
    """Look at a result's numbers; make it anew only where one of them needs other digits."""
    folded = False
    for number in numbers:
        if type(number) is Decimal:
            folded = folded or unfolded(number) is not number
        elif type(number) is int:
            bounded(number)
        else:
            raise Stop("mapping.kind", f"{{path}} holds {kind(number)}, which JSON does not have")
    return _unfolded(value) if folded else value


def _unfolded(value: Json) -> Json:
    if type(value) is dict:
        return {key: _unfolded(item) for key, item in value.items()}
    if type(value) is list:
        return [_unfolded(item) for item in value]
    return unfolded(value) if type(value) is Decimal else value
