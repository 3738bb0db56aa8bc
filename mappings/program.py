"""A compiled function as it runs: its budget, its result within bounds, its errors with places."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.errors import MappingError
from hub.model import Json
from hub.nodes import Node, Scalar
from mappings.budget import Budget, Spent
from mappings.expressions import Site
from mappings.results import MAX_OUTPUT, settled
from mappings.values import OMIT, Stop

Run = Callable[[Mapping[str, Json], Budget], Json]


@dataclass(frozen=True, slots=True)
class Program:
    """One compiled function.

    Args:
        run: The quick program; whatever stops it, `careful` tells what is wrong and where.
        room: What is left of `limit` beside what the form itself takes.
        levels: What is left of the levels of a result.
        sites: What each line of the code stands for.
        filename: What the code calls itself, by which its frames are known.
        node: Where an error belongs that no line of the code made.
        shape: The last look at a result, before its size is taken.
    """

    run: Run
    careful: Run
    sites: tuple[Site, ...]
    file: str
    filename: str
    node: Node
    shape: Callable[[Json], Json]
    room: int
    levels: int
    limit: int = MAX_OUTPUT

    def __call__(self, scope: Mapping[str, Json]) -> Json:
        """Run once.

        Raises:
            MappingError: The data cannot be used; names fields and kinds, never values.
        """
        try:
            return self.shape(self.run(scope, Budget(self.room, self.levels)))
        except Spent as stop:
            raise self._placed(stop) from stop
        except (Stop, LookupError, TypeError):
            return self._carefully(scope)

    def _carefully(self, scope: Mapping[str, Json]) -> Json:
        try:
            made = self.shape(self.careful(scope, Budget()))
            return made if made is OMIT else settled(made, self.limit)[0]
        except Stop as stop:
            raise self._placed(stop) from stop

    def _placed(self, stop: Stop) -> MappingError:
        """Find the innermost of our lines that led to the stop, and name its place."""
        trace, number = stop.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                number = trace.tb_lineno
            trace = trace.tb_next
        number = 0 if isinstance(stop, Spent) else number
        site = self.sites[number - 1] if number else Site(self.node, None, "the result")
        line, col = site.node.line, site.node.col
        if site.offset is not None and isinstance(site.node, Scalar):
            line, col = site.node.at(site.offset)
        text = stop.told().replace("{path}", site.path or "this")
        return MappingError(stop.code, text, file=self.file, line=line, col=col)
