"""taskiq on Redis streams, appendfsync=always; run by its own command line."""

from common import AT_ONCE, REDIS, call, main
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=REDIS)


@broker.task(task_name="call")
async def task(n: int) -> None:
    await call(n)


async def fill(count: int) -> None:
    await broker.startup()
    for n in range(count):
        await task.kiq(n)
    await broker.shutdown()


async def work() -> None:
    broker.is_worker_process = True
    await run_receiver_task(broker, max_async_tasks=AT_ONCE, run_startup=True)


main(fill, work)
