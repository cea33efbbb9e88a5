"""Every result says how it was computed, and run.json all that computing it again takes."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import scipy
import sklearn
import torch
from grids import COLUMNS, ROWS, made

import stitchlab
from stitchlab.export.tables import run_json
from stitchlab.models import store as model_store
from stitchlab.ood.evaluate import detect
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.results import networks, trajectory, version
from stitchlab.results.detection import NATIVE, STATISTICS, SetName
from stitchlab.results.run import Run
from stitchlab.store import Store

CELL = (ROWS[1], COLUMNS[0])
VERSIONS = {
    "stitchlab": version.VERSION,
    "scipy": scipy.__version__,
    "scikit-learn": sklearn.__version__,
    "torch": torch.__version__,
}


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((Path(stitchlab.__file__).parents[1] / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "stitchlab/results/version.py"}
    assert stitchlab.__version__ == version.VERSION


def test_run_json_says_what_repeating_takes(store: Store) -> None:
    torch_threads = torch.get_num_threads()
    told = json.loads(run_json(made(store, methods=["dm"], indices=["cka"])))
    assert told["stitchlab"] == version.VERSION
    assert VERSIONS.items() <= told["versions"][0].items()
    assert told["threads"] == [torch_threads]
    for side in ("front", "end"):
        module = model_store.load(told["request"][side], store, device="cpu").module
        sha = hashlib.sha256()
        for name, tensor in sorted(module.state_dict().items()):
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode() + tensor.numpy().tobytes())
        assert told["weights"][side] == sha.hexdigest()
    assert (told["data"]["train"], told["data"]["test"]) == (1257, 540)
    assert told["end"]["origin"]["stitchlab"] == version.VERSION
    assert told["end"]["origin"]["threads"] == torch_threads


def test_weights_that_are_gone_are_said_to_be(run: Run) -> None:
    networks.delete(run.store, run.request.front)
    weights = Run.load(run.id, run.store).provenance()["weights"]
    assert weights["front"] is None
    assert len(weights["end"]) == 64


def test_what_detectors_say_says_how_it_was_computed(run: Run) -> None:
    found = detect(run, detectors=["knn"], device="cpu")
    compute_trajectory(run, *CELL, torch.device("cpu"))
    walked = trajectory.kept(run, *CELL)
    assert walked is not None
    sets: list[tuple[SetName, str]] = [(NATIVE, ""), ("tlm", CELL[0]), ("dm", CELL[0])]
    entries = [found.entry(name, method, i, CELL[1]) for name in ("knn", STATISTICS) for method, i in sets]
    for entry in (*entries, walked[0]):
        assert entry is not None
        assert VERSIONS.items() <= entry["versions"].items()
        assert entry["device"].startswith("cpu on ")
        assert entry["seconds"] > 0
        assert entry["computed"].endswith("+00:00")
        assert entry["threads"] == torch.get_num_threads()
