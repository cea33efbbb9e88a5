"""The two wings: what reads runs where importing PyTorch, torchvision, SciPy and scikit-learn fails."""

from __future__ import annotations

import json
import pkgutil
import shutil

import pytest
import reading
import torch
from blocked import COMPUTES, HOUSE, python
from grids import COLUMNS, ROWS

from stitchlab.__main__ import main
from stitchlab.ood.evaluate import detect
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.results.run import list_runs
from stitchlab.store import Store
from unit.test_imports import RANK, WING

CELL = (ROWS[1], COLUMNS[0])
READING = {name for name in RANK if WING[name] != "computing"} - {"app", "stitchlab", "__main__"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(HOUSE / "stitchlab")], "stitchlab.")
    if module.name.split(".")[1] in READING
)


@pytest.fixture(scope="module")
def judged(finished_grid: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The finished grid with what a detector says, and the walk of a cell. Only read it."""
    root = tmp_path_factory.mktemp("judged") / "cache"
    shutil.copytree(finished_grid.root, root)
    store = Store(root)
    (run,) = list_runs(store)
    detect(run, detectors=["knn"], device="cpu")
    compute_trajectory(run, *CELL, torch.device("cpu"))
    return store


@pytest.mark.parametrize("name", [*COMPUTES, "torch.nn", "scipy.linalg", "sklearn.datasets"])
def test_what_computes_cannot_be_imported_there(name: str) -> None:
    done = python(f"try:\n    import {name}\nexcept ImportError as error:\n    print(error.name)")
    assert done.stdout.strip() == name.partition(".")[0], done.stderr
    assert python(f"import {name}").returncode == 1


def test_every_module_that_reads_is_imported() -> None:
    assert {
        "stitchlab.results.resolve",
        "stitchlab.jobs.local_cluster",
        "stitchlab.ui.cell",
        "stitchlab.cli.runs",
    } <= set(MODULES)
    done = python(
        "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('stitchlab.')))",
        *MODULES,
    )
    assert done.returncode == 0, done.stderr
    there = set(done.stdout.split())
    assert set(MODULES) <= there
    assert {name.split(".")[1] for name in there} <= READING, "the computing wing was imported"


def test_all_that_reads_says_the_same_without_pytorch(judged: Store) -> None:
    done = python("import sys, reading\nprint(reading.told(sys.argv[1]))", str(judged.root))
    assert done.returncode == 0, done.stderr
    here = reading.told(str(judged.root))
    assert done.stdout.strip() == here
    said = json.loads(here)
    (run,) = said["runs"]
    assert run["complete"]
    assert run["again"] == run["id"]
    assert run["missing"] == []
    assert run["cells.csv"].count("\n") == 1 + 4 * 18
    assert run["draft"][:2] == ["", True]
    assert run["draft"][3]["front_layers"] == [f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1)]
    assert "knn,auroc,0." in run["ood.csv"]
    assert [walk is not None for walk in run["walks"]] == [(i, j) == CELL for j in COLUMNS for i in ROWS]
    assert len(run["ranks"]) == 4 * 2
    assert len(run["figures"]) == 7 * 3 + 4 + 2, "seven metrics of TLM, DM and their difference; indices; a detector"
    assert not any(said["files"].values())
    assert [network["confusion"] is not None for network in said["networks"]] == [True, True, False]


def command(store: Store, *arguments: str) -> tuple[int, str]:
    """Exit status and stdout of a command where what computes cannot be imported."""
    done = python(
        "from stitchlab.__main__ import main\nimport sys\nsys.exit(main())",
        *arguments,
        STITCHLAB_CACHE=str(store.root),
        COLUMNS="100",
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["show", "RUN"],
        ["networks"],
        ["data"],
        ["layers", "digits-a"],
        ["layers", "digits-b", "--json"],
    ],
)
def test_reading_commands_say_the_same_without_pytorch(
    judged: Store, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(judged.root))
    said = [list_runs(judged)[0].id if word == "RUN" else word for word in words]
    capsys.readouterr()
    assert main(said) == 0
    here = capsys.readouterr().out
    assert here.strip()
    assert command(judged, *said) == (0, here)


def test_a_run_is_deleted_without_pytorch(done: Store) -> None:
    (run,) = list_runs(done)
    status, said = command(done, "delete", run.id)
    assert (status, said.startswith(f"deleted {run.id}")) == (0, True)
    assert list_runs(done) == []
    assert not list((done.root / "cells").iterdir())


def commands() -> list[str]:
    """The names of all commands, as --help lists them."""
    text = python("from stitchlab.__main__ import main\nmain(['--help'])", COLUMNS="100").stdout
    return [
        line.split()[0]
        for line in text.partition("COMMAND\n")[2].splitlines()
        if line.startswith("    ") and not line.startswith("     ")
    ]


def test_the_help_of_every_command_is_there_without_pytorch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    there = commands()
    assert {
        "train",
        "import",
        "networks",
        "data",
        "layers",
        "compare",
        "ood",
        "runs",
        "show",
        "delete",
        "export",
    } <= set(there)
    code = (
        "from stitchlab.__main__ import main\nimport sys\nfor name in sys.argv[1:]:\n    try:\n"
        "        main([name, '--help'])\n    except SystemExit as end:\n        assert end.code == 0, name\n"
    )
    done = python(code, *there, COLUMNS="100")
    assert done.returncode == 0, done.stderr
    capsys.readouterr()
    for name in there:
        with pytest.raises(SystemExit):
            main([name, "--help"])
    assert done.stdout == capsys.readouterr().out
