"""`hub backup`, `hub restore`, `hub resume`: what goes over, what is held, what is refused."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from hub.ids import new_id
from hub.model import NewJob
from store import claims
from store.crypto import new_key
from store.schema import accounts, upserting


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, hub, monkeypatch):
    """A shop on either store, and how its store is lost."""
    if request.param == "postgres":
        first, second = (request.getfixturevalue(n) for n in ("empty_database", "other_database"))
        urls = [one.render_as_string(hide_password=False) for one in (first, second)]
        monkeypatch.setenv("HUB_STORE_URL", urls[0])
        assert hub("migrate") == 0, hub.err
        hub.lose = lambda: monkeypatch.setenv("HUB_STORE_URL", urls[1])
    else:
        hub.lose = lambda: [path.unlink() for path in hub.home.glob("hub.db*")]
    return hub


def kept(hub):
    """Give what tells whether two stores hold the same."""
    return hub.rows("events"), sorted(hub.jobs("uid"))


def backed_up(hub, name="copy.db") -> str:
    assert hub("backup", str(hub.home / name), says="checked") == 0, hub.err
    return str(hub.home / name)


def test_all_goes_over_and_nobody_is_called(shop):
    for _ in range(3):
        shop.sale()
    before = kept(shop)
    file = backed_up(shop)
    shop.sale()
    shop.lose()
    assert shop("restore", file, says="nobody is called") == 0, shop.err
    assert kept(shop) == before
    assert sorted(shop.jobs()) == ["ready"] * 3 + ["uncertain"] * 3
    assert shop("verify") == 0, shop.out
    assert shop.rows("resume", "--after-restore") == [
        {"connector": "toy", "send": 3, "uncertain": 3, "look_up": 0, "too_late": 0}
    ]
    assert shop("resume", "--after-restore", says="add --yes") == 2
    assert shop("resume", "--after-restore", "--yes", says="3 jobs will be sent") == 0
    assert shop("resume", "--after-restore", "--yes", says="nothing waits") == 1
    done = [row.what for row in shop.audited()]
    assert done[-2:] == ["restore", "restore.resume"]


def test_nothing_is_claimed_before_it_is_resumed_but_the_shops_own(shop):
    shop.sale()
    file = backed_up(shop)
    shop.lose()
    assert shop("restore", file) == 0, shop.err
    own = NewJob(uid=new_id("job", shop.do(lambda tx: tx.now)), connector="shop", account="shop",
                 action="x", key="own", effect="upsert", payload=b"{}",
                 due_at=shop.do(lambda tx: tx.now))  # fmt: skip
    shop.do(lambda tx: tx.enqueue(own))
    assert [job.connector for job in claimed(shop)] == ["shop"]
    held = {one["name"]: one["held_reason"] for one in shop.rows("connectors", "status")}
    assert held["toy"] == "the store was restored: hub resume --after-restore"
    assert shop("resume", "--after-restore", "--yes") == 0, shop.err
    assert [job.action for job in claimed(shop)] == ["put"]


def claimed(hub):
    def claim(tx):
        for name in ("toy", "shop"):
            row = {"account": name, "connector": name}
            tx.run(upserting(accounts).values(row).on_conflict_do_nothing())
        room = {"toy": 9, "shop": 9}
        return claims.claim(tx, room, node="n", until=tx.now + timedelta(minutes=1))[0]

    return hub.do(claim)


def test_a_backup_in_a_folder_is_named_by_its_time_and_none_is_written_over(hub):
    assert hub("backup", str(hub.home / "plugins"), says="hub-2") == 0
    [made] = (hub.home / "plugins").glob("hub-*.db")
    assert made.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in (hub.home / "plugins").iterdir() if p.is_file()] == [made.name]
    assert hub("backup", str(made), says="never written over") == 1
    assert hub("backup", "nowhere/x.db") == 1


def test_only_a_backup_is_restored_and_only_into_an_empty_store(hub):
    hub.sale()
    file = backed_up(hub)
    assert hub("restore", file, says="is not empty") == 1
    assert "error[store.restore]" in hub.err
    hub("backup", str(hub.home / "b.db"))
    (hub.home / "other.db").write_bytes(b"no database at all, but some text" * 40)
    (hub.home / "hub.db").rename(hub.home / "old.db")
    assert hub("restore", str(hub.home / "old.db"), says="not a backup made by hub backup") == 1
    assert hub("restore", str(hub.home / "other.db"), says="is no backup") == 1
    assert hub("restore", str(hub.home / "none.db"), says="does not exist") == 1
    assert not (hub.home / "hub.db").exists()
    assert hub("restore", file) == 0, hub.err
    assert sorted(p.name for p in hub.home.glob("hub.db*")) <= ["hub.db", "hub.db.lock"]


def test_a_spoilt_backup_is_refused_and_leaves_the_store_empty(hub):
    for _ in range(20):
        hub.sale()
    file = backed_up(hub)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM job_keys")
    hub_file = hub.home / "hub.db"
    [path.unlink() for path in hub.home.glob("hub.db*")]
    assert hub("restore", file, says="every job has its key") == 1
    assert not hub_file.exists()


def test_a_backup_of_another_key_is_not_made_a_store(hub, monkeypatch):
    hub.sale()
    file = backed_up(hub)
    [path.unlink() for path in hub.home.glob("hub.db*")]
    monkeypatch.setenv("KEY", new_key())
    assert hub("restore", file, says="every sealed value has its key") == 1
