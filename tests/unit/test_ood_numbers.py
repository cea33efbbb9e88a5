"""AUROC, AUPR, FPR95 and the shift: against scikit-learn, against closed forms, and what intervals must do."""

from __future__ import annotations

import numpy as np
import pytest
from handy import bounds, sure, width
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from stitchlab.catalog.ood_metrics import OOD_METRICS, SCORED
from stitchlab.ood.inputs import Array
from stitchlab.ood.metrics import REPLICATES, curves, interval, ood_metrics
from stitchlab.results.interval import Interval

RANDOM = np.random.default_rng(0)
HAND_MADE = [
    ([2.0, 3.0, 4.0], [0.0, 1.0, 2.0]),
    ([1.0, 1.0, 1.0], [1.0, 1.0]),
    ([0.0, 1.0], [2.0, 3.0]),
    ([5.0], [5.0]),
    ([3.0, 1.0, 2.0, 2.0], [2.0, 2.0, 0.0]),
    ([-np.pi] * 7 + [4.0], [-np.pi, 4.0, 4.0]),
]
DRAWN = [(RANDOM.normal(size=n), RANDOM.normal(-0.5, 2, size=m)) for n, m in ((200, 200), (31, 500), (400, 40))]
TIED = [(RANDOM.integers(0, k, 150).astype(float), RANDOM.integers(0, k, 90).astype(float)) for k in (2, 3, 10)]
EVERY = [(np.array(a), np.array(b)) for a, b in HAND_MADE] + DRAWN + TIED


def between(found: Interval, number: float) -> bool:
    low, _, high = bounds(found)
    return low <= number <= high


def sklearns(native: Array, other: Array) -> dict[str, float]:
    truth, scores = np.r_[np.ones(len(native)), np.zeros(len(other))], np.r_[native, other]
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    return {
        "auroc": roc_auc_score(truth, scores),
        "aupr": average_precision_score(truth, scores),
        "fpr95": fpr[np.argmax(tpr >= 0.95)],
    }


@pytest.mark.parametrize(("native", "other"), EVERY)
def test_they_are_scikit_learns(native: Array, other: Array) -> None:
    found = ood_metrics(native, other, paired=False)
    for name, value in sklearns(native, other).items():
        assert found[name].value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("native", "other"), EVERY)
def test_weights_are_repetitions(native: Array, other: Array) -> None:
    w, v = RANDOM.integers(0, 4, (3, len(native))), RANDOM.integers(0, 4, (3, len(other)))
    w[:, 0] += 1
    v[:, -1] += 1
    found = curves(native, other, w.astype(float), v.astype(float))
    for b in range(3):
        expected = sklearns(np.repeat(native, w[b]), np.repeat(other, v[b]))
        for name, value in expected.items():
            assert found[name][b] == pytest.approx(value, abs=1e-12)


def test_out_of_distribution_is_near_one_and_more_typical_below_a_half() -> None:
    native = RANDOM.normal(size=300)
    assert ood_metrics(native, native - 9, paired=True)["auroc"].value == pytest.approx(1, abs=1e-3)
    far = ood_metrics(native, native - 9, paired=True)
    assert far["fpr95"].value == 0
    assert far["shift"].value == pytest.approx(9 / np.subtract(*np.quantile(native, [0.75, 0.25])))
    typical = ood_metrics(native, native + 3, paired=True)
    assert sure(typical["auroc"].value) < 0.1
    assert sure(typical["shift"].value) < 0
    same = ood_metrics(native, native, paired=True)
    assert same["auroc"].value == 0.5
    assert same["shift"].value == 0


def test_the_shift_by_hand() -> None:
    native, other = np.array([0.0, 1, 2, 3, 4]), np.array([-3.0, -1, -1, 0, 7])
    assert ood_metrics(native, other, paired=True)["shift"].value == (2 - -1) / (3 - 1)


def test_what_is_undefined_is_empty() -> None:
    constant = ood_metrics(np.ones(50), np.zeros(50), paired=True)
    assert constant["shift"] == Interval()
    assert constant["auroc"].value == 1
    for bad in (np.nan, np.inf):
        broken = ood_metrics(np.arange(9.0), np.array([0.0, bad]), paired=False)
        assert broken == {name: Interval() for name in SCORED}


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_hold_their_value_and_shrink_with_more_images(paired: bool) -> None:
    widths = []
    for count in (50, 800):
        native, other = RANDOM.normal(size=count), RANDOM.normal(-1, 1, size=count)
        found = ood_metrics(native, other, paired=paired)
        for number in found.values():
            low, value, high = bounds(number)
            assert low <= value <= high
            assert low < high
        widths.append({name: width(number) for name, number in found.items()})
    assert all(widths[1][name] < widths[0][name] for name in ("auroc", "aupr", "shift"))


def test_the_same_scores_have_the_same_interval() -> None:
    native, other = RANDOM.normal(size=60), RANDOM.normal(size=60)
    assert ood_metrics(native, other, paired=True) == ood_metrics(native.copy(), other.copy(), paired=True)


def test_pairs_are_drawn_together() -> None:
    native = 10 * RANDOM.normal(size=400)
    other = native - 1 + 0.01 * RANDOM.normal(size=400)
    together, alone = (ood_metrics(native, other, paired=paired)["shift"] for paired in (True, False))
    assert width(together) < 0.3 * width(alone)


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.5])
def test_gaussians_have_the_auroc_of_the_closed_form(distance: float) -> None:
    truth = norm.cdf(distance / np.sqrt(2))  # P(N(0, 1) > N(−d, 1))
    hits, trials = 0, 60
    for seed in range(trials):
        random = np.random.default_rng(seed)
        found = ood_metrics(random.normal(size=300), random.normal(-distance, 1, size=300), paired=False)["auroc"]
        assert found.value == pytest.approx(truth, abs=0.12)
        hits += between(found, truth)
    assert hits >= 0.85 * trials, "a 95 % interval"


def test_an_interval_is_the_middle_of_its_replicates() -> None:
    assert interval(0.5, np.linspace(0, 1, 101)) == pytest.approx((0.5, 0.025, 0.975))
    assert interval(0.5, np.array([])) == Interval(0.5)
    assert interval(np.nan, np.ones(3)) == Interval()
    assert interval(0.5, np.array([np.nan, 0.4, 0.4])) == Interval(0.5, 0.4, 0.4)
    assert REPLICATES >= 100
    assert set(SCORED) | {"ratio"} == set(OOD_METRICS)


def test_an_interval_holds_its_value_whatever_the_scores() -> None:
    random = np.random.default_rng(5)
    for trial in range(150):
        count = int(random.integers(2, 60))
        other_count = count if trial % 2 else int(random.integers(2, 60))
        native, other = random.standard_cauchy(count), random.standard_cauchy(other_count)
        if trial % 3 == 0:  # many ties
            native, other = native.round().clip(-2, 2), other.round().clip(-2, 2)
        for number in ood_metrics(native, other, paired=bool(trial % 2)).values():
            if number.value is not None:
                low, value, high = bounds(number)
                assert low - 1e-12 <= value <= high + 1e-12


def test_only_the_order_of_scores_counts_but_for_the_shift() -> None:
    random = np.random.default_rng(6)
    native, other = random.normal(size=80), random.normal(-1, 2, size=50)
    plain = ood_metrics(native, other, paired=False)
    bent = ood_metrics(np.exp(native), np.exp(other), paired=False)
    scaled = ood_metrics(3 * native + 7, 3 * other + 7, paired=False)
    for name in ("auroc", "aupr", "fpr95"):
        assert bent[name] == plain[name] == scaled[name]
    assert scaled["shift"] == pytest.approx(plain["shift"])
    assert bent["shift"].value != pytest.approx(plain["shift"].value, rel=0.01)
    assert ood_metrics(other, native, paired=False)["auroc"].value == pytest.approx(1 - sure(plain["auroc"].value))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("paired", [True, False])
def test_native_scores_that_are_not_finite_leave_all_undefined(bad: float, paired: bool) -> None:
    found = ood_metrics(np.array([0.0, bad, 2.0]), np.arange(3.0), paired=paired)
    assert found == {name: Interval() for name in SCORED}
    assert ood_metrics(np.array([]), np.arange(3.0), paired=False) == {name: Interval() for name in SCORED}


def test_pairs_that_vary_together_have_narrower_intervals_that_still_cover() -> None:
    truth, hits, trials, widths = norm.cdf(0.5 / np.sqrt(2)), 0, 40, []
    for seed in range(trials):
        random = np.random.default_rng(1000 + seed)
        shared, own, theirs = random.normal(size=(3, 300))
        native, other = 0.9**0.5 * shared + 0.1**0.5 * own, 0.9**0.5 * shared + 0.1**0.5 * theirs - 0.5
        found = ood_metrics(native, other, paired=True)["auroc"]
        alone = ood_metrics(native, other, paired=False)["auroc"]
        hits += between(found, truth)
        widths.append(width(found) / width(alone))
    assert hits >= 0.8 * trials
    assert np.mean(widths) < 0.6
