"""S7: slow and silent callers are cut off, and keep nobody out. The bench gives heads 0.3 s."""

import asyncio
import resource

import pytest

from hub.serving import SPARE, roomy
from tests.webhooks.conftest import body

HALF = {
    "silent": b"",
    "half a head": b"POST /webhooks/toy HTTP/1.1\r\nHost: x\r\n",
    "half a line": b"POST /webh",
}


@pytest.fixture(autouse=True)
def _many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    roomy(1200)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def store_url(tmp_path) -> str:
    """No store differs here."""
    return f"sqlite:///{tmp_path}/hub.db"


async def opened(bench):
    host, port = bench.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def ended(reader) -> bool:
    """Wait until the other side has ended the connection."""
    try:
        while await asyncio.wait_for(reader.read(1024), 20):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("what", HALF)
async def test_s7_a_head_that_does_not_come_ends_the_connection(bench, what) -> None:
    reader, writer = await opened(bench)
    writer.write(HALF[what])
    assert await ended(reader)
    writer.close()


async def test_s7_a_head_that_drips_ends_the_connection(bench) -> None:
    reader, writer = await opened(bench)
    over = asyncio.create_task(ended(reader))
    for byte in b"POST /webhooks/toy HTTP/1.1\r\nX-Slow: " + b"x" * 400:
        if over.done():
            break
        writer.write(bytes([byte]))
        await asyncio.wait([over], timeout=0.02)
    assert over.done()
    writer.close()


async def test_s7_500_half_open_connections_are_all_closed_and_keep_no_good_one_out(bench) -> None:
    reached = [await opened(bench) for _ in range(500)]  # past the bench's cap of 400
    for n, (_, writer) in enumerate(reached):
        writer.write(list(HALF.values())[n % 3])
    assert [await bench.post(body(f"e{n}")) for n in range(20)] == [200] * 20
    assert all(await asyncio.gather(*(ended(reader) for reader, _ in reached)))
    for _, writer in reached:
        writer.close()
    assert (await bench.stored())[1] == 20


async def test_s7_a_connection_that_has_spoken_may_pause_between_requests(bench) -> None:
    reader, writer = await opened(bench)
    for _ in range(3):
        writer.write(b"GET /webhooks/toy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 405")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b"405: Method Not Allowed"))
        with pytest.raises(TimeoutError):  # nobody ends it, past the time for a first head
            await asyncio.wait_for(reader.read(1), 0.5)
    writer.close()


async def test_s7_at_its_limit_the_longest_waiting_makes_room(bench) -> None:
    first, *others = [await opened(bench) for _ in range(400)]
    assert await bench.post(body("e1")) == 200
    assert await ended(first[0])
    for _, writer in (first, *others):
        writer.close()


def test_the_limit_of_open_files_is_raised_to_what_is_wanted():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert roomy(100) == 100
    assert roomy(hard * 2 if hard > 0 else 1) <= max(hard - SPARE, 1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= soft
