"""Judging a grid: the rows of the contract, numbers against an independent way, what is kept and what is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, ROWS, folder, harm, made
from handy import sure
from reference import prepared
from scipy.linalg import sqrtm
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.plain import capture
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.data import registry as datasets
from stitchlab.errors import Cancelled, StitchLabError, UnknownName
from stitchlab.models import store as model_store
from stitchlab.models.store import prepare
from stitchlab.models.tensors import get_tensors
from stitchlab.ood import evaluate as judging
from stitchlab.ood import reference as side
from stitchlab.ood.detectors import energy, knn
from stitchlab.ood.evaluate import activations_of, detect
from stitchlab.ood.inputs import CannotFit
from stitchlab.request import Detection, Method, TaskLoss
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults, MethodCell, Reliability
from stitchlab.results.interval import Interval
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run
from stitchlab.stitch.affine import Stitch
from stitchlab.store import Store

pytestmark = pytest.mark.usefixtures("short")
CELL = (ROWS[1], COLUMNS[0])
QUICK = [name for name in DETECTORS if not DETECTORS[name].learns]


def test_the_rows_are_the_contracts(run: Run) -> None:
    rows = list(detect(run, device="cpu").rows())
    metrics = [(name, metric) for name, detector in DETECTORS.items() for metric in detector.metrics]
    assert len(rows) == len(metrics) * (2 * len(COLUMNS) + 2 * len(ROWS) * len(COLUMNS))
    for j in COLUMNS:
        for method, fronts in ((NATIVE, [""]), (OUTLIERS, [""]), ("tlm", ROWS), ("dm", ROWS)):
            for i in fronts:
                found = [(r.detector, r.metric) for r in rows if r[:3] == (i, j, method)]
                assert found == metrics
    for row in rows:
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.high
        if row.metric in ("auroc", "aupr", "fpr95"):
            assert 0 <= row.value <= 1


@pytest.mark.parametrize("method", ["tlm", "dm"])
def test_numbers_are_those_of_hooks_and_plain_formulas(run: Run, method: Method) -> None:
    store, request = run.store, run.request
    front, end = (model_store.load(name, store, device="cpu") for name in (request.front, request.end))
    data = datasets.load_by_fingerprint(request.data, store)
    order = data.train.order(request.seed)
    held = len(order) // 5
    tests = data.test.take(data.test.order(request.seed)[: request.eval_images])[0]
    fitted = data.train.take(order[:-held])[0]
    i, j = CELL
    kept = get_tensors(store, "maps", map_key(request, method, i, j))
    assert kept is not None

    def look_at_end(images: Tensor) -> Tensor:
        return capture(end.module, j, prepared(end, images))

    ours, native = capture(front.module, i, prepared(front, tests)), look_at_end(tests)
    stitch = Stitch.of(
        layout_of(tuple(ours.shape[1:])),
        layout_of(tuple(native.shape[1:])),
        kept["weight"],
        kept["bias"],
    )
    with torch.no_grad():
        stitched = stitch(ours)

    def look(x: Tensor) -> np.ndarray:
        flat = x.flatten(2).double().numpy()
        return np.concatenate([flat.mean(2), flat.std(2)], 1)

    def auroc(score: Any, other: Tensor) -> float:
        a, b = score(look(native)), score(look(other))
        return float(roc_auc_score(np.r_[np.ones(len(a)), np.zeros(len(b))], np.r_[a, b]))

    train = look(look_at_end(fitted))
    estimate = LedoitWolf().fit(train)
    nearest = lambda x: -np.sort(np.sqrt(((x[:, None] - train[None]) ** 2).sum(2)), 1)[:, 4]  # noqa: E731
    found = detect(run, detectors=["mahalanobis", "knn", "frechet", "tail-energy"], device="cpu")
    others = {method: (i, stitched), NATIVE: ("", look_at_end(data.train.take(order[-held:])[0]))}
    for who, (row, other) in others.items():
        for name, score in (("mahalanobis", lambda x: -estimate.mahalanobis(x)), ("knn", nearest)):
            expected = auroc(score, other)
            assert found.interval(name, who, "auroc", row, j).value == pytest.approx(expected, abs=2e-4)
    a, b = (x.movedim(1, -1).flatten(0, 2).double().numpy() for x in (native, stitched))
    c, d = np.cov(a.T), np.cov(b.T)
    ratio = (((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c + d - 2 * sqrtm(c @ d).real)) / np.trace(c)
    assert found.interval("frechet", method, "ratio", i, j).value == pytest.approx(ratio, rel=1e-4)
    statistics = found.arrays(STATISTICS, method, i, j)
    assert np.allclose(statistics["mean"], b.mean(0), atol=1e-4)
    assert np.allclose(statistics["negative"], (b < 0).mean(0), atol=1e-6)
    assert np.allclose(statistics["deviation"], b.std(0, ddof=1), rtol=1e-4)
    assert np.allclose(statistics["spectrum"], np.linalg.eigvalsh(d)[::-1], rtol=1e-3, atol=1e-5)
    assert np.allclose(statistics["norms"], stitched.flatten(1).norm(dim=1), rtol=1e-4)
    own = found.arrays(STATISTICS, NATIVE, "", j)["predictions"]
    assert (own == end.module(prepare(end, tests)).argmax(1).numpy()).all()
    labels = data.test.take(data.test.order(request.seed)[: request.eval_images])[1]
    right = (statistics["predictions"] == labels.numpy()).mean()
    assert right == pytest.approx(run.value(method, "accuracy", i, j))


def test_what_is_kept_is_not_computed_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    columns: list[tuple[str, tuple[str, ...], int]] = []
    column = judging.judge_column

    def noted(run: Run, detection: Detection, names: Any, j: str, cells: Any, *rest: Any) -> None:
        columns.append((j, tuple(names), len(cells)))
        column(run, detection, names, j, cells, *rest)

    monkeypatch.setattr(judging, "judge_column", noted)
    detect(run, detectors=["knn"], cells=[("tlm", *CELL)], device="cpu")
    assert columns == [(COLUMNS[0], ("knn", STATISTICS), 1)]
    first = list(DetectionResults(run).rows(["knn"], [("tlm", *CELL)]))
    detect(run, detectors=["knn"], cells=[("tlm", *CELL)], device="cpu")
    assert len(columns) == 1
    detect(run, detectors=["knn"], cells=[("tlm", *CELL), ("dm", *CELL)], device="cpu")
    assert columns[1:] == [(COLUMNS[0], ("knn", STATISTICS), 1)]
    detect(run, detectors=["knn", "pca-residual"], cells=[("tlm", *CELL), ("dm", *CELL)], device="cpu")
    assert columns[2:] == [(COLUMNS[0], ("pca-residual",), 2)]
    assert list(DetectionResults(run).rows(["knn"], [("tlm", *CELL)])) == first


def test_alone_or_beside_others_a_cell_has_the_same_numbers(run: Run) -> None:
    alone = list(detect(run, cells=[("dm", *CELL)], device="cpu").rows(cells=[("dm", *CELL)]))
    for path in (run.store.root / "ood").iterdir():
        path.unlink()
    side._references.clear()
    beside = list(detect(run, device="cpu").rows(cells=[("dm", *CELL)]))
    for one, other in zip(alone, beside, strict=True):
        assert one[:5] == other[:5]
        assert one.value == pytest.approx(other.value, abs=1e-4, rel=1e-4)


def test_other_known_outliers_change_their_rows_only(run: Run) -> None:
    plain, other = detect(run, detectors=QUICK, device="cpu"), Detection(outliers="constant")
    changed = detect(run, detectors=QUICK, detection=other, device="cpu")
    before, after = (list(found.rows(QUICK)) for found in (plain, changed))
    for one, two in zip(before, after, strict=True):
        assert (one == two) or one.method == OUTLIERS
    assert before != after


@pytest.mark.parametrize(
    ("field", "value", "changed"),
    [
        ("outliers", "blur", {(name, NATIVE) for name in (*DETECTORS, STATISTICS)}),
        ("training_outliers", ("noise",), {("energy", NATIVE), ("energy", "tlm"), ("energy", "dm")}),
    ],
)
def test_each_setting_changes_the_keys_that_it_must(run: Run, field: str, value: Any, changed: set[Any]) -> None:
    one, other = DetectionResults(run), DetectionResults(run, replace(Detection(), **{field: value}))
    found = {
        (name, who)
        for name in (*DETECTORS, STATISTICS)
        for who in (NATIVE, "tlm", "dm")
        if one.key(name, who, *CELL) != other.key(name, who, *CELL)
    }
    assert found == changed


def test_what_was_learned_serves_every_cell_of_the_column(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    detect(run, detectors=["energy"], cells=[("tlm", *CELL)], device="cpu")
    side._references.clear()
    monkeypatch.setattr(energy, "_train", None)  # it cannot be trained again
    found = detect(run, detectors=["energy"], cells=[("dm", ROWS[0], COLUMNS[0])], device="cpu")
    assert found.interval("energy", "dm", "auroc", ROWS[0], COLUMNS[0]).value is not None


def test_wrong_questions_are_one_line(run: Run, tmp_path: Any) -> None:
    with pytest.raises(UnknownName, match="detector"):
        detect(run, detectors=["mahalanobi"])
    with pytest.raises(StitchLabError, match="not computed yet"):
        detect(run, cells=[("tlm", "layer9", "relu")])
    with pytest.raises(UnknownName, match="kind of outliers"):
        detect(run, detectors=["knn"], detection=Detection(outliers="nonsense"), device="cpu")
    with pytest.raises(UnknownName, match="kind of outliers"):
        side.resolve_outliers("nonsense", run.store)
    large = folder(tmp_path / "large", ["a", "b"], colour=True, size=16)
    kind = side.resolve_outliers(f"data:{large}", run.store)
    with pytest.raises(StitchLabError, match="3×16×16") as error:
        detect(run, detectors=["knn"], detection=Detection(outliers=kind), device="cpu")
    assert "1×8×8" in str(error.value)


def test_another_data_set_of_the_same_shape_serves_as_outliers(run: Run, tmp_path: Any) -> None:
    kind = side.resolve_outliers(f"data:{folder(tmp_path / 'noise', ['a', 'b'], colour=False)}", run.store)
    found = detect(run, detectors=["knn"], detection=Detection(outliers=kind), device="cpu")
    assert sure(found.interval("knn", OUTLIERS, "auroc", "", COLUMNS[0]).value) > 0.8


def test_the_learned_detector_may_be_tuned_on_another_data_set(
    run: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Outliers count only once their energy falls below its margin, which takes a trained classifier.
    monkeypatch.setattr(energy, "STEPS", {"training": 300, "fine-tuning": 60})
    other = Detection(
        training_outliers=(
            side.resolve_outliers(f"data:{folder(tmp_path / 'noise', ['a', 'b'], colour=False)}", run.store),
            "blur",
        )
    )
    cells: list[MethodCell] = [("dm", *CELL)]
    plain = detect(run, detectors=["energy"], cells=cells, device="cpu")
    tuned = detect(run, detectors=["energy"], cells=cells, detection=other, device="cpu")
    assert tuned.interval("energy", "dm", "shift", *CELL).value != plain.interval("energy", "dm", "shift", *CELL).value
    large = side.resolve_outliers(f"data:{folder(tmp_path / 'large', ['a', 'b'], colour=True, size=16)}", run.store)
    with pytest.raises(StitchLabError, match="3×16×16"):
        detect(run, detectors=["energy"], cells=cells, detection=Detection(training_outliers=(large,)), device="cpu")


def test_a_detector_that_cannot_be_fitted_lets_the_others_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(native: Any) -> Any:
        raise CannotFit("too few images")

    monkeypatch.setattr(knn, "knn", refuse)
    found = detect(run, detectors=["knn", "mahalanobis"], device="cpu")
    assert found.interval("knn", "tlm", "auroc", *CELL) == Interval()
    assert found.reason("knn", "tlm", *CELL) == "too few images"
    assert found.reliability("knn", CELL[1]) == Reliability(False, "too few images")
    assert found.interval("mahalanobis", "tlm", "auroc", *CELL).value is not None
    assert not found.lacking(["knn", "mahalanobis", STATISTICS], found.cells)


def test_training_that_diverged_is_undefined_with_a_reason(done: Store) -> None:
    run = made(done, tlm=TaskLoss(epochs=1, lr=1e30))
    found = detect(run, detectors=QUICK, device="cpu")
    undefined = [name for name in QUICK if found.interval(name, "tlm", DETECTORS[name].metrics[0], *CELL).value is None]
    assert undefined == QUICK
    assert "training diverged" in found.reason("knn", "tlm", *CELL)
    assert found.interval("knn", "dm", "auroc", *CELL).value is not None


def test_damaged_results_are_computed_again(run: Run) -> None:
    found = detect(run, detectors=["knn"], device="cpu")
    before = list(found.rows(["knn"]))
    harm(run.store.path("ood", found.key("knn", "tlm", *CELL), ".json"))
    assert DetectionResults(run).interval("knn", "tlm", "auroc", *CELL) == Interval()
    assert list(detect(run, detectors=["knn"], device="cpu").rows(["knn"])) == before
    harm(run.store.path("ood", found.key("knn", "tlm", *CELL), ".safetensors"))
    assert DetectionResults(run).arrays("knn", "tlm", *CELL) == {}


def test_finished_columns_survive_a_cancel(run: Run) -> None:
    def stop(what: str, done: float) -> None:
        if COLUMNS[1] in what:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        detect(run, detectors=["knn"], device="cpu", report=stop)
    found = DetectionResults(run)
    assert set(found.lacking(["knn", STATISTICS], found.cells)) == {COLUMNS[1]}


def test_one_images_activations_at_a_cell(run: Run) -> None:
    found = activations_of(run, 3, *CELL)
    assert set(found) == {"native", "tlm", "dm"}
    data = datasets.load_by_fingerprint(run.request.data, run.store)
    image = data.test.take(data.test.order(run.request.seed)[3:4])[0]
    end = model_store.load(run.request.end, run.store, device="cpu")
    native = capture(end.module, CELL[1], prepared(end, image))[0]
    assert torch.allclose(found["native"], native, atol=1e-5)
    assert {value.shape for value in found.values()} == {native.shape}


BELIEFS = [
    ("knn", (0.5, 0.45, 0.55), (0.95, 0.9, 1), True),
    ("knn", (0.54, 0.53, 0.56), (0.81, 0.8, 0.9), True),
    ("knn", (0.44, 0.39, 0.51), (0.95, 0.9, 1), True),
    ("knn", (0.44, 0.41, 0.47), (0.95, 0.9, 1), False),
    ("knn", (0.6, 0.57, 0.66), (0.95, 0.9, 1), False),
    ("knn", (0.5, 0.45, 0.55), (0.79, 0.7, 0.9), False),
    ("knn", (), (0.95, 0.9, 1), None),
    ("frechet", (0.01,), (0.2,), True),
    ("frechet", (0.2,), (5.0,), False),
    ("frechet", (0.05,), (0.06,), False),
    ("knn", (0.0, 0.0, 0.0), (0.95, 0.9, 1), False),
    ("knn", (1.0, 1.0, 1.0), (0.95, 0.9, 1), False),
    ("knn", (0.6,), (0.95,), True),
]


@pytest.mark.parametrize(("name", "native", "outliers", "holds"), BELIEFS)
def test_when_a_detector_is_believed(
    name: str, native: Any, outliers: Any, holds: bool | None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = {NATIVE: Interval(*native), OUTLIERS: Interval(*outliers)}
    monkeypatch.setattr(DetectionResults, "interval", lambda self, name, who, *rest: says[who])
    belief = DetectionResults(run).reliability(name, CELL[1])
    assert belief.holds is holds
    assert bool(belief.why) == (holds is False)
