"""The rules of the house, held by reading the code: who imports whom, who may need what, how long things are."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]

#: Modules and packages from the bottom up; each imports only from lines above its own, or from its own package.
#: `stitchlab` is the public API in the package's __init__, `app` is app.py and pages/.
ORDER = [
    ["errors"],
    ["spec", "memory", "folding"],
    ["store"],
    ["uploads"],
    ["folder"],
    ["dataset"],
    ["data"],
    ["cuts", "logits"],
    ["zoo", "attack", "importing", "tracing"],
    ["graph", "hooks", "training"],
    ["layers", "networks"],
    ["outline"],
    ["making", "controls", "catalogue"],
    ["stitch"],
    ["indices", "ood"],
    ["run"],
    ["cost"],
    ["units"],
    ["grid"],
    ["distribution"],
    ["side"],
    ["judge", "walk"],
    ["stitchlab"],
    ["demo"],
    ["checks"],
    ["tasks"],
    ["jobs"],
    ["figures"],
    ["export"],
    ["cli"],
    ["ui", "__main__"],
    ["app"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}

# Pillow is what torchvision reads images with, threadpoolctl what scikit-learn counts threads with: they are there.
BARE = {"torch", "torchvision", "PIL", "numpy", "scipy", "sklearn", "threadpoolctl", "safetensors",
        *sys.stdlib_module_names}
LONGEST_FILE, LONGEST_FUNCTION = 300, 45

FILES = sorted([*HOUSE.glob("stitchlab/**/*.py"), *HOUSE.glob("pages/*.py"), *HOUSE.glob("app.py")])
IDS = [str(path.relative_to(HOUSE)) for path in FILES]


def owner(path: Path) -> str:
    """The module or package of the ranking that a file belongs to."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    if parts[0] != "stitchlab":
        return "app"
    return "stitchlab" if parts[1] == "__init__" else parts[1]


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, also within functions; `from stitchlab import x` is stitchlab.x."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide who imports whom"
            if node.module == "stitchlab":
                yield from (f"stitchlab.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 30
    assert "stitchlab.spec" in set(imported(HOUSE / "stitchlab" / "store.py"))
    assert "stitchlab.networks" in set(imported(HOUSE / "stitchlab" / "grid.py"))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_module_has_its_place(path: Path) -> None:
    assert owner(path) in RANK, f"say in ORDER where {owner(path)} stands"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_one_way(path: Path) -> None:
    mine = owner(path)
    for name in imported(path):
        if name.split(".")[0] != "stitchlab":
            continue
        theirs = [*name.split("."), ""][1]
        # What is no module is a name of the public API, which the package's __init__ gives.
        theirs = theirs if theirs in RANK else "stitchlab"
        assert theirs == mine or RANK[theirs] < RANK[mine], f"{mine} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_some_need_what_not_everybody_has(path: Path) -> None:
    mine = owner(path)
    needs = {name.split(".")[0] for name in imported(path)} - {"stitchlab"}
    if mine not in ("ui", "app"):
        assert "streamlit" not in needs
    if mine != "jobs":
        assert not {"dask", "distributed"} & needs
    if mine not in ("figures", "ui", "export"):
        assert not {"plotly", "kaleido"} & needs
    if RANK[mine] <= RANK["demo"]:
        assert needs <= BARE, "from the grid downward a bare GPU machine is enough"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LONGEST_FILE
    long = {
        node.name: length for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert not long
    assert ast.get_docstring(tree) or not text.strip(), "the first lines say what the file is"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_is_a_pickle(path: Path) -> None:
    needs = set(imported(path))
    assert not {"pickle", "shelve", "joblib", "dill", "cloudpickle"} & {name.split(".")[0] for name in needs}
    for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
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
