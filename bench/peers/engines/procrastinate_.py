"""procrastinate on PostgreSQL, synchronous_commit=on."""

import procrastinate
from common import AT_ONCE, DATABASE, call, main

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DATABASE, max_size=16))


@app.task(name="call", retry=10)
async def task(n: int) -> None:
    await call(n)


async def fill(count: int) -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await task.batch_defer_async(*({"n": n} for n in range(count)))


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=AT_ONCE, install_signal_handlers=False)


main(fill, work)
