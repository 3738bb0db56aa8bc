"""How far delivery is behind: what waits for a provider's sake is not the hub's backlog."""

from datetime import timedelta

from store import pauses
from store.standing import oldest_due


async def test_the_oldest_due_is_of_accounts_that_take_calls(store, job, clock) -> None:
    began = clock.now()
    assert await store.look(oldest_due) is None
    await store.write(lambda tx: tx.enqueue(job(connector="mail")))
    clock.advance(60)
    second = clock.now()
    await store.write(lambda tx: tx.enqueue(job(), job(due_at=second + timedelta(hours=1))))
    assert await store.look(oldest_due) == began
    await store.change(lambda tx, name: pauses.pause(tx, name, by="ana"), "mail")
    assert await store.look(oldest_due) == second
    await store.change(lambda tx, name: pauses.pause(tx, name, by="ana"), "crm")
    assert await store.look(oldest_due) is None
