"""The store does what a plain model does, whatever happens in whatever order.

`make model` runs it at length. A suite that finds nothing proves nothing: so each planted fault
must be caught.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.model.faults import BOTH, FAULTS
from tests.model.run import caught, mean, run, shares
from tests.model.stage import Memory, Server, Stage

STEPS = 20
SHORT = {"sqlite": 120, "postgres": 15}
RULES = 30
ENOUGH = 300


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Stage]:
    with closing(Memory()) as stage:
        yield stage


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    with closing(Server(request.getfixturevalue("database"))) as made:
        yield made


@pytest.mark.parametrize("stage", SHORT, indirect=True)
def test_the_store_does_what_the_model_says(stage, request) -> None:
    examples = SHORT[request.node.callspec.params["stage"]]
    runs = run(stage, examples=examples, steps=STEPS)
    assert len(runs) >= examples
    assert mean(runs) > STEPS * 0.8
    assert len(shares(runs)) >= RULES, shares(runs)


PLANTED = [
    pytest.param(fault, fault.stores[0], id=f"{fault.name}, {fault.stores[0]}") for fault in FAULTS
]


@pytest.mark.parametrize(("fault", "stage"), PLANTED, indirect=["stage"])
def test_a_planted_fault_is_caught(fault, stage) -> None:
    assert caught(fault, stage, examples=ENOUGH)


def test_ten_faults_and_more_can_be_planted_in_either_store() -> None:
    assert sum(fault.stores == BOTH for fault in FAULTS) >= 10
    assert sum("postgres" in fault.stores for fault in FAULTS) >= 13
