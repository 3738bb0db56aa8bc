"""When a sync is due: paces, cron in a time zone, and what becomes of it when clocks change."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.schedules import NEVER, NoSchedule, Schedule


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: Schedule, since: str, count: int) -> list[str]:
    found, now = [], utc(since)
    for _ in range(count):
        now = schedule.after(now)
        assert now.tzinfo is UTC
        found.append(now.strftime("%m-%d %H:%M"))
    return found


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "zone", "since", "expected"),
    [
        # without a time zone the hour is UTC, summer or not
        ("0 3 * * *", "UTC", "2026-03-28T12:00", ["03-29 03:00", "03-30 03:00"]),
        # three in Berlin is two UTC in winter, one UTC in summer
        ("0 3 * * *", BERLIN, "2026-03-27T12:00", ["03-28 02:00", "03-29 01:00", "03-30 01:00"]),
        ("0 3 * * *", BERLIN, "2026-10-24T00:00", ["10-24 01:00", "10-25 02:00", "10-26 02:00"]),
        # half past two is left out on 29 March: it runs right after, once
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30"]),
        # half past two comes twice on 25 October: it runs the first time
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        # each hour is each hour, whatever it is called
        ("0 * * * *", BERLIN, "2026-10-24T23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
        ("*/20 9-10 * * MON-FRI", "UTC", "2026-01-02T10:30", ["01-02 10:40", "01-05 09:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["02-29 00:00"]),
    ],
)  # fmt: skip
def test_a_cron_expression_in_its_time_zone(cron, zone, since, expected) -> None:
    assert ticks(Schedule(cron=cron, zone=zone), since, len(expected)) == expected


def test_a_tick_is_not_followed_by_itself() -> None:
    schedule = Schedule(cron="0 3 * * *")
    assert schedule.after(utc("2026-01-01T03:00")) == utc("2026-01-02T03:00")
    assert schedule.after(utc("2026-01-01T02:59:59.999999")) == utc("2026-01-01T03:00")


def test_a_pace_is_due_at_once_and_a_cron_expression_at_its_hour() -> None:
    now = utc("2026-01-01T12:00")
    pace = Schedule(every=timedelta(minutes=15))
    assert (pace.first(now), pace.after(now)) == (now, now + timedelta(minutes=15))
    assert Schedule(cron="0 3 * * *").first(now) == utc("2026-01-02T03:00")
    assert Schedule().first(now) == Schedule().after(now) == now + NEVER


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 25 * * *", "hour 25"),
        ("61 3 * * *", "minute 61"),
        ("0 3 32 * *", "day of the month 32"),
        ("0 3 * 13 *", "month 13"),
        ("0 3 * * 9", "day of the week 9"),
        ("0 3 * * *,", "day of the week *,"),
        ("*/0 * * * *", "minute */0"),
        ("0 3 30 2 *", "day of the month 30"),
        ("0 3 31 4,6 *", "day of the month 31"),
        ("", "it has 0 fields, not 5"),
        ("@daily", "it has 1 fields, not 5"),
        ("0 0 3 * * *", "it has 6 fields, not 5"),
        ("٣ 3 * * *", "minute ٣"),
    ],
)
def test_what_is_no_schedule_says_which_field(cron, why) -> None:
    with pytest.raises(NoSchedule, match="^" + why.replace("*", r"\*")):
        Schedule(cron=cron)
