"""A compiled function as it runs: its budget, its result within bounds, its errors with places."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hub.errors import MappingError
from hub.model import Json
from hub.nodes import Node, Scalar
from mappings.expressions import Site
from mappings.guards import Budget
from mappings.values import OMIT, Stop, bounded, kind, unfolded

MAX_OUTPUT = 1 << 20
MAX_LEVELS = 32


@dataclass(frozen=True, slots=True)
class Program:
    """One compiled function.

    Args:
        sites: What each line of the code stands for.
        filename: What the code calls itself, by which its frames are known.
        node: Where an error belongs that no line of the code made.
        shape: The last look at a result, before its size is taken.
    """

    run: Callable[[Mapping[str, Json], Budget], Json]
    sites: tuple[Site, ...]
    file: str
    filename: str
    node: Node
    shape: Callable[[Json], Json]
    limit: int = MAX_OUTPUT

    def __call__(self, scope: Mapping[str, Json]) -> Json:
        """Run once.

        Raises:
            MappingError: The data cannot be used; names fields and kinds, never values.
        """
        try:
            made = self.shape(self.run(scope, Budget()))
            return made if made is OMIT else settled(made, self.limit)
        except Stop as stop:
            raise self._placed(stop) from stop

    def _placed(self, stop: Stop) -> MappingError:
        """Find the innermost of our lines that led to the stop, and name its place."""
        trace, number = stop.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                number = trace.tb_lineno
            trace = trace.tb_next
        site = self.sites[number - 1] if number else Site(self.node, None, "the result")
        line, col = site.node.line, site.node.col
        if site.offset is not None and isinstance(site.node, Scalar):
            line, col = site.node.at(site.offset)
        text = stop.told().replace("{path}", site.path or "this")
        return MappingError(stop.code, text, file=self.file, line=line, col=col)


def settled(value: Json, limit: int) -> Json:
    """Give a result that JSON can hold in plain digits, or stop at its size, depth or kind."""
    size, level, numbers = 0, [value], list[Json]()
    for _ in range(MAX_LEVELS + 1):
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
            return _plain(value, numbers)
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
