"""The examples in the docstrings of the mapping language are true."""

import doctest
import importlib
import pkgutil

import pytest

import mappings

MODULES = [f"mappings.{found.name}" for found in pkgutil.iter_modules(mappings.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 8
