"""One sandbox and one hub for all tests that need no other; a shop front of its own for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.shop import Shop
from tests.e2e.stage import QUICK_RETRIES, TRACEBACK, Hub, Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        made.start()
        yield made
        assert TRACEBACK not in made.said(), made.said()
    finally:
        made.kill()


ERP = """\
events: { erp.deal_changed: { schema: any.json } }
routes:
  - { name: erp-deal, on: erp.deal_changed, do: hubspot.upsert_deals, map: erp-deal }
"""
ERP_DEAL = """\
mapping: erp-deal
from: erp.deal_changed
to: hubspot.upsert_deals
map: { shop_order_id: "{{ data.ref }}", properties: { dealstage: "{{ data.stage }}" } }
"""


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("hub")
    (home / "any.json").write_text('{"type": "object"}')
    (home / "erp-deal.yaml").write_text(ERP_DEAL)
    made = Hub(home, sandbox, extra=QUICK_RETRIES + ERP, include="erp-deal.yaml")
    try:
        made.start()
        yield made
        assert made.stop() == 0, made.said()
        said = made.said() + "".join(made.stderr)
        assert TRACEBACK not in said, said
    finally:
        made.kill()


@pytest.fixture
async def shop(hub: Hub) -> AsyncIterator[Shop]:
    async with Shop(hub) as made:
        await made.stock("tee", "mug")
        yield made
        await made.forget_faults()
