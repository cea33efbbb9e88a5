"""What a second reading found: lost maps, cells named twice, too few images, nothing to learn from, no file's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from grids import COLUMNS, ROWS, made

from stitchlab import side
from stitchlab.__main__ import main
from stitchlab.errors import StitchLabError
from stitchlab.judge import activations_of, judge
from stitchlab.ood.frechet import Moments, frechet
from stitchlab.ood.outliers import outliers
from stitchlab.run import Run, list_runs
from stitchlab.spec import Detection, map_key
from stitchlab.stitch.affine import form
from stitchlab.store import Store

CELL = (ROWS[1], COLUMNS[0])


@pytest.fixture
def run(done: Store) -> Run:
    side._sides.clear()
    return list_runs(done)[0]


def test_a_lost_map_is_trained_again(run: Run) -> None:
    path = run.store.path("maps", map_key(run.request, "tlm", *CELL), ".safetensors")
    for look in (lambda: judge(run, detectors=["knn"], cells=[("tlm", *CELL)], device="cpu"),
                 lambda: activations_of(run, 0, *CELL)):
        path.unlink()
        assert look()
        assert path.exists()


def test_a_cell_named_twice_is_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(run, detectors=["knn"], cells=[("tlm", *CELL)] * 2, device="cpu")
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
    side._sides.clear()
    run = made(done, methods=["dm"], eval_images=1)
    found = judge(run, detectors=["knn", "frechet"], device="cpu")
    assert found.interval("frechet", "dm", "ratio", ROWS[1], "flatten").value is None
    assert found.reason("frechet", "dm", ROWS[1], "flatten")


def test_frechet_of_native_activations_that_are_not_finite_is_undefined() -> None:
    x = torch.randn(60, 3)
    broken = x.clone()
    broken[0, 0] = torch.nan
    sets = []
    for values in (broken, x):
        moments = Moments(form((3,)), 60)
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
