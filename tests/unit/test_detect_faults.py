"""What a second reading found: lost maps, cells named twice, too few images, nothing to learn from, no file's name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, ROWS, harm, made

from stitchlab.__main__ import main
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.errors import StitchLabError
from stitchlab.ood import reference as side
from stitchlab.ood.detectors.frechet import RowMoments, frechet
from stitchlab.ood.evaluate import activations_of, detect
from stitchlab.ood.inputs import Native, Score
from stitchlab.ood.outliers import outliers
from stitchlab.request import Detection
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.detection import STATISTICS, DetectionResults, SetName
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run
from stitchlab.store import Store

CELL = (ROWS[1], COLUMNS[0])


def test_a_lost_map_is_trained_again_but_not_while_a_page_waits(run: Run) -> None:
    path = run.store.path("maps", map_key(run.request, "tlm", *CELL), ".safetensors")
    path.unlink()
    assert set(activations_of(run, 0, *CELL)) == {"native", "dm"}
    assert not path.exists()
    detect(run, detectors=["knn"], cells=[("tlm", *CELL)], device="cpu")
    assert path.exists()
    assert set(activations_of(run, 0, *CELL)) == {"native", "tlm", "dm"}


@pytest.mark.parametrize("loss", ["lost", "damaged"])
@pytest.mark.parametrize("who", ["native", "tlm"])
@pytest.mark.parametrize("name", ["knn", STATISTICS])
def test_lost_scores_and_statistics_are_computed_again(run: Run, name: str, who: SetName, loss: str) -> None:
    found = detect(run, detectors=["knn"], device="cpu")
    asked = (name, who, "" if who == "native" else CELL[0], CELL[1])
    path = run.store.path("ood", found.key(*asked), ".safetensors")
    before = {key: value.copy() for key, value in found.arrays(*asked).items()}  # they are mapped from the file
    path.unlink() if loss == "lost" else harm(path)
    now = DetectionResults(run)
    assert now.entry(*asked) is None
    assert now.arrays(*asked) == {}
    assert set(now.lacking(["knn", STATISTICS], now.cells)) == {CELL[1]}
    after = detect(run, detectors=["knn"], device="cpu").arrays(*asked)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_each_detector_that_learns_has_a_memory_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    recalled: dict[str, Any] = {}

    def learner(name: str) -> Callable[[Native], Score]:
        def fit(native: Native) -> Score:
            recalled[name] = native.recall()
            native.remember({"which": torch.tensor(len(name))})
            return lambda batch: np.zeros(len(batch))

        return fit

    for name in ("one", "another"):
        monkeypatch.setitem(DETECTORS, name, replace(DETECTORS["energy"], name=name))
        monkeypatch.setitem(sys.modules, f"stitchlab.ood.detectors.{name}", SimpleNamespace(**{name: learner(name)}))
    for _ in range(2):
        side._references.clear()
        for path in (run.store.root / "ood").glob("*"):
            path.unlink()
        detect(run, detectors=["one", "another"], cells=[("dm", *CELL)], device="cpu")
    assert {name: state["which"].item() for name, state in recalled.items()} == {"one": 3, "another": 7}


def test_a_cell_named_twice_is_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detect(run, detectors=["knn"], cells=[("tlm", *CELL)] * 2, device="cpu")
    monkeypatch.setenv("STITCHLAB_CACHE", str(run.store.root))
    tables = []
    for pair in (":".join(CELL), f"{':'.join(CELL)},{':'.join(CELL)}"):
        assert main(["ood", run.id, "--detectors", "knn", "--cells", pair]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


@pytest.mark.parametrize("options", [["--training-outliers", ""], ["--out", "."], ["--out", "/"]])
def test_mistakes_are_one_line(
    options: list[str], run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(run.store.root))
    assert main(["ood", run.id, "--detectors", "knn", "--cells", ":".join(CELL), *options]) == 2
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(StitchLabError, match="fine-tuned"):
        Detection(training_outliers=())


def test_one_evaluation_image_is_undefined_not_an_error(done: Store) -> None:
    side._references.clear()
    run = made(done, methods=["dm"], eval_images=1)
    found = detect(run, detectors=["knn", "frechet"], device="cpu")
    assert found.interval("frechet", "dm", "ratio", ROWS[1], "flatten").value is None
    assert found.reason("frechet", "dm", ROWS[1], "flatten")


def test_frechet_of_native_activations_that_are_not_finite_is_undefined() -> None:
    x = torch.randn(60, 3)
    broken = x.clone()
    broken[0, 0] = torch.nan
    sets = []
    for values in (broken, x):
        moments = RowMoments(layout_of((3,)), 60)
        moments.add(values)
        sets.append(moments)
    assert frechet(*sets, paired=True).value is None


@pytest.mark.parametrize("seed", range(5))
def test_no_image_is_mixed_with_itself(seed: int) -> None:
    images = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert not (outliers("mixed", images, seed) == images).flatten(1).all(1).any()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StitchLabError, match="name of a file"):
        Store(tmp_path).write(Path("."), b"")
