"""How often something usually comes, by the hour of the week: what a silence is measured against.

Pure. An hour that usually has six busy minutes has a usual gap of ten minutes. A silence is as
many usual gaps long as busy minutes were to be expected in it: a night or a weekend in which
little comes counts little, whatever its length.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
WEEKS = 5
FEWEST = 2
LONGEST = 2 * WEEK  # of a silence is looked at
KEPT = LONGEST + WEEKS * WEEK


def hour_of(at: datetime) -> datetime:
    """Give the hour a time lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The hours in which something came.

    Args:
        first: The hour in which the first came; None: none did.
        busy: The number of minutes of an hour in which something came; hours without have none.
    """

    first: datetime | None = None
    busy: Mapping[datetime, int] = field(default_factory=dict)

    def gaps(self, since: datetime, until: datetime) -> float:
        """Say how many usual gaps lie between two times."""
        found, at = 0.0, max(since, until - LONGEST)
        while at < until:
            end = min(hour_of(at) + HOUR, until)
            found += self.usual(hour_of(at)) * ((end - at) / HOUR)
            at = end
        return found

    def usual(self, hour: datetime) -> float:
        """Give how many minutes of this hour are usually busy, by the same hour of past weeks.

        Of two weeks the quieter one counts; of more their mean, without the busiest. One week
        says nothing yet.
        """
        past = [hour - n * WEEK for n in range(1, WEEKS + 1)]
        known = sorted(self.busy.get(at, 0) for at in past if self._whole(at))
        if len(known) < FEWEST:
            return 0.0
        return sum(known[:-1]) / (len(known) - 1)

    def _whole(self, hour: datetime) -> bool:
        """Say whether an hour was listened to from its beginning."""
        return self.first is not None and hour > self.first
