"""Hubs behind pgbouncer in transaction mode, killed at random: nothing is lost or doubled."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tests.chaos.conftest import fresh_database
from tests.chaos.kill_loop import play
from tests.e2e.stage import free_port
from tests.postgres import Postgres

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIG = """\
[databases]
* = host={host} port={at} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
"""


@pytest.fixture
def pooler(crashable: Postgres) -> Iterator[int]:
    """Give the port of a pooler in front of the server; it may not run as root."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed here")
    port, url = free_port(), crashable.url
    home = Path(tempfile.mkdtemp(prefix="hub-pooler-"))
    home.chmod(0o755)
    told = CONFIG.format(host=url.query["host"], at=url.port or 5432, user=url.username, port=port)
    (home / "pgbouncer.ini").write_text(told)
    user = crashable.user if os.getuid() == 0 else None
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(
        [PGBOUNCER, home / "pgbouncer.ini"], user=user, cwd="/", stdout=quiet, stderr=quiet
    )
    yield port
    running.kill()
    running.wait()
    shutil.rmtree(home)


@pytest.mark.timeout(300)
async def test_hubs_behind_a_pooler_lose_nothing_and_do_nothing_twice(
    home: Path, crashable: Any, pooler: int
) -> None:
    url = make_url(await fresh_database(crashable))
    through = url.set(host="127.0.0.1", port=pooler, query={"pooler": "transaction"})
    store = through.render_as_string(hide_password=False)
    verdict = await play(home, store, nodes=2, jobs=300, lanes=30, kills=3, seed=7)
    assert verdict.good, str(verdict)
