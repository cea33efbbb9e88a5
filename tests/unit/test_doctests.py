"""The examples in docstrings say what the code does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import stitchlab

MODULES = [m.name for m in pkgutil.walk_packages(stitchlab.__path__, "stitchlab.") if not m.name.endswith("__main__")]


def examples(module: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(module)) if test.examples]


EXAMPLES = [test for module in MODULES for test in examples(module)]


def test_there_are_examples() -> None:
    there = {test.name for test in EXAMPLES}
    assert {"stitchlab.request.canonical", "stitchlab.results.activation_layout.layout_of"} <= there


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_example(test: doctest.DocTest) -> None:
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
