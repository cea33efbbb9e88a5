"""Progress never passes 100 %: also where images are so large that only a few run together."""

from __future__ import annotations

import pytest
import torch
from grids import COLUMNS, ROWS, SMALL, made

from stitchlab.data import splits
from stitchlab.ood import reference as side
from stitchlab.ood import trajectory as walk
from stitchlab.ood.evaluate import detect
from stitchlab.request import TaskLoss
from stitchlab.store import Store


@pytest.mark.parametrize("large", [64, 1])
def test_what_is_done_is_between_nothing_and_all(
    store: Store, large: int, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1: images of 8 pixels a side count as large ones, run few at a time
    monkeypatch.setattr(splits, "MAX_FULL_BATCH_SIDE_PX", large)
    side._references.clear()
    told: dict[str, list[float]] = {}

    def report(what: str, done: float) -> None:
        told.setdefault(what.split(",")[0], []).append(done)

    run = made(store, report=report, **SMALL | {"dm_images": 100, "tlm": TaskLoss(epochs=2)})
    detect(run, device="cpu", cells=[("tlm", ROWS[0], COLUMNS[0])], report=report)
    walk.compute_trajectory(run, ROWS[0], COLUMNS[0], torch.device("cpu"), report)
    assert len(told) > 8
    for what, shares in told.items():
        assert all(0 <= share <= 1 for share in shares), (what, max(shares))
