"""Serving: a hub started, bound to its address, and drained when it is told to stop."""

import asyncio
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from hub.app import Hub
from hub.config import Config
from webhooks.connections import GuardedRunner

SPARE = 256  # files for all but connections: the store, calls out, logs
KEEPALIVE = 15.0
LINGER = 2.0  # seconds in which an answer given before the whole body came can be read


async def serve(config: Config, read: Callable[[], Config]) -> None:
    """Run a hub until SIGTERM or SIGINT, then drain it.

    Args:
        read: Reads the configuration anew, for reloads.
    """
    listens = config.service.listen
    async with running(Hub(config, read=read)) as hub:
        url = f"http://{listens.host}:{listens.port}"
        hub.log.info("hub serves", url=url, config=config.hash[:12])
        tell_supervisor("READY=1")
        with hangups(hub):
            await until_stopped()
        tell_supervisor("STOPPING=1")
        grace = config.service.shutdown_grace.total_seconds()
        hub.log.info("hub drains", grace_s=grace, node=hub.node)
    hub.log.info("hub stopped")


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """Start a hub and serve it; at the end, or where its address is taken, drain it.

    It first says at /readyz that it goes, and serves on until balancers know: for
    `service.shutdown_delay`. Then it listens no more, ends what is in flight, gives leases back.
    """
    await hub.start()
    try:
        runner = await listen(hub)
        try:
            yield hub
        finally:
            hub.leave()
            runner.leave()
            await hub.clock.sleep(hub.config.service.shutdown_delay.total_seconds())
            hub.drain()
            await runner.cleanup()
    finally:
        await hub.stop()


async def listen(hub: Hub) -> GuardedRunner:
    """Bind the hub's application to its address."""
    service = hub.config.service
    listens, limits = service.listen, service.limits
    runner = GuardedRunner(
        hub.application(),
        head_within=limits.read_within.total_seconds(),
        most=roomy(limits.connections),
        auto_decompress=False,  # bytes arrive as they were sent, and signed
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        access_log=None,
        shutdown_timeout=service.shutdown_grace.total_seconds(),
    )
    await runner.setup()
    try:
        await runner.open(listens.host, listens.port, shared=service.reuse_port)
    except BaseException:
        await runner.cleanup()
        raise
    return runner


def roomy(wanted: int) -> int:
    """Raise the number of files this process may open; give how many connections it then bears."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= wanted + SPARE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + SPARE), hard))
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(wanted, hard - SPARE))


@contextmanager
def hangups(hub: Hub) -> Iterator[None]:
    """Reload on each SIGHUP meanwhile."""
    asked: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        if hub.config.service.reload == "off":
            hub.log.warning("reload is off")
            return
        asked.add(task := asyncio.create_task(hub.reloads.asked("SIGHUP")))
        task.add_done_callback(asked.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()


def tell_supervisor(how: str) -> None:
    """Tell systemd how the process stands, where it asks. Source: sd_notify(3)."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    address = "\0" + where[1:] if where.startswith("@") else where
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.sendto(how.encode(), address)
