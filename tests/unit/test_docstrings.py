"""Docstrings of public functions begin in the imperative, and say what each parameter holds where there are several."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "stitchlab").rglob("*.py"))
SEVERAL = 3  # parameters, from which on each is explained
#: What a first line that is no sentence, or not in the imperative, begins with.
NO_VERB = {
    "A",
    "All",
    "An",
    "Each",
    "Every",
    "For",
    "How",
    "In",
    "Its",
    "No",
    "Of",
    "One",
    "The",
    "What",
    "Where",
    "Whether",
    "Which",
    "Why",
}


Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(body: list[ast.stmt]) -> Iterator[Function]:
    """Public functions of a module, and public methods of its public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            yield node


def parameters(function: Function) -> list[str]:
    given = function.args
    some = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [one.arg for one in some if one.arg not in ("self", "cls")]


def unexplained(function: Function) -> list[str]:
    """Parameters that the docstring does not name behind its ``Args:``."""
    names = parameters(function)
    told = (ast.get_docstring(function) or "").partition("Args:")[2]
    return [name for name in names if not re.search(rf"\b{name}\b", told)] if len(names) >= SEVERAL else []


def verbless(function: Function) -> bool:
    """Whether the first line of a docstring begins with no verb, or with one in the third person."""
    first = (ast.get_docstring(function) or "").partition(" ")[0].rstrip(",.:")
    return first in NO_VERB or (first.endswith("s") and not first.endswith("ss"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_public_functions_say_what_they_do_and_what_each_parameter_holds(path: Path) -> None:
    functions = list(public(ast.parse(path.read_text()).body))
    assert not {function.name: lacking for function in functions if (lacking := unexplained(function))}
    assert not [function.name for function in functions if verbless(function)]


def test_what_is_not_explained_is_found() -> None:
    said = ast.parse('def f(a, b, *, c):\n    """Do it. Args: a, c: what is done."""').body
    assert [unexplained(function) for function in public(said)] == [["b"]]
    assert [verbless(function) for function in public(said)] == [False]
    for line in ("The table.", "Draws it."):
        assert [verbless(f) for f in public(ast.parse(f'def f():\n    """{line}"""').body)] == [True]
