"""The public API: loaded on use (PEP 562), the same for editors, notebooks and those who have no PyTorch."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
from blocked import python

import stitchlab

FILE = Path(stitchlab.__file__)


def typed() -> dict[str, str]:
    """What type checkers are told: each name with where it comes from, ``module:name``."""
    blocks = [node for node in ast.parse(FILE.read_text()).body
              if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    assert len(blocks) == 1
    imports = [node for node in blocks[0].body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(blocks[0].body)
    return {alias.asname or alias.name: f"{node.module}:{alias.name}" for node in imports for alias in node.names}


def test_type_checkers_are_told_what_is_loaded() -> None:
    told = typed()
    assert told == {name: f"stitchlab.{place}" for name, place in stitchlab._PLACES.items()}
    assert list(stitchlab.__all__) == sorted(told.keys() - {"__version__"})


@pytest.mark.parametrize("name", stitchlab.__all__)
def test_every_name_is_what_its_module_has(name: str) -> None:
    module, _, called = typed()[name].partition(":")
    assert getattr(stitchlab, name) is getattr(importlib.import_module(module), called)
    assert name in dir(stitchlab)


def test_what_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'stitchlab' has no attribute 'stich'"):
        stitchlab.stich  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'stich'"):
        exec("from stitchlab import stich")
    assert not hasattr(stitchlab, "_nothing")


def test_importing_it_loads_nothing_and_using_a_name_loads_that() -> None:
    done = python(
        "import sys, stitchlab\n"
        "print(*sorted(name for name in sys.modules if name.startswith('stitchlab')))\n"
        "print(*(name for name in stitchlab.__all__ if name not in dir(stitchlab)))\n"
        "from stitchlab import Store, list_runs, Request\n"
        "assert stitchlab.Store is Store\n"
        "print('numpy' in sys.modules, 'torch' in sys.modules)\n"
        "try:\n    stitchlab.compare\nexcept ImportError as error:\n    print(error.name)\n", blocked=True)
    assert done.returncode == 0, done.stderr
    loaded, absent, used, missing = done.stdout.split("\n")[:4]
    assert (loaded, absent, used) == ("stitchlab", "", "True False")
    assert missing in ("torch", "torchvision", "scipy", "sklearn")
