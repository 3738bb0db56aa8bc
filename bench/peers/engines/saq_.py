"""SAQ on Redis, appendfsync=always."""

from common import AT_ONCE, REDIS, call, main
from saq import Queue, Worker

queue = Queue.from_url(REDIS)


async def task(_: object, *, n: int) -> None:
    await call(n)


async def fill(count: int) -> None:
    await queue.connect()
    for n in range(count):
        await queue.enqueue("task", n=n, retries=10, timeout=30)
    await queue.disconnect()


async def work() -> None:
    await Worker(queue, functions=[("task", task)], concurrency=AT_ONCE).start()


main(fill, work)
