"""Syncs in a running hub: changed customers reach the CRM's double on schedule, on both stores."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.errors import ConfigError
from hub.sandbox import Fault
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store import reads
from store.verify import verify
from tests.e2e.inside import House, inside
from tests.e2e.shop import until
from tests.e2e.stage import free_port
from tests.e2e.test_pull import hub

NIGHTLY = """\
syncs:
  - name: customers-nightly
    from: shop.customers
    do: hubspot.upsert_contacts
    map: customer-to-hubspot-contact
    schedule: "0 3 * * *"
    timezone: Europe/Berlin
"""
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)  # that night the clocks go forward


@pytest.fixture
async def house(tmp_path, store_url) -> AsyncIterator[House]:
    store = store_url if store_url.startswith("postgres") else None
    async with inside(tmp_path, clock=ManualClock(NOON), store=store, more=NIGHTLY) as made:
        yield made


def contacts(house: House) -> dict[str, str]:
    """Give the CRM's contacts: first names by e-mail address."""
    found = house.doubles["hubspot"].crm.records["contact"].values()
    return {one.properties["email"]: one.properties["firstname"] for one in found}


def written(house: House) -> list[str]:
    """Give the e-mail addresses that the CRM was told, from its own ledger."""
    told = house.doubles["hubspot"].state.ledger
    return [one.key for one in told if one.kind.startswith("contact")]


async def told(house: House, *names: str) -> None:
    """Wait until the CRM was told of these, in any order, and of nobody else."""
    wanted = sorted(f"{name}@example.com" for name in names)

    async def met() -> bool:
        return sorted(written(house)) == wanted

    await until(met, f"the CRM was told of {wanted}")


async def moves_in(house: House, *names: str) -> list[str]:
    idents = []
    for name in names:
        made = {"email": f"{name}@example.com", "first_name": name}
        idents.append((await house.shop.make("/v1/customers", made))["id"])
    return idents


async def renames(house: House, ident: str, name: str) -> None:
    change, any_version = {"first_name": name}, {"If-Match": "*"}
    status, _ = await house.shop.ask("PATCH", f"/v1/customers/{ident}", change, **any_version)
    assert status == 200


async def to_the_hour(house: House) -> None:
    """Let time pass until it is 01:00 UTC: three in Berlin, in summer."""
    hours = (25 - house.clock.now().hour) % 24 or 24
    await house.pass_by(hours * 3600 - 60, step=7200)
    await house.pass_by(120, step=5)


async def test_changed_customers_reach_the_crm_at_their_hour(house: House) -> None:
    ada, _ = await moves_in(house, "ada", "ben")
    await house.pass_by(13 * 3600 - 60, step=7200)
    assert contacts(house) == {}
    await house.pass_by(120, step=5)
    await told(house, "ada", "ben")
    assert contacts(house) == {"ada@example.com": "ada", "ben@example.com": "ben"}
    await renames(house, ada, "amy")
    await moves_in(house, "cid")
    await to_the_hour(house)
    await told(house, "ada", "ada", "ben", "cid")
    assert contacts(house)["ada@example.com"] == "amy"
    await to_the_hour(house)
    await told(house, "ada", "ada", "ben", "cid")  # nobody has changed
    jobs = (await house.shop.get("/v1/jobs?limit=50"))["items"]
    assert {(job["route"], job["state"]) for job in jobs} == {("customers-nightly", "done")}
    async with house.hub.store.read() as connection:
        assert all(not check["broken"] for check in await verify(connection))


async def test_a_crm_that_is_down_is_told_later_and_nothing_twice(house: House) -> None:
    house.doubles["hubspot"].state.faults.append(Fault(fault="500", times=2))
    await moves_in(house, "ada", "ben")
    await to_the_hour(house)
    await house.pass_by(600, step=5)
    await told(house, "ada", "ben")


async def test_a_reload_brings_a_new_sync_and_a_faulty_one_changes_nothing(house: House) -> None:
    await moves_in(house, "ada")
    text = house.config.read_text()
    house.config.write_text(text.replace('schedule: "0 3 * * *"', 'schedule: "0 25 * * *"'))
    with pytest.raises(ConfigError, match="hour 25"):
        await house.hub.reloads.reload("test")
    new = text.replace('schedule: "0 3 * * *"', "every: 15m").replace(
        "    timezone: Europe/Berlin\n", ""
    )
    house.config.write_text(new)
    await house.hub.reloads.reload("test")
    await house.pass_by(15 * 60 - 10, step=5)
    assert written(house) == []
    await house.pass_by(30, step=5)
    await told(house, "ada")
    house.config.write_text(text.partition("syncs:")[0])
    await house.hub.reloads.reload("test")
    await moves_in(house, "ben")
    await house.pass_by(3600, step=60)
    assert written(house) == ["ada@example.com"]


async def test_a_person_lists_syncs_and_runs_one_now(house: House) -> None:
    if not house.hub.store.alone:
        pytest.skip("commands read the store's address out of the file: there it is SQLite")
    await moves_in(house, "ada", "ben")
    assert await hub(house, "pull", "customers-nightly") == (0, "2 jobs of customers-nightly\n")
    done = await hub(house, "pull", "customers-nightly", "--all")
    assert done == (0, "2 jobs of customers-nightly\n")
    code, said = await hub(house, "pull", "--json")
    rows = {row["name"]: row for row in json.loads(said)}
    assert (code, set(rows)) == (0, {"customers-nightly", "stripe"})
    row = rows["customers-nightly"]
    assert (row["reads"], row["does"]) == ("shop.customers", "hubspot.upsert_contacts")
    assert row["schedule"] == "0 3 * * * Europe/Berlin"
    assert (row["jobs"], row["cursor"], row["state"]) == (2, "feed:3", None)
    assert row["last"] < row["next"]
    assert rows["stripe"]["reads"] == "stripe.events"


async def test_of_two_hubs_one_fires_each_tick(tmp_path, database) -> None:
    store = database.render_as_string(hide_password=False)
    async with inside(tmp_path, clock=ManualClock(NOON), store=store, more=NIGHTLY) as house:
        env = {"HUB_STORE_URL": store, "HUB_LISTEN": f"127.0.0.1:{free_port()}"}
        other = configuration.load(house.config, env=env, shop=VOCABULARY)
        async with running(Hub(other, clock=house.clock)) as second:
            ada, _ = await moves_in(house, "ada", "ben")
            ran: dict[str, int] = {}
            for node in (house.hub, second):
                _count(node, ran)
            for night in range(3):
                await to_the_hour(house)
                await told(house, *["ada"] * (night + 1), "ben")
                assert sum(ran.values()) == night + 1
                await renames(house, ada, f"ada {night}")
            async with house.hub.store.read() as connection:
                jobs = await reads.list_jobs(connection, limit=50)
            assert {job["state"] for job in jobs} == {"done"}


def _count(node: Hub, ran: dict[str, int]) -> None:
    """Count the runs that a node begins."""
    real = node.fitted.syncer._through

    async def through(*given: Any) -> int:
        ran[node.node] = ran.get(node.node, 0) + 1
        return await real(*given)

    node.fitted.syncer._through = through  # type: ignore[method-assign]
