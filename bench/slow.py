"""Ingest on a slow disk: how little that should matter."""

import asyncio
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bench.load import Events
from bench.rounds import Rate
from bench.served import HubServed, Setting
from bench.stores import DURABLE, database
from bench.whole import POSTGRES, SQLITE, Rung, begin, measured, taken
from tests.postgres import own_server

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slow(const char *name, int file) {
    usleep(2000);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return slow("fsync", file); }
int fdatasync(int file) { return slow("fdatasync", file); }
"""


async def slow(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare ingest on this disk with one whose every fsync takes 2 ms longer."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("slow: left out, as no C compiler (cc) is here to make the disk slow")
        return []
    its = Events()
    async with AsyncExitStack() as ends:
        rungs = []
        for n, disk in enumerate(("this disk", "+2 ms an fsync")):
            server = own_server(DURABLE)
            ends.callback(server.stop)
            shim = await _shim(compiler, server.home) if n else None
            with patch.dict(os.environ, {"LD_PRELOAD": str(shim)} if shim else {}):
                server.restart()
            url = await database(server, "slow")
            file = Setting(store=f"sqlite:///{folder}/{n}.db", paused=True)
            there = Setting(store=url, paused=True)
            made = {SQLITE: HubServed(folder / f"{n}-s", file, preload=shim),
                    POSTGRES: HubServed(folder / f"{n}-p", there, database=server)}  # fmt: skip
            for store, hub in made.items():
                begin(hub, ends)
                rungs.append(Rung(name=f"{store}, {disk}", base=f"{store}, this disk", served=[hub],
                                  work=partial(taken, its, hub)))  # fmt: skip
        rungs.sort(key=lambda rung: rung.base, reverse=True)
        return await measured(rungs, count, rounds)


async def _shim(compiler: str, home: Path) -> Path:
    """Compile it where the database's user may read it."""
    (home / "slow.c").write_text(SHIM)
    shim = home / "slow.so"
    words = [compiler, "-shared", "-fPIC", "-o", str(shim), str(home / "slow.c"), "-ldl"]
    await asyncio.to_thread(subprocess.run, words, check=True)
    return shim
