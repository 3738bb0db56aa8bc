"""The kill loop's judge, judged: a clean world passes, and each planted fault is named."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import judge
from tests.e2e.judge import Verdict

ORDERS = {
    f"ord_{n}": {
        "id": f"ord_{n}",
        "customer": {"email": "ada@example.com"},
        "lines": [{"id": f"lin_{n}"}],
    }
    for n in (1, 2)
}
World = dict[str, Any]


def effect(kind: str, ident: str, key: str, **data: Any) -> dict[str, Any]:
    return {"kind": kind, "id": ident, "key": key, "data": data}


def clean() -> World:
    """Give what two paid orders of one customer leave behind."""
    crm = [effect("contact", "1", "ada@example.com")]
    stripe, mails, tracks, jobs = [], [], [], []
    for n in (1, 2):
        order = f"ord_{n}"
        stripe.append(effect("payment_intent", f"pi_{n}", f"k{n}", metadata={"hub_order": order}))
        stripe.append(effect("charge", f"ch_{n}", ""))
        crm += [effect("deal", f"2{n}", order), effect("line_item", f"3{n}", f"lin_{n}")]
        crm += [effect("association", f"2{n}-1", ""), effect("association", f"2{n}-3{n}", "")]
        mails.append(effect("mail", f"m{n}", f"job_{n}", custom_args={"hub_order": order}))
        tracks.append(effect("track", f"t{n}", f"t{n}", properties={"order_id": order}))
        jobs.append(job(f"job_{n}", "done"))
    sent = [{"status": 200, "sha256": "a"}, {"status": 0, "sha256": "b"}]
    return {
        "stripe": stripe, "hubspot": crm, "mails": mails, "tracks": tracks, "jobs": jobs,
        "sent": sent, "kept": {"a"},
    }  # fmt: skip


def job(uid: str, state: str, error: str | None = None) -> dict[str, Any]:
    return {
        "uid": uid, "connector": "sendgrid", "action": "send_template", "state": state,
        "error": error, "attempt": 1,
    }  # fmt: skip


def judged(world: World) -> list[str]:
    verdict = Verdict()
    judge._stripe(verdict, world["stripe"], ORDERS)
    judge._hubspot(verdict, world["hubspot"], ORDERS)
    judge._mails(verdict, world["mails"], world["jobs"], ORDERS)
    judge._tracks(verdict, world["tracks"], ORDERS)
    judge._jobs(verdict, world["jobs"])
    judge._webhooks(verdict, {"stripe": {"deliveries": world["sent"]}}, world["kept"])
    return verdict.faults


def again(name: str, place: int) -> Callable[[World], object]:
    """Plant an effect done twice."""
    return lambda world: world[name].append({**world[name][place], "id": "again", "key": "other"})


def twice(name: str, place: int) -> Callable[[World], object]:
    """Plant an effect done twice under its own key."""
    return lambda world: world[name].append(copy.deepcopy(world[name][place]))


def lost(name: str, place: int) -> Callable[[World], object]:
    """Plant an effect that never was."""
    return lambda world: world[name].pop(place)


def parked(world: World) -> None:
    """Let the mail of the second order have got lost, and its job say so."""
    world["mails"].pop()
    world["jobs"][1] = job("job_2", "uncertain", "the lease was lost")


def test_a_clean_world_has_no_fault() -> None:
    assert judged(clean()) == []


def test_a_mail_that_its_job_calls_uncertain_is_no_fault() -> None:
    world = clean()
    parked(world)
    assert judged(world) == []


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (again("stripe", 0), "orders with one payment"),
        (lost("stripe", 0), "keys at Stripe"),
        (twice("stripe", 1), "charges"),
        (twice("hubspot", 0), "contacts made once"),
        (twice("hubspot", 1), "deals made once"),
        (lost("hubspot", 2), "line_items made once"),
        (lost("hubspot", 3), "associations made once"),
        (lambda w: w["hubspot"].append(effect("deal_update", "21", "ord_1")), "changed after"),
        (again("mails", 0), "mailed twice"),
        (lost("mails", 0), "orders without a mail"),
        (again("tracks", 0), "orders tracked once"),
        (lost("tracks", 0), "orders tracked once"),
        (lambda w: w["jobs"].append(job("job_3", "ready")), "job not explained"),
        (lambda w: w["jobs"].append(job("job_3", "dead", "refused")), "job not explained"),
        (lambda w: w["jobs"].append(job("job_3", "uncertain")), "job not explained"),
        (lambda w: w["kept"].clear(), "webhook lost"),
    ],
)
def test_a_planted_fault_is_named(plant: Callable[[World], object], told: str) -> None:
    world = clean()
    plant(world)
    assert any(told in fault for fault in judged(world)), judged(world)
