"""The rules of the house, held by reading the code: who imports whom, who may need what, how long things are."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]

#: Rooms from the bottom up, each with its wing; a room imports only from lines above its own, or from itself. The
#: ground floor is both wings'. `app` is app.py and pages/, `stitchlab` the public API in the package's __init__.
ORDER: list[tuple[str, list[str]]] = [
    ("ground floor", ["errors"]),
    ("ground floor", ["request"]),
    ("ground floor", ["store"]),
    ("ground floor", ["catalog"]),
    ("ground floor", ["results"]),
    ("reading", ["figures"]),
    ("reading", ["export", "jobs"]),
    ("reading", ["ui"]),
    ("reading", ["app"]),
    ("computing", ["data", "cutting"]),
    ("computing", ["models"]),
    ("computing", ["stitch"]),
    ("computing", ["indices", "ood", "probes"]),
    ("computing", ["grid"]),
    ("computing", ["checks"]),
    ("computing", ["worker"]),
    ("top", ["cli"]),
    ("top", ["stitchlab", "__main__"]),
]
RANK = {room: rank for rank, (_, rooms) in enumerate(ORDER) for room in rooms}
WING = {room: wing for wing, rooms in ORDER for room in rooms}
NO_PACKAGES = {"errors", "request", "app", "stitchlab", "__main__"}
#: The wings from which each may import. The top names what computes only where it is used: the reading commands and
#: `import stitchlab` need no PyTorch.
MAY = {
    "ground floor": {"ground floor"},
    "reading": {"ground floor", "reading"},
    "computing": {"ground floor", "computing"},
    "top": {"ground floor", "reading", "top"},
}

#: What only computes needs, and the reading wing never imports.
COMPUTES = {"torch", "torchvision", "scipy", "sklearn", "threadpoolctl"}
# Pillow is what torchvision reads images with, and Streamlit; threadpoolctl what scikit-learn counts threads with;
# filelock comes with torch: they are there.
BARE = {*COMPUTES, "PIL", "numpy", "safetensors", "filelock", *sys.stdlib_module_names}
#: Packages that only some rooms may import.
ONLY = {
    "streamlit": {"ui", "app"},
    "dask": {"jobs"},
    "distributed": {"jobs"},
    "plotly": {"figures", "ui", "export"},
    "matplotlib": {"export"},
    "kaleido": {"figures", "ui", "export"},
}
MOST_PACKAGES, LONGEST_FILE, LONGEST_FUNCTION = 18, 300, 45

FILES = sorted([*HOUSE.glob("stitchlab/**/*.py"), *HOUSE.glob("pages/*.py"), *HOUSE.glob("app.py")])
IDS = [str(path.relative_to(HOUSE)) for path in FILES]


def room(path: Path) -> str:
    """The room of the ranking that a file belongs to."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    if parts[0] != "stitchlab":
        return "app"
    return "stitchlab" if parts[1] == "__init__" else parts[1]


def imported(node: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported below a node, also within functions; `from stitchlab import x` is
    stitchlab.x."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            assert not found.level, "relative imports hide who imports whom"
            if found.module == "stitchlab":
                yield from (f"stitchlab.{alias.name}" for alias in found.names)
            else:
                yield str(found.module)


class _AtOnce(ast.NodeTransformer):
    """Leaves out what is imported on use only: functions, and what is there for types alone."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def at_once(path: Path) -> set[str]:
    """Dotted names of what a file imports when it is itself imported."""
    return set(imported(_AtOnce().visit(tree(path))))


def rooms_of(names: Iterable[str]) -> set[str]:
    """The rooms of these dotted names; what is no module is a name of the public API, in the package's __init__."""
    parts = [[*name.split("."), ""] for name in names]
    return {part[1] if part[1] in RANK else "stitchlab" for part in parts if part[0] == "stitchlab"}


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 80
    assert "stitchlab.request" in set(imported(tree(HOUSE / "stitchlab" / "store" / "__init__.py")))
    assert "stitchlab.results.networks" in set(imported(tree(HOUSE / "stitchlab" / "models" / "store.py")))
    public = HOUSE / "stitchlab" / "__init__.py"
    assert "stitchlab.models.store" in set(imported(tree(public)))
    assert "stitchlab.models.store" not in at_once(public)
    assert "typing" in at_once(public)


def test_every_room_has_its_place_and_every_place_its_room() -> None:
    there = {room(path) for path in FILES}
    assert there == set(RANK), "say in ORDER where each stands"
    packages = {path.parent for path in HOUSE.glob("stitchlab/*/*.py")}
    assert {path.name for path in packages} == set(RANK) - NO_PACKAGES
    assert len(packages) <= MOST_PACKAGES
    for path in packages:
        assert ast.get_docstring(tree(path / "__init__.py")), f"{path.name} does not say what it is"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_one_way(path: Path) -> None:
    mine = room(path)
    for theirs in rooms_of(imported(tree(path))) - {mine}:
        assert RANK[theirs] < RANK[mine], f"{mine} imports {theirs}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_wing_imports_the_other(path: Path) -> None:
    mine = room(path)
    names = at_once(path) if WING[mine] == "top" else set(imported(tree(path)))
    for theirs in rooms_of(names):
        assert WING[theirs] in MAY[WING[mine]], f"{mine} ({WING[mine]}) imports {theirs} ({WING[theirs]})"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_some_need_what_not_everybody_has(path: Path) -> None:
    mine = room(path)
    needs = {name.split(".")[0] for name in imported(tree(path))} - {"stitchlab"}
    for package, rooms in ONLY.items():
        assert package not in needs or mine in rooms, f"{mine} needs {package}"
    if WING[mine] == "computing":
        assert needs <= BARE, "a bare GPU machine is enough"
    elif WING[mine] == "top":
        assert not {name.split(".")[0] for name in at_once(path)} & COMPUTES
    else:
        assert not needs & COMPUTES


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_are_short_and_say_what_they_are(path: Path) -> None:
    text, whole = path.read_text(), tree(path)
    assert len(text.splitlines()) <= LONGEST_FILE
    long = {
        node.name: length
        for node in ast.walk(whole)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert not long
    assert ast.get_docstring(whole) or not text.strip(), "the first lines say what the file is"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_is_a_pickle(path: Path) -> None:
    needs = set(imported(tree(path)))
    assert not {"pickle", "shelve", "joblib", "dill", "cloudpickle"} & {name.split(".")[0] for name in needs}
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        name, keywords = ast.unparse(call.func), {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert name != "torch.save"
        if name == "torch.load":
            assert keywords.get("weights_only") == "True"
        if name in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle", "False") == "False"


def test_the_public_api_is_sorted_and_there() -> None:
    import stitchlab

    assert list(stitchlab.__all__) == sorted(stitchlab.__all__)
    assert all(hasattr(stitchlab, name) for name in stitchlab.__all__)
    assert not [name for name in stitchlab.__all__ if re.match("_", name)]
