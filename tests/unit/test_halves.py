"""Half samples: each by brute force on the half alone, what is kept of them, the jackknife's interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from grids import harm, made
from handy import noting
from torch import Tensor
from toys import Convolutions, network, noise, pair, seeded

from stitchlab.catalog.indices import INDICES
from stitchlab.data.splits import evaluation_indices
from stitchlab.errors import Cancelled, StitchLabError, UnknownName
from stitchlab.grid import halves as grid
from stitchlab.indices import halves as of_indices
from stitchlab.indices import statistics
from stitchlab.indices.grams import Gram, gram
from stitchlab.indices.halves import _half_sums
from stitchlab.indices.statistics import IndexRequest, by_moments
from stitchlab.indices.two_layers import measure
from stitchlab.results.cleaning import delete_run
from stitchlab.results.halves import METHOD_METRICS, ROOM, SAMPLES, Halves
from stitchlab.results.run import Run
from stitchlab.stitch import evaluate as evaluating
from stitchlab.stitch import halves as of_methods
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.halves import draw_half_samples
from stitchlab.stitch.maps import maps
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.store import Store

CPU = torch.device("cpu")
DATA = noise(size=12, train=20, test=44, seed=2)
ALL = DATA.test.order(5)[:43]
CELLS = [(i, j) for j in ("act0", "act1", "flat") for i in ("act0", "act1")]
ROWS, COLUMNS = ("act0", "act1"), ("act0", "act1", "flat")
PERMUTABLE = [name for name, index in INDICES.items() if index.permutable]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def both(tie: bool = False) -> Pair:
    front = seeded(lambda: Convolutions((5, 6), 4, tie=tie))
    return pair(network(front, DATA, "front"), network(seeded(lambda: Convolutions((5, 7), 4), 1), DATA, "end"), DATA)


def few(count: int) -> Callable[[int], list[Tensor]]:
    return lambda images: draw_half_samples(3, images)[:count]


def stitches(nets: Pair) -> dict[tuple[str, str], Stitch]:
    return {
        (i, j): Stitch(nets.source(i), nets.target(j), torch.Generator().manual_seed(k))
        for k, (i, j) in enumerate(CELLS)
    }


def same(one: Gram, other: Gram) -> None:
    for name in ("centred", "on_mean", "mean_square", "sums", "raw"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-10, atol=1e-9)
    assert one.features == other.features


def test_half_samples_are_drawn_one_by_one() -> None:
    halves = draw_half_samples(1, 31)
    assert [len(half) for half in halves] == [15] * SAMPLES
    assert all(half.tolist() == sorted(set(half.tolist())) and half.max() <= 30 for half in halves)
    assert len({tuple(half.tolist()) for half in halves}) == SAMPLES
    counts = torch.cat(halves).bincount(minlength=31)  # binomial of 100 and 15/31: 48 ± 5
    assert counts.min() > 48 - 4 * 5
    assert counts.max() < 48 + 4 * 5
    assert not torch.equal(halves[0], draw_half_samples(2, 31)[0])


def test_the_gram_matrix_of_some_images() -> None:
    x, half = 3 + randn(20, 4, 3, 3), torch.tensor([1, 2, 5, 9, 11, 19])
    same(gram(lambda: [x], 36, 20).subset(half), gram(lambda: [x[half]], 36, 6))


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_features_that_are_constant_on_some_images_have_no_gram_matrix_there(level: float) -> None:
    x, half = randn(20, 40), torch.arange(5, 15)
    x[half] = level
    assert not gram(lambda: [x], 40, 20).subset(half).centred.any()
    assert gram(lambda: [x], 40, 20).subset(torch.arange(4, 15)).centred.any()


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("name", PERMUTABLE)
def test_an_index_is_that_of_the_half_alone(name: str, tie: bool) -> None:
    nets, draw = both(tie), few(4)
    found = of_indices.measure_half_samples(nets, [name], CELLS, ALL, draw)
    images, _ = nets.data.test.take(ALL)
    x, y = nets.run_front(ROWS)(images), nets.run_end(COLUMNS)(images)
    for i, j in CELLS:
        alone = [measure(name, x[i][half], y[j][half]) for half in draw(43)]
        assert None not in alone
        assert found.values[name, (i, j)].tolist() == pytest.approx(alone, abs=1e-9), (i, j)
    assert not found.reasons


def test_all_indices_of_one_statistic_come_from_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    nets = both()
    passes: list[Any] = []
    monkeypatch.setattr(Pair, "batches", noting(lambda self, *of: passes.append(of), Pair.batches))
    names = [name for name in PERMUTABLE if INDICES[name].needs == "averages"]
    together = of_indices.measure_half_samples(nets, names, CELLS, ALL, few(3)).values
    assert len(passes) == 1
    monkeypatch.setattr(statistics, "MOMENT_MEMORY", 1)  # cell by cell
    alone = of_indices.measure_half_samples(nets, names, CELLS, ALL, few(3)).values
    assert len(passes) == 1 + len(CELLS)
    assert set(together) == set(alone) == {(name, cell) for name in names for cell in CELLS}
    for item, values in together.items():
        assert values.tolist() == pytest.approx(alone[item].tolist(), abs=1e-9), item


@pytest.mark.parametrize("name", [name for name in PERMUTABLE if INDICES[name].needs == "averages"])
def test_a_channel_that_is_constant_within_a_half(name: str) -> None:
    x, y, half = randn(30, 5), randn(30, 4, seed=1), torch.arange(15)
    x[:, 0] = 0.1 + (torch.arange(30) >= 15) * x[:, 0]
    y[:, 1:] += 2 * x[:, 1:4]
    sums = _half_sums([("x", "y")], {"x": x}, {"y": y}, half)
    found = by_moments(IndexRequest([name]), [("x", "y")], sums, "averages", lambda what, done: None).values
    assert found[name, ("x", "y")] == pytest.approx(measure(name, x[half], y[half]), abs=1e-9)


def test_an_index_that_is_undefined_on_halves_has_its_reason() -> None:
    few_images = of_indices.measure_half_samples(both(), ["cka", "mutual-knn"], CELLS, ALL[:22], few(3))
    assert few_images.values["mutual-knn", CELLS[0]].isnan().all()
    assert few_images.reasons["mutual-knn", CELLS[0]] == "mutual nearest neighbours need 12 images or more; got 11"
    assert few_images.values["cka", CELLS[0]].isfinite().all()
    assert {name for name, _ in few_images.reasons} == {"mutual-knn"}
    few_rows = of_indices.measure_half_samples(both(), ["cca"], CELLS, ALL[:20], few(3))
    assert "10 rows are too few" in few_rows.reasons["cca", ("act1", "act1")]


def test_a_layer_that_is_not_finite_spoils_no_other() -> None:
    nets = both()
    sound = of_indices.measure_half_samples(nets, ["cka", "rsa"], CELLS, ALL, few(3)).values
    with torch.no_grad():
        nets.front.module.get_parameter("conv1.weight").fill_(float("nan"))
    found = of_indices.measure_half_samples(nets, ["cka", "rsa"], CELLS, ALL, few(3))
    for (name, (i, j)), values in found.values.items():
        if i == "act1":
            assert values.isnan().all()
            assert found.reasons[name, (i, j)] == "the activations of the front layer are not finite"
        else:
            assert values.tolist() == pytest.approx(sound[name, (i, j)].tolist(), abs=1e-12)


def of_evaluation(nets: Pair, fitted: dict[tuple[str, str], Stitch], half: Tensor) -> dict[Any, float]:
    """What `evaluate` says of a half alone; NaN where it is undefined."""
    found = evaluate(nets, fitted, ALL[half])
    return {
        (metric, cell): np.nan if value is None else value
        for cell, each in found.items()
        for metric, value in (
            ("accuracy", each.accuracy),
            ("distance", each.distance),
            ("agreement", each.functional.agreement),
            ("jsd", each.functional.jsd),
            ("error_consistency", each.functional.error_consistency),
        )
    }


@pytest.mark.parametrize("batch", [500, 9])
def test_methods_are_those_of_the_half_alone(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nets, halves = both(), [*draw_half_samples(0, 43)[:4], torch.arange(43)]
    fitted = stitches(nets)
    alone = [of_evaluation(nets, fitted, half) for half in halves]
    monkeypatch.setattr(evaluating, "BATCH", batch)
    found = of_methods.evaluate_half_samples(nets, fitted, ALL, halves)
    assert {metric for metric, _ in found.values} == set(METHOD_METRICS)
    for item, values in found.values.items():
        assert values.tolist() == pytest.approx([each[item] for each in alone], rel=1e-6, nan_ok=True), item


def test_error_consistency_is_undefined_on_halves_where_one_network_is_always_wrong() -> None:
    nets = both()
    own = nets.logits(nets.data.test.take(ALL)[0]).argmax(1) == nets.data.test.take(ALL)[1]
    wrong, right = (~own).nonzero()[:, 0], own.nonzero()[:, 0]
    halves = [wrong[:10], torch.cat([wrong[:8], right[:5]])]
    found = of_methods.evaluate_half_samples(nets, stitches(nets), ALL, halves)
    alone = [of_evaluation(nets, stitches(nets), half) for half in halves]
    values = found.values["error_consistency", CELLS[1]]
    assert values.isnan().tolist() == [True, False]
    assert float(values[1]) == pytest.approx(alone[1]["error_consistency", CELLS[1]])
    assert found.reasons["error_consistency", CELLS[1]] == (
        "one network is right on every image, or wrong on every one of 1 of 2 half samples"
    )


def test_a_map_that_is_not_finite_spoils_no_other() -> None:
    nets, draw = both(), few(3)
    fitted = stitches(nets)
    sound = of_methods.evaluate_half_samples(nets, fitted, ALL, draw(43))
    with torch.no_grad():
        fitted[CELLS[0]].bias.fill_(float("inf"))
    found = of_methods.evaluate_half_samples(nets, fitted, ALL, draw(43))
    for (metric, cell), values in found.values.items():
        if cell == CELLS[0]:
            assert values.isnan().all()
            assert found.reasons[metric, cell] == of_methods.UNDEFINED_EVERYWHERE
        else:
            assert values.tolist() == pytest.approx(sound.values[metric, cell].tolist(), rel=1e-12, nan_ok=True)


def test_memory_that_runs_out_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nets, fitted, halves = both(), stitches(both()), draw_half_samples(0, 43)[:4]
    whole = of_methods.evaluate_half_samples(nets, fitted, ALL, halves).values
    squares, calls = of_methods._squared_norms, []

    def full(x: Tensor) -> Tensor:
        calls.append(x)
        if len(calls) == 5:
            raise torch.OutOfMemoryError("no more room")
        return squares(x)

    monkeypatch.setattr(of_methods, "_squared_norms", full)
    for item, values in of_methods.evaluate_half_samples(nets, fitted, ALL, halves).values.items():
        assert values.tolist() == pytest.approx(whole[item].tolist(), rel=1e-6, nan_ok=True), item
    assert len(calls) > 5


def test_a_run_has_all_of_its_half_samples(run: Run) -> None:
    assert Halves(run).lacking == [*run.request.methods, *run.request.indices]
    said: list[float] = []
    found = grid.compute(run, CPU, lambda what, done: said.append(done))
    assert found.complete
    assert len(said) > SAMPLES
    assert said == sorted(said)
    assert said[-1] == 1
    for name in found.names:
        assert set(found.kept(name) or ()) == set(found.metrics(name))
    kept = run.store.get(ROOM, found.key("cka"))
    assert kept is not None
    assert kept["seconds"] > 0
    assert kept["versions"]["torch"] == torch.__version__


def test_values_on_all_images_are_the_runs_own(run: Run) -> None:
    nets = load_pair(run.store, run.request, CPU)
    for method in run.request.methods:
        fitted = maps(run.store, nets, run.request, method, run.request.cells)
        found = of_methods.evaluate_half_samples(
            nets, fitted, evaluation_indices(nets.data, run.request), [torch.arange(150)]
        )
        for metric in METHOD_METRICS:
            for i, j in run.request.cells:
                assert float(found.values[metric, (i, j)]) == pytest.approx(run.value(method, metric, i, j), rel=1e-9)
    whole = of_indices.measure_half_samples(
        nets,
        ["cka"],
        run.request.cells,
        evaluation_indices(nets.data, run.request),
        lambda count: [torch.arange(count)],
    )
    for i, j in run.request.cells:
        assert float(whole.values["cka", (i, j)]) == pytest.approx(run.value("cka", "similarity", i, j), rel=1e-9)


def test_a_halves_array_has_front_layers_as_rows(run: Run) -> None:
    found, nets = grid.compute(run, CPU), load_pair(run.store, run.request, CPU)
    images = nets.data.test.take(
        evaluation_indices(nets.data, run.request)[draw_half_samples(run.request.seed, 150)[7]]
    )[0]
    x, y = nets.run_front(run.request.front_layers)(images), nets.run_end(run.request.end_layers)(images)
    values = found.values("opd", "distance")
    assert values.shape == (SAMPLES, 2, 2)
    assert values.dtype == np.float64
    assert values[7].tolist() == pytest.approx(
        np.array([[measure("opd", x[i], y[j]) for j in run.request.end_layers] for i in run.request.front_layers]),
        abs=1e-9,
    )
    low, high = found.interval("opd", "distance")
    assert (low < run.matrix("opd", "distance")).all()
    assert (run.matrix("opd", "distance") < high).all()


def test_what_is_there_is_not_computed_again_and_what_is_lost_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = grid.compute(run, CPU)
    asked: list[list[str]] = []
    monkeypatch.setattr(
        grid,
        "_half_sample_values",
        noting(lambda run, pair, names, *rest: asked.append(names), grid._half_sample_values),
    )
    grid.compute(run, CPU)
    assert not asked
    harm(run.store.path(ROOM, first.key("cka"), ".safetensors"))
    harm(run.store.path(ROOM, first.key("dm"), ".json"))
    assert Halves(run).lacking == ["dm", "cka"]
    again = grid.compute(run, CPU)
    assert asked == [["dm"], ["cka"]]
    for name in ("dm", "cka"):
        for metric in again.metrics(name):
            assert again.values(name, metric) == pytest.approx(first.values(name, metric), abs=1e-12, nan_ok=True)


def test_cancelling_keeps_what_is_done(run: Run) -> None:
    def report(what: str, done: float) -> None:
        if "half sample 3 " in what:
            raise Cancelled

    with pytest.raises(Cancelled):
        grid.compute(run, CPU, report)
    assert Halves(run).lacking == list(run.request.indices)
    assert Halves(run).kept("cka") is None
    assert np.isnan(Halves(run).values("cka", "similarity")).all()


def test_what_was_deleted_takes_its_half_samples_along(run: Run) -> None:
    grid.compute(run, CPU)
    assert len(run.store.keys(ROOM)) == len(Halves(run).names)
    delete_run(run.store, run.id)
    assert not run.store.keys(ROOM)


def test_keys_hang_on_what_is_asked(run: Run) -> None:
    def key(name: str, **change: Any) -> str:
        return Halves(Run(run.store, run.record | {"request": asdict(replace(run.request, **change))})).key(name)

    assert key("cka") == key("cka") == Halves(run).key("cka")
    for change in (
        {"seed": 1},
        {"eval_images": 149},
        {"end_layers": ("layer2.0",)},
        {"front": "other"},
        {"definitions": run.request.definitions | {"cka": 7}},
    ):
        assert key("cka", **change) != key("cka"), change
    for change in (
        {"definitions": run.request.definitions | {"functional": 2}},
        {"definitions": run.request.definitions | {"dm": 2}},
    ):
        assert key("dm", **change) != key("dm"), change
    assert key("cka", tlm=replace(run.request.tlm, epochs=3)) == key("cka")
    assert key("tlm", tlm=replace(run.request.tlm, epochs=3)) != key("tlm")


def test_what_half_samples_are_not_defined_for(store: Store) -> None:
    positions = Halves(made(store, methods=["dm"], indices=["cka", "opd-positions", "pwcca-paper"]))
    assert positions.names == ("dm", "cka")
    assert set(positions.left_out) == {"opd-positions", "pwcca-paper"}
    with pytest.raises(UnknownName, match="half samples"):
        positions.values("opd-positions", "distance")
    with pytest.raises(UnknownName, match="metric"):
        positions.values("dm", "penalty")
    few_images = made(store, methods=["dm"], indices=["cka"], eval_images=7)
    assert Halves(few_images).left_out == dict.fromkeys(
        ("dm", "cka"), "half samples need 8 evaluation images or more; there are 7"
    )
    assert grid.compute(few_images, CPU).complete
    assert not store.keys(ROOM)


def test_a_definition_that_has_changed_is_not_continued(run: Run) -> None:
    older = replace(run.request, definitions=run.request.definitions | {"opd": 1})
    with pytest.raises(StitchLabError, match="other definitions"):
        grid.compute(Run(run.store, run.record | {"request": asdict(older)}), CPU)


class Made(Halves):
    """Half samples with values and a value of all images that are made up."""

    def __init__(self, run: Run, values: np.ndarray[Any, Any], whole: float) -> None:
        super().__init__(run)
        self._made = np.repeat(values, 4).reshape(len(values), 2, 2)
        vars(self.run)["matrix"] = lambda method, metric: np.full((2, 2), whole)

    def values(self, name: str, metric: str) -> np.ndarray[Any, Any]:
        return self._made


def test_the_interval_of_an_accuracy_is_that_of_a_binomial(run: Run) -> None:
    """A mean over n/2 of n images drawn without replacement has variance S²/(n/2) (1 − 1/2) = S²/n.

    The 2.5 % quantile of 100 values lies between their 3rd and 4th: of a normal distribution at 1.87 deviations
    (Blom's (3.475 − 3/8) / 100.25), each end with a deviation of √(.025 · .975 / 100) / φ(1.96) = .27, so the width's
    is .38 / 3.74 = 10 %, and of a mean over 40 made accuracies 1.6 %.
    """
    ratios = []
    for seed in range(40):
        bits = (torch.rand(400, generator=torch.Generator().manual_seed(seed)) < 0.3).double()
        values = np.array([float(bits[half].mean()) for half in draw_half_samples(seed, 400)])
        p = float(bits.mean())
        low, high = Made(run, values, p).interval("dm", "accuracy")
        assert (low < p).all()
        assert (p < high).all()
        ratios.append(float((high - low)[0, 0]) / (2 * 1.87 * (p * (1 - p) / 400) ** 0.5))
    assert np.mean(ratios) == pytest.approx(1, abs=3 * 0.016)


def test_the_interval_lies_around_the_value_of_all_images(run: Run) -> None:
    values = np.linspace(0.7, 0.8, SAMPLES)  # higher on fewer images, as many an index is
    low, high = Made(run, values, 0.5).interval("cka", "similarity")
    assert low[1, 0] == pytest.approx(0.5 + np.quantile(values, 0.025) - 0.75)
    assert high[1, 0] == pytest.approx(0.5 + np.quantile(values, 0.975) - 0.75)


def test_half_samples_without_a_value_are_left_out_of_an_interval_unless_they_are_most(run: Run) -> None:
    values = np.linspace(0, 1, SAMPLES)
    values[1::2] = np.nan
    known = values[::2]
    low, high = Made(run, values, 0.5).interval("cka", "similarity")
    assert [low[0, 0], high[0, 0]] == pytest.approx(0.5 + np.quantile(known - known.mean(), [0.025, 0.975]))
    values[0] = np.nan
    assert np.isnan(Made(run, values, 0.5).interval("cka", "similarity")).all()
    assert np.isnan(Made(run, known.repeat(2), np.nan).interval("cka", "similarity")).all()
