"""Gives the contract suite every connector's folder: those shipped, and the toy."""

from pathlib import Path

import pytest

from hub import testing

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "connectors"


def folders() -> list[Path]:
    return [HERE / "toy", *sorted(path.parent for path in SHIPPED.glob("*/__init__.py"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = [case for folder in folders() for case in testing.cases(folder)]
        metafunc.parametrize("case", found, ids=str)
    if "folder" in metafunc.fixturenames:
        metafunc.parametrize("folder", folders(), ids=lambda folder: folder.name)
