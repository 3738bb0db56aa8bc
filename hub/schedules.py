"""When a sync is due: each so often, by a cron expression in a time zone, or only when asked.

Pure. Over clock changes as Debian's cron does it: what is due in an hour that is left out runs
right after it, what is due in an hour that comes twice runs once; `*` in the hours runs each hour.
Source: cronsim 2.8.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

ON_DEMAND = "on-demand"
NEVER = timedelta(days=365_000)
FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_THEIRS = {"day-of-month": "day of the month", "day-of-week": "day of the week"}
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class NoSchedule(ValueError):
    """It is no cron expression of five fields that ever comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When something is due again; neither `every` nor `cron` means: when a person asks.

    Args:
        zone: IANA; in which `cron` is meant.

    Raises:
        NoSchedule: `cron` is none.
    """

    every: timedelta | None = None
    cron: str | None = None
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.cron is not None:
            _next(self.cron, _SOME_DAY)

    def __str__(self) -> str:
        if self.every is not None:
            return f"every {self.every.total_seconds():g}s"
        return ON_DEMAND if self.cron is None else f"{self.cron} {self.zone}"

    def first(self, now: datetime) -> datetime:
        """Give when something new is due: what has a pace at once, the rest at its next tick."""
        return now if self.every is not None else self.after(now)

    def after(self, now: datetime) -> datetime:
        """Give the next tick after a time, UTC; ticks that were missed are not made up for.

        >>> Schedule(cron="0 3 * * *", zone="Europe/Berlin").after(_SOME_DAY).isoformat()
        '2026-01-01T02:00:00+00:00'
        """
        if self.every is not None:
            return now + self.every
        if self.cron is None:
            return now + NEVER
        return _next(self.cron, now.astimezone(ZoneInfo(self.zone))).astimezone(UTC)


def _next(cron: str, now: datetime) -> datetime:
    fields = cron.split()
    if len(fields) != len(FIELDS):
        raise NoSchedule(f"it has {len(fields)} fields, not 5 ({', '.join(FIELDS)})")
    try:
        return next(CronSim(cron, now))
    except CronSimError as error:
        raise NoSchedule(_why(str(error), fields)) from error
    except StopIteration as error:
        raise NoSchedule("such a day never comes") from error


def _why(said: str, fields: list[str]) -> str:
    """Name the field that is wrong, and what stands there."""
    theirs = said.removeprefix("Bad ")
    name = _THEIRS.get(theirs, theirs)
    return f"{name} {fields[FIELDS.index(name)]}" if name in FIELDS else said
