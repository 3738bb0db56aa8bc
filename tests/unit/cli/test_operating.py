"""`hub jobs`, `hub events replay`, `hub connectors pause`: one or many, asked first, recorded."""

import pytest


def kill(hub, where="1 = 1", error="the quota is spent"):
    """Let live jobs be dead, as their provider's refusal would leave them."""
    query = f"UPDATE jobs SET state = 'd', error = '{error}' WHERE {where}"
    hub.do(lambda tx: tx.connection.exec_driver_sql(query))


def audit(hub):
    query = "SELECT who, what, note FROM audit ORDER BY n"
    rows = hub.do(lambda tx: tx.connection.exec_driver_sql(query).all())
    assert {who.partition("@")[2] for who, _, _ in rows} <= {"cli"}
    return [(what, note) for _, what, note in rows]


# -- one -------------------------------------------------------------------------------------------
def test_one_is_retried_cancelled_and_settled_without_asking(hub):
    hub.sale()
    kill(hub)
    put, mail = hub.jobs("uid")
    assert hub("jobs", "retry", put, says=f"{put} is ready again") == 0
    assert hub("jobs", "cancel", mail, says=f"{mail} is cancelled") == 0
    assert hub.jobs() == ["ready", "cancelled"]
    hub.do(lambda tx: tx.connection.exec_driver_sql("UPDATE jobs SET state = 'u', error = 'lost'"))
    assert hub("jobs", "settle", put, "done", says=f"{put} is settled as done") == 0
    assert hub.jobs() == ["done", "cancelled"]
    assert audit(hub) == [("job.retry", None), ("job.cancel", None), ("job.settle.done", None)]


def test_one_dead_at_birth_is_mapped_by_todays_file(hub):
    hub.sale(title="Ann")
    put, _ = hub.jobs("uid")
    assert hub("jobs", "retry", put, says="still cannot be mapped") == 1
    hub.maps("put", "title")
    assert hub("jobs", "retry", put, says=f"{put} is ready again, as job_") == 0
    assert hub.jobs() == ["skipped", "dead", "ready"]


# -- many ------------------------------------------------------------------------------------------
def test_many_are_counted_and_nothing_is_done_unasked(hub):
    for _ in range(3):
        hub.sale()
    kill(hub)
    words = ("jobs", "retry", "--state", "dead", "--connector", "toy", "--action", "put")
    assert hub(*words, says="3 jobs to be ready again: state=dead connector=toy action=put") == 2
    assert "add --yes" in hub.err
    assert hub.jobs() == ["dead"] * 6
    assert audit(hub) == []
    assert hub(*words, "--yes", says="3 jobs ready again") == 0
    assert hub.jobs() == ["ready", "dead"] * 3
    assert audit(hub) == [("job.retry", "state=dead connector=toy action=put")] * 3


def test_many_are_cancelled_but_never_what_is_in_flight(hub):
    hub.sale()
    hub.sale()
    claimed = "UPDATE jobs SET state = 'l' WHERE action = 'mail'"
    hub.do(lambda tx: tx.connection.exec_driver_sql(claimed))
    assert hub("jobs", "cancel", "--connector", "toy", "--yes", says="2 jobs cancelled") == 0
    assert hub.jobs() == ["cancelled", "leased"] * 2


def test_many_are_settled(hub):
    hub.sale()
    hub.do(lambda tx: tx.connection.exec_driver_sql("UPDATE jobs SET state = 'u', error = 'lost'"))
    assert hub("jobs", "settle", "dead", "--error", "LOST", "--yes", says="2 jobs settled") == 0
    assert hub.jobs() == ["dead", "dead"]


def test_what_was_refused_is_told_by_reason(hub):
    hub.sale(title="Ann")
    hub.sale(title="Ann")
    words = ("jobs", "retry", "--route", "put", "--yes")
    assert hub(*words, says="0 jobs ready again") == 1
    assert "2 not: it still cannot be mapped" in hub.err


def test_a_filter_that_finds_nothing_says_so(hub):
    assert hub("jobs", "retry", "--error", "quota", says="no job: error=quota") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["retry"], "name one job, or choose some"),
        (["retry", "job_1", "--state", "dead"], "name one job, or choose some"),
        (["retry", "--state", "done"], "a job that is done cannot be ready again"),
        (["cancel", "--since", "soon"], "'soon' is neither a time"),
        (["settle", "job_1", "gone"], "say [UID] done"),
    ],
)
def test_wrong_use_is_exit_2(hub, words, told):
    assert hub("jobs", *words, says=told) == 2


def test_since_takes_a_time_or_how_long_ago(hub):
    hub.sale()
    for since, told in (
        ("1h", "2 jobs"),
        ("2020-01-01", "2 jobs"),
        ("2999-01-01T00:00Z", "no job"),
    ):
        hub("jobs", "cancel", "--since", since, says=told)
    hub("jobs", "cancel", "--until", "1h", says="no job")


# -- replay ----------------------------------------------------------------------------------------
def test_a_replay_mails_nobody(hub):
    event = hub.sale()
    assert hub("events", "replay", event, says="1 job made: job_") == 0
    assert hub.jobs("route") == ["put", "mail", "put"]
    assert hub.jobs("key")[2] == f"{event}:put:r1"
    assert audit(hub) == [("event.replay", "as now: put")]


def test_a_named_route_that_mails_asks_first(hub):
    event = hub.sale()
    words = ("events", "replay", event, "--route", "mail")
    assert hub(*words, says="sends messages or moves money: mail") == 2
    assert len(hub.jobs()) == 2
    assert hub(*words, "--yes", says="2 jobs made") == 0
    assert hub.jobs("route") == ["put", "mail", "put", "mail"]


def test_now_or_then_is_asked_where_they_differ_and_shown_by_field(hub):
    event = hub.sale(name="Ann", title="Bob")
    hub.maps("put", "title")
    assert hub("events", "replay", event, says="say --mapping now or --mapping then") == 2
    assert "1: name" in hub.out
    assert "Bob" not in hub.out + hub.err
    assert hub("events", "replay", event, "--mapping", "then") == 0
    assert hub("events", "replay", event, "--mapping", "now") == 0
    payloads = []
    for uid in hub.jobs("uid")[2:]:
        hub("jobs", "show", uid)
        payloads.append(next(line.strip() for line in hub.out.splitlines() if '"name":' in line))
    assert payloads == ['"name": "Ann"', '"name": "Bob"']


def test_many_are_counted_and_replayed_by_type(hub):
    for _ in range(3):
        hub.sale()
    words = ("events", "replay", "--type", "sale.*")
    assert hub(*words, says="3 events to be replayed as now: 3 jobs") == 2
    assert hub(*words, "--yes", says="3 events replayed") == 0
    assert hub.jobs("route")[6:] == ["put"] * 3
    assert audit(hub) == [("event.replay", "as now: put (type=sale.*)")] * 3


def test_where_no_route_takes_a_replay_it_says_which_could_be_named(hub):
    text = (hub.home / "config.yaml").read_text()
    (hub.home / "config.yaml").write_text(text.replace(", replay]", "]"))
    event = hub.sale()
    assert hub("events", "replay", event, says="name one with --route: put, mail") == 0
    assert len(hub.jobs()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name one event, or choose some"),
        (["evt_1", "--route", "nope"], "there is no route nope (have: put, mail)"),
    ],
)
def test_a_wrong_replay_is_exit_2(hub, words, told):
    assert hub("events", "replay", *words, says=told) == 2


def test_a_replay_of_no_event_is_exit_1(hub):
    assert hub("events", "replay", "evt_1", says="there is no event evt_1") == 1


# -- pause -----------------------------------------------------------------------------------------
def test_a_connector_is_paused_shown_and_resumed(hub):
    hub.sale()
    assert hub("connectors", "pause", "toy", says="toy is paused") == 0
    toy, other = hub.rows("connectors", "status")
    assert toy["paused_by"].endswith("@cli")
    assert (toy["name"], toy["jobs"], other.get("paused_by")) == ("toy", {"ready": 2}, None)
    assert hub("connectors", "status", says="by ") == 0
    assert hub("connectors", "pause", "toy", says="toy is paused since") == 1
    assert hub("connectors", "resume", "toy", says="toy goes on; it was paused for 0:00:0") == 0
    assert hub.rows("connectors", "status")[0]["paused_by"] is None
    assert [what for what, _ in audit(hub)] == ["connector.pause", "connector.resume"]


def test_a_pause_in_the_file_is_shown_as_such(hub):
    text = (hub.home / "config.yaml").read_text()
    (hub.home / "config.yaml").write_text(text.replace("type: toy }", "type: toy, paused: true }"))
    assert hub("connectors", "status", says="in config.yaml") == 0


def test_only_a_configured_connector_can_be_paused(hub):
    assert hub("connectors", "pause", "nope", says="no connector nope (have: other, toy)") == 1


def test_lanes_that_stand_still_are_listed(hub):
    hub.sale()
    put, _ = hub.jobs("uid")
    assert hub("jobs", "lanes", says="nothing") == 0
    hub.do(lambda tx: tx.connection.exec_driver_sql("UPDATE jobs SET lane = uid"))
    hub.do(lambda tx: tx.connection.exec_driver_sql("UPDATE jobs SET state = 'b', error = 'no'"))
    assert hub("jobs", "lanes", "--connector", "toy", says=put) == 0
