"""What being watched and sealed costs: the same hub with metrics, logs, traces, encryption, or not.

What is off is taken out of the process before it starts, by this module run as a program; a hub
has no such switch. Traces go to a collector in the bench's own process, which is not counted.
"""

import logging
import runpy
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.load import Events
from bench.rounds import Rate

FEATURES = ("metrics", "logs", "traces", "encryption")
SAMPLED = "all on, one trace in ten"
ONE_IN_TEN = {
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.1",
}
OVERHEAD = 13  # bytes before what is sealed: the key's id and the nonce


async def costs(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare hubs on SQLite from a webhook to its three calls: nothing on, all on, all but one."""
    from bench.served import HubServed, Setting  # noqa: PLC0415 -- not where this is a program
    from bench.whole import Rung, begin, ground, measured, through  # noqa: PLC0415

    cases = {"nothing on": set(FEATURES), "all on": set(), SAMPLED: set()}
    cases |= {f"all but {one}": {one} for one in FEATURES}
    events = Events()
    async with ground() as (target, _, ends), collector() as told:
        rungs = []
        for name, off in cases.items():
            file = f"sqlite:///{folder}/{name.replace(' ', '-')}.db"
            hub = HubServed(folder / name, Setting(store=file, port=target.port))
            hub.words = ["-m", "bench.costs", *sorted(off), *hub.words[1:]]
            hub.env |= {} if "traces" in off else {"OTEL_EXPORTER_OTLP_ENDPOINT": told}
            hub.env |= ONE_IN_TEN if name == SAMPLED else {}
            begin(hub, ends)
            work = partial(through, events, target, [hub])
            rungs.append(Rung(name=name, served=[hub], work=work))
        return await measured(rungs, count, rounds)


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    """Take what traces tell, and forget it; give its address."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", take)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def no_metrics() -> None:
    """Count and time nothing."""
    from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415

    for kind, names in ((Counter, ("inc",)), (Histogram, ("observe",)), (Gauge, ("set", "inc"))):
        for name in names:
            setattr(kind, name, lambda *_: None)
        kind.labels = lambda self, *_, **__: self  # type: ignore[method-assign]


def no_logs() -> None:
    """Write no line, and make none."""
    import structlog  # noqa: PLC0415

    from hub import log  # noqa: PLC0415

    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)

    def setup(**_: Any) -> None:
        structlog.configure(wrapper_class=silent)

    log.setup = setup
    log.get = lambda _: structlog.get_logger()


def no_encryption() -> None:
    """Keep what is sealed as it is, at the same length."""
    from store.crypto import Cipher  # noqa: PLC0415

    head = bytes(OVERHEAD - 1)
    Cipher.seal = lambda self, value, _: self.first + head + value  # type: ignore[method-assign]
    Cipher.open = lambda _, sealed, __: sealed[OVERHEAD:]  # type: ignore[method-assign]


WITHOUT: Mapping[str, Callable[[], None]] = {
    "metrics": no_metrics, "logs": no_logs, "encryption": no_encryption,
    "traces": lambda: None,  # the environment names no collector
}  # fmt: skip


def main() -> None:
    """Run `hub` without what the first words name."""
    while (name := sys.argv[1]) in WITHOUT:
        WITHOUT[name]()
        del sys.argv[1]
    module = sys.argv.pop(1)
    sys.argv[0] = module
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
