"""Several runs together: common layers, difference, mean and spread, rank correlation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from handy import sure
from scipy import stats

from stitchlab.catalog.methods import METRICS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.grid.ask import ask
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run
from stitchlab.results.together import difference, mean, mirrored, spearman, spread, together
from stitchlab.store import Store

ROWS, COLUMNS = ["layer1.0", "layer2.0", "layer3.1"], ["layer1.1", "layer3.1"]


def made(store: Store, numbers: int, front: str = "digits-a", end: str = "digits-b", **change: object) -> Run:
    """A run whose accuracies are drawn from these random numbers."""
    random = np.random.default_rng(numbers)
    asked: dict[str, Any] = {
        "front_layers": ROWS,
        "end_layers": COLUMNS,
        "methods": ["dm"],
        "indices": [],
        "seed": numbers,
    }
    run = ask(front, end, store, **asked | change)
    for i, j in run.request.cells if run.request.methods else ():
        store.put(
            "cells",
            result_key(run.request, "dm", i, j),
            {
                "accuracy": float(random.random()),
                "distance": 1.0,
                "reason": "",
                "seconds": 1.0,
                "device": "cpu",
                "versions": {},
            },
        )
    return Run(store, run.record)


def test_the_difference_of_two_runs_is_on_their_common_layers(store: Store) -> None:
    one, other = made(store, 1), made(store, 2, front_layers=ROWS[1:], end_layers=["layer3.1", "relu"])
    both = together([one, other])
    assert (both.front_layers, both.end_layers) == (tuple(ROWS[1:]), ("layer3.1",))
    found = difference(both, "dm", "accuracy")
    wanted = [
        [sure(other.value(*cell)) - sure(one.value(*cell))]
        for cell in (("dm", "accuracy", i, "layer3.1") for i in ROWS[1:])
    ]
    assert found.tolist() == wanted
    assert both.quantities == [("dm", metric) for metric in METRICS]


def test_the_other_way_round_cells_are_mirrored(store: Store) -> None:
    there, back = made(store, 1), made(store, 2, "digits-b", "digits-a", front_layers=COLUMNS, end_layers=ROWS)
    assert mirrored(there, back)
    assert not mirrored(there, made(store, 3))
    assert not mirrored(*[made(store, 4, "digits-a", "digits-a")] * 2), "a network with itself has no other direction"
    turned = together([there, back], turned=True)
    assert turned.front_layers == tuple(ROWS)
    first, second = turned.matrices("dm", "accuracy")
    assert first.tolist() == there.matrix("dm", "accuracy").tolist()
    assert second.tolist() == back.matrix("dm", "accuracy").T.tolist()


def test_mean_and_spread_need_a_number_of_every_run(store: Store) -> None:
    runs = [made(store, seed) for seed in range(3)]
    lacking = result_key(runs[1].request, "dm", *runs[1].request.cells[0])
    store.delete("cells", lacking)
    all_runs = together([Run(store, run.record) for run in runs])
    values = np.stack([run.matrix("dm", "accuracy") for run in all_runs.runs])
    assert np.isnan(mean(all_runs, "dm", "accuracy")[0, 0])
    assert np.isnan(spread(all_runs, "dm", "accuracy")[0, 0])
    np.testing.assert_allclose(mean(all_runs, "dm", "accuracy"), values.mean(0))
    np.testing.assert_allclose(spread(all_runs, "dm", "accuracy"), stats.tstd(values, axis=0))


def test_runs_that_cannot_be_compared_say_why(store: Store) -> None:
    one = made(store, 1)
    with pytest.raises(StitchLabError, match="two runs or more"):
        together([one])
    with pytest.raises(StitchLabError, match="no front layer in common"):
        together([one, made(store, 2, front_layers=["layer1.1"])])
    cka = made(store, 3, methods=[], indices=["cka"])
    assert together([one, cka]).quantities == []
    with pytest.raises(UnknownName, match="quantity that all of these runs have"):
        difference(together([one, cka]), "dm", "accuracy")
    assert json.dumps(one.record), "nothing was written into it"


@pytest.mark.parametrize("seed", range(20))
def test_spearman_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 6, 30).astype(float), random.integers(0, 6, 30).astype(float)  # many ties
    x[random.integers(0, 30, 3)] = np.nan
    there = ~np.isnan(x)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x[there], y[there]).statistic, abs=1e-12)


def test_spearman_is_undefined_where_scipys_is() -> None:
    assert spearman(np.ones(5), np.arange(5.0)) is None
    assert spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert spearman(np.full(4, np.nan), np.arange(4.0)) is None
