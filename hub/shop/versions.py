"""The version a caller has seen: who changes what has moved on since is refused."""

from dataclasses import dataclass

from hub.errors import Refused
from store.aggregates import Stored
from store.subscribers import Kept


@dataclass(frozen=True, slots=True)
class Match:
    """The versions a caller would change; None: whichever it is at."""

    versions: frozenset[int] | None = None

    def check(self, row: Stored | Kept) -> None:
        """Let a change of this row, which must be locked, go on.

        Raises:
            Refused: version_conflict, with the version it is at.
        """
        if self.versions is not None and row.version not in self.versions:
            text = f"it is at version {row.version}; read it again"
            raise Refused("version_conflict", text, version=row.version)


ANY = Match()
