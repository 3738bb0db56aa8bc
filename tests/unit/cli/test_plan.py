"""`hub plan`: what another configuration would send differently, without sending or writing."""

import json

import pytest

EVENT = '{"type": "sale.made", "data": {"name": "Ann", "email": "ann@example.com"}}'


@pytest.fixture
def planned(hub):
    """Let a second configuration differ by replacements; plan it, give what it found by route."""

    def attempt(*words, code=0, **changes):
        text = (hub.home / "config.yaml").read_text()
        mappings = (hub.home / "map-put.yaml").read_text()
        for old, new in changes.get("config", []):
            assert old in text
            text = text.replace(old, new)
        for old, new in changes.get("mapping", []):
            assert old in mappings
            mappings = mappings.replace(old, new)
        (hub.home / "new").mkdir(exist_ok=True)
        (hub.home / "new" / "put.yaml").write_text(mappings)
        (hub.home / "new.yaml").write_text(
            text.replace("[map-*.yaml]", "[new/put.yaml, map-mail.yaml]")
        )
        assert hub("plan", str(hub.home / "new.yaml"), "--json", *words) == code, hub.err
        return json.loads(hub.out)["routes"]

    return attempt


def counts(route):
    return {name: n for name, n in route.items() if name != "events" and n}


def test_nothing_changed_is_all_the_same(hub, planned):
    hub.sale()
    assert counts(planned()["put"]) == {"same": 1}
    assert planned()["put"]["events"] == []


def test_a_paused_route_is_said(hub, planned):
    hub.sale()
    pausing = [("name: put,", "name: put, paused: true,")]
    assert planned(config=pausing)["put"]["paused"] is True
    says = "put is paused: its jobs are written, and held"
    assert hub("plan", str(hub.home / "new.yaml"), says=says) == 0


def test_a_connector_that_goes_with_jobs_still_to_do_is_told(hub, planned):
    hub.sale()
    path = hub.home / "config.yaml"
    gone = path.read_text().replace("toy: { type: toy }, other:", "else: { type: toy }, other:")
    moved = gone.replace("do: toy.", "do: else.")
    (hub.home / "gone.yaml").write_text(moved)
    said = (
        "gone.yaml:7:1: warning[connector.in_use] 'toy' is gone but has 2 live jobs; they are held"
    )
    assert hub("plan", str(hub.home / "gone.yaml"), says=said) == 0
    path.write_text(moved)
    assert hub("check", "--online", says="config.yaml:7:1: warning[connector.in_use] 'toy'") == 0
    assert hub("check", "--online", "--strict") == 1
    assert hub("check", says="good") == 0


def test_a_changed_mapping_shows_the_changed_payloads_alone(hub, planned):
    kept, changed = hub.sale(name="Ann", kind="a"), hub.sale(name="Bob", kind="b")
    more = [('"{{ data.name }}"', "\"{{ data.kind if data.kind == 'b' else data.name }}\"")]
    found = planned("--route", "put", "--reveal", mapping=more)
    assert list(found) == ["put"]
    assert counts(found["put"]) == {"same": 1, "changed": 1}
    [one] = found["put"]["events"]
    assert (one["event"], one["does"]) == (changed, "toy.put")
    assert one["fields"] == [{"path": "input.name", "old": "Bob", "new": "b"}]
    assert kept not in json.dumps(found)


def test_personal_data_is_masked_unless_asked_and_that_is_recorded(hub, planned):
    hub.sale(name="Ann Smith", kind="x")
    change = [("{{ data.name }}", "for {{ data.name }}")]
    found = planned(mapping=change)
    assert "Ann" not in json.dumps(found)
    assert found["put"]["events"][0]["found"] == "changed"
    assert "Ann Smith" in json.dumps(planned("--reveal", mapping=change))
    assert [row.what for row in hub.audited()] == ["plan.reveal"]


def test_what_a_schema_marks_as_personal_is_masked_whatever_its_name(hub, planned):
    fields = {"name": {}, "kind": {}, "pet": {"type": "string", "x-personal": True}}
    schema = {"type": "object", "required": ["name", "kind"], "properties": fields}
    (hub.home / "sale.json").write_text(json.dumps(schema))
    hub.sale(name="", pet="Rex", kind="Rex is good")
    found = planned(mapping=[("{{ data.name }}", "{{ data.kind }}")])
    assert "Rex" not in json.dumps(found)
    assert "‹personal› is good" in json.dumps(found, ensure_ascii=False)


def test_routes_come_and_go_and_move(hub, planned):
    hub.sale()
    found = planned(config=[("name: mail,", "name: post,"), ("do: toy.put", "do: other.put")])
    assert counts(found["mail"]) == {"gone": 1}
    assert counts(found["post"]) == {"new": 1}
    [moved] = found["put"]["events"]
    assert moved["fields"] == [{"path": "does", "old": "toy.put", "new": "other.put"}]


def test_what_fails_is_told_with_its_place_and_ends_in_one(hub, planned):
    hub.sale()
    found = planned(mapping=[("data.name", "data.nme")], code=1)
    [one] = found["put"]["events"]
    assert counts(found["put"]) == {"fails": 1}
    assert "put.yaml:5" in one["error"]
    assert "mapping.missing" in one["error"]
    assert one["failed_before"] is False


def test_a_lane_or_a_key_that_differs_is_a_change(hub, planned):
    hub.sale()
    found = planned(config=[("map: put,", 'map: put, order_by: "{{ data.name }}",')])
    assert [f["path"] for f in found["put"]["events"][0]["fields"]] == ["lane"]


def test_nothing_is_written(hub, planned):
    hub.sale()
    before = hub.rows("jobs"), hub.rows("events")
    planned(mapping=[("{{ data.name }}", "x")])
    assert (hub.rows("jobs"), hub.rows("events")) == before
    assert hub.audited() == []


def test_only_the_last_events_are_looked_at(hub, planned):
    for _ in range(3):
        hub.sale()
    assert counts(planned("--events", "2")["put"]) == {"same": 2}


def test_people_read_one_example_of_each_kind_of_change(hub, planned):
    for n in range(5):
        hub.sale(name="Ann", kind=f"k{n}")
    planned(mapping=[("{{ data.name }}", "{{ data.kind }}")])
    assert hub("plan", str(hub.home / "new.yaml")) == 0
    assert "put: 5 changed in input.name" in hub.out
    assert 'input.name: "‹personal›" → ' in hub.out
    assert "… and 2 more" in hub.out


def test_one_event_shows_the_jobs_it_would_make(hub):
    (hub.home / "event.json").write_text(EVENT)
    assert hub("plan", "--event", "event.json") == 0
    assert 'input.name: "Ann"' in hub.out
    assert hub.jobs() == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "name the other configuration"),
        (("nothing.yaml",), 1, "nothing.yaml does not exist"),
        (("config.yaml", "--route", "nope"), 2, "there is no route nope"),
        (("config.yaml", "--event", "sale.json"), 1, "this is no event"),
        (("config.yaml", "--event", "plugins"), 1, "hub: "),
        (("config.yaml", "--event", "map-put.yaml"), 1, "not JSON"),
        (("map-put.yaml",), 1, "error["),
    ],
)
def test_wrong_use_is_one_line(hub, words, code, says):
    assert hub("plan", *words, says=says) == code
    assert "Traceback" not in hub.err
