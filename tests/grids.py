"""What the tests of grids share: a small grid, a spy on what is computed, folders of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stitchlab.grid import compute
from stitchlab.grid.ask import compare
from stitchlab.indices.statistics import indices as of_indices
from stitchlab.request import TaskLoss
from stitchlab.results.run import Run
from stitchlab.stitch import maps
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store

ROWS, COLUMNS = ["layer1.0", "layer3.1"], ["layer2.0", "flatten"]
SMALL: dict[str, Any] = {
    "front_layers": ROWS,
    "end_layers": COLUMNS,
    "tlm": TaskLoss(epochs=1),
    "dm_images": 40,
    "eval_images": 150,
}


def made(store: Store, front: str = "digits-a", end: str = "digits-b", **change: Any) -> Run:
    return compare(front, end, store=store, device="cpu", **{**SMALL, **change})


def numbers(run: Run) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in run.rows()]


class Spy:
    """What the engine was asked to compute, from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dm: set[tuple[str, str]] = set()
        self.tlm: set[tuple[str, str]] = set()
        self.evaluated: set[tuple[str, str]] = set()
        self.indices: set[tuple[str, str, str]] = set()
        self.accuracies = 0
        fit, train, judge = direct_matching, task_loss_matching, evaluate
        look, own = of_indices, own_accuracy

        def dm(pair: Any, cells: Sequence[tuple[str, str]], *rest: Any) -> Any:
            self.dm |= set(cells)
            return fit(pair, cells, *rest)

        def tlm(pair: Any, cells: Sequence[tuple[str, str]], *rest: Any) -> Any:
            self.tlm |= set(cells)
            return train(pair, cells, *rest)

        def evaluated(pair: Any, stitches: Mapping[tuple[str, str], Any], *rest: Any) -> Any:
            self.evaluated |= set(stitches)
            return judge(pair, stitches, *rest)

        def indices(pair: Any, wanted: Any, cells: Sequence[tuple[str, str]], *rest: Any) -> Any:
            self.indices |= {(name, *cell) for name in wanted.names for cell in cells}
            return look(pair, wanted, cells, *rest)

        def accuracy(*arguments: Any) -> float | None:
            self.accuracies += 1
            return own(*arguments)

        monkeypatch.setattr(maps, "direct_matching", dm)
        monkeypatch.setattr(maps, "task_loss_matching", tlm)
        monkeypatch.setattr(compute, "evaluate", evaluated)
        monkeypatch.setattr(compute, "indices", indices)
        monkeypatch.setattr(compute, "own_accuracy", accuracy)

    @property
    def nothing(self) -> bool:
        return not (self.dm or self.tlm or self.evaluated or self.indices or self.accuracies)


def grid_of(rows: Sequence[str] = ROWS, columns: Sequence[str] = COLUMNS) -> set[tuple[str, str]]:
    return {(i, j) for i in rows for j in columns}


def harm(path: Path) -> None:
    assert path.is_file()
    path.write_bytes(path.read_bytes()[:-20])


def impatient(what: str, share: float) -> None:
    """Raises where the engine would wait for ever."""
    if "waiting" in what:
        raise AssertionError("nobody else computes this")


def folder(root: Path, classes: Sequence[str], colour: bool, size: int = 8) -> str:
    """A folder of noise images, ten a class and split."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for k in range(10):
                pixels = random.integers(0, 256, (size, size, 3) if colour else (size, size), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{k}.png")
    return f"folder:{root}"
