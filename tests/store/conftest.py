"""A store of each sort, fresh, a clock that is told, and jobs to put in."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import ManualClock
from hub.ids import new_id
from hub.model import NewJob
from hub.secrets import Secret
from store.crypto import new_key
from store.store import Store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key() -> Secret:
    return Secret(new_key(), "test")


@pytest.fixture
async def store(store_url: str, clock: ManualClock, key: Secret) -> AsyncIterator[Store]:
    opened = await Store.open(store_url, keys=[key], clock=clock, served=True)
    await opened.know_accounts(["crm", "mail"])
    yield opened
    await opened.close()


@pytest.fixture
async def file_store(tmp_path: Path, clock: ManualClock, key: Secret) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/hub.db", keys=[key], clock=clock, served=True)
    yield opened
    await opened.close()


@pytest.fixture
def job(clock: ManualClock) -> Callable[..., NewJob]:
    def make(**more: object) -> NewJob:
        uid = new_id("job", clock.now())
        base = {
            "uid": uid,
            "connector": "crm",
            "account": "crm",
            "action": "upsert",
            "key": uid,
            "effect": "upsert",
            "payload": b"{}",
            "due_at": clock.now(),
        }
        made = base | more
        made["account"] = made["connector"]
        return NewJob(**made)  # type: ignore[arg-type]

    return make


@pytest.fixture
def lease(clock: ManualClock) -> Callable[[], object]:
    return lambda: clock.now() + timedelta(seconds=60)
