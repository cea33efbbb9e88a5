"""The checks of measures on made data: a measure that is right by construction passes, one that is wrong fails."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

import stitchlab.checks
from stitchlab.catalog.check_rules import Statistic
from stitchlab.catalog.checks import CHECKS
from stitchlab.checks import check_function, statistics
from stitchlab.checks.material import Material, Values
from stitchlab.request import derived_seed
from stitchlab.results.chance import holm
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import Ends
from stitchlab.results.checks.table import applies, lacks, rule, verdict
from stitchlab.results.quantity import Quantity

LAYERS = ("a", "b", "c", "d", "e", "f")
NETWORKS = ("one", "two", "three", "four")
PLACES = np.arange(len(LAYERS))
FAR: Values = np.abs(PLACES[:, None] - PLACES)


@dataclass
class Fake:
    """A run: matrices by measure, in their own units."""

    values: Mapping[str, Values]
    id: str = "0123456789abcdef"
    request: Any = field(
        default_factory=lambda: SimpleNamespace(
            front_layers=LAYERS, end_layers=LAYERS, cells=[(i, j) for j in LAYERS for i in LAYERS], null=200
        )
    )

    def matrix(self, name: str, metric: str) -> Values:
        return self.values[f"{name}/{metric}"]

    def value(self, name: str, metric: str, i: str, j: str) -> float:
        return float(self.matrix(name, metric)[LAYERS.index(i), LAYERS.index(j)])


def material(make: Callable[[str, str], Values], subject: str = "cka/similarity", **more: Any) -> Material:
    """Networks of six layers, whose measure is made for each front and end network."""
    pairs = [(f, g) for g in NETWORKS for f in NETWORKS]
    runs = {(f, g): Fake({subject: make(f, g)}) for f, g in pairs}
    following = {(f, NETWORKS[(k + 1) % 4]): runs[f, NETWORKS[(k + 1) % 4]] for k, f in enumerate(NETWORKS)}
    within = {ends: run for ends, run in runs.items() if ends[0] == ends[1]}
    across = {ends: run for ends, run in runs.items() if ends[0] != ends[1]}
    checking = SimpleNamespace(
        networks=[SimpleNamespace(id=name, name=name) for name in NETWORKS],
        within=within,
        across=across,
        same_layers=across,
        next=following,
        alike=[list(NETWORKS)],
        controls={(kind, g): Fake({subject: make(kind, g)}) for kind in ("random", "noise") for g in NETWORKS},
    )
    return Material(cast(Any, SimpleNamespace(**vars(checking) | more)))


def noise(*of: str) -> Values:
    """Small numbers that are drawn from the names of what they are of."""
    drawn: Values = np.random.default_rng(derived_seed(*of)).uniform(0, 0.02, FAR.shape)
    return drawn


def right(front: str, end: str) -> Values:
    """Near layers are more similar, whatever the seed; controls are less similar than anything."""
    if front in ("random", "noise"):
        return np.full(FAR.shape, 0.05)
    made: Values = 0.95 - 0.12 * FAR + (noise(front, end) if front != end else 0.05 * (FAR == 0))
    return made


def wrong(front: str, end: str) -> Values:
    """The far ends look alike, and controls like trained networks."""
    if front in ("random", "noise"):
        return np.full(FAR.shape, 0.99)
    made: Values = 0.2 + 0.12 * FAR + noise(front, end)
    return made


def of(check: str, make: Callable[[str, str], Values], subject: str = "cka/similarity", **more: Any) -> Answer:
    return check_function(check)(material(make, subject, **more), subject)


def verdicts(check: str, answer: Answer) -> dict[str, str]:
    known = {statistic.name: statistic for statistic in CHECKS[check].statistics}
    return {name: verdict(known[name], number, number.p)[0] for name, number in answer.statistics.items()}


ON_MATRICES = ("self", "correspondence", "distance-order", "far-layers", "specificity", "controls")


@pytest.mark.parametrize("check", ON_MATRICES)
def test_a_measure_that_is_right_by_construction_passes_and_one_that_is_wrong_fails(check: str) -> None:
    good, bad = of(check, right), of(check, wrong)
    assert set(verdicts(check, good).values()) == {"pass"}, good.statistics
    assert set(verdicts(check, bad).values()) == {"fail"}, bad.statistics


@pytest.mark.parametrize("check", ON_MATRICES)
def test_a_distance_is_the_other_way_round(check: str) -> None:
    distance = "opd/distance"
    good, bad = of(check, lambda f, g: 2 - right(f, g), distance), of(check, right, distance)
    assert good.statistics.keys() == of(check, right).statistics.keys()
    for name, number in of(check, right).statistics.items():
        assert good.statistics[name][:4] == pytest.approx(number[:4], abs=1e-9)
    assert "pass" not in verdicts(check, bad).values()


def test_shares_are_counted_as_by_hand() -> None:
    one = np.array([[1.0, 0.2, 0.1], [0.3, 0.4, 0.9], [0.2, 0.8, 0.8]])
    assert statistics.best_on_diagonal(one, 0) == (1, 3)  # only the first column
    assert statistics.best_on_diagonal(one, 1) == (1.5, 3)  # the first row, and half of the last
    one[1, 1] = np.nan
    assert statistics.best_on_diagonal(one, 0) == (1, 2)


def test_the_interval_is_that_of_the_mean_where_each_network_is_alone() -> None:
    values = {"a": 0.5, "b": 0.75, "c": 1.0, "d": 0.25}
    number = statistics.share({(n, n): (v * 4, 4) for n, v in values.items()}, "self", "rows")
    known = np.array(list(values.values()))
    reach = stats.t.ppf(0.975, 3) * known.std(ddof=1) / math.sqrt(4)
    assert number.value == pytest.approx(known.mean())
    assert number.low == pytest.approx(max(0, known.mean() - reach))
    assert number.high == pytest.approx(min(1, known.mean() + reach))
    pair = statistics.share({("a", "b"): (1, 2), ("b", "a"): (2, 2)}, "self", "rows")
    assert pair[:3] == (0.75, None, None)


def test_pairs_that_share_a_network_are_left_out_together() -> None:
    parts = {(f, g): (float(f == "one" or g == "one"), 1.0) for f, g in permutations(NETWORKS, 2)}
    number = statistics.share(parts, "correspondence", "rows")
    without = np.array([0.0, 4 / 6, 4 / 6, 4 / 6])
    error = math.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert number.value == pytest.approx(0.5)
    assert number.low == pytest.approx(max(0.0, 0.5 - stats.t.ppf(0.975, 3) * error))


def test_rank_correlations_and_their_nulls_are_scipys() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=7).round(1), random.normal(size=7).round(1)
    shuffled = y[statistics.shuffles(7, "test")]
    assert statistics.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert statistics.spearman_null(x, shuffled)[:50] == pytest.approx(
        [stats.spearmanr(x, row).statistic for row in shuffled[:50]]
    )
    assert statistics.kendall_null(x, shuffled)[:50] == pytest.approx(
        [stats.kendalltau(x, row).statistic for row in shuffled[:50]]
    )
    assert statistics.spearman(x, np.ones(7)) is None


def test_a_permutation_p_is_scipys_exact_one() -> None:
    x, y = np.arange(5.0), np.array([1.0, 0.0, 2.0, 4.0, 3.0])
    observed = stats.spearmanr(x, y).statistic
    exact = np.mean(
        [stats.spearmanr(x, x[list(order)]).statistic >= observed - 1e-12 for order in permutations(range(5))]
    )
    p, least = statistics.permutation_p(observed, [statistics.spearman_null(x, y[statistics.shuffles(5, "p")])], 120)
    assert least == 1 / 120
    assert p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / statistics.PERMUTATIONS))


def test_distance_order_is_spearmans_of_all_pairs_and_counts_nested_ones_by_hand() -> None:
    answer = of("distance-order", right)
    matrix = right("one", "one")
    off = ~np.eye(6, dtype=bool)
    assert answer.statistics["spearman"].value == pytest.approx(stats.spearmanr(matrix[off], -FAR[off]).statistic)
    assert answer.statistics["violations"].value == 0
    swapped = matrix.copy()
    swapped[0, 5] = 2.0  # of 15 pairs, all others lie within it
    nested = sum((j - i) * (j - i + 1) // 2 - 1 for i in range(6) for j in range(i + 1, 6))
    found = of("distance-order", lambda f, g: swapped if f == g else right(f, g)).statistics["violations"]
    assert found.value == pytest.approx(14 / (2 * nested))


def test_undefined_cells_are_left_out_and_counted() -> None:
    def holed(front: str, end: str) -> Values:
        values = right(front, end).copy()
        if front == end == "one":
            values[2] = np.nan
        return values

    number = of("self", holed).statistics["columns"]
    assert (number.value, number.reason) == (1, "6 of 144 cells are undefined: left out")
    nothing = of("self", lambda f, g: np.full(FAR.shape, np.nan)).statistics["columns"]
    assert nothing.value is None
    assert "144 of 144 cells are undefined" in nothing.reason


def test_a_measure_that_is_symmetric_has_no_symmetrised_statistic() -> None:
    def both(front: str, end: str) -> Values:
        values = right(*sorted((front, end)))
        return values if front <= end else values.T

    assert set(of("correspondence", both).statistics) == {"columns", "rows"}
    assert set(of("correspondence", right).statistics) == {"columns", "rows", "symmetrised"}


def test_symmetrising_averages_both_directions() -> None:
    def skewed(front: str, end: str) -> Values:
        tilt = 1.2 * np.arange(6)[:, None] / 6  # one direction prefers late front layers, the other early ones
        return right(front, end) + (tilt if front < end else tilt[::-1])

    answer = of("correspondence", skewed).statistics
    assert (answer["columns"].value or 0) < (answer["symmetrised"].value or 0)


class Ranked:
    """The ranks of a run: 1, 2, 4, 8 directions; the probe falls with them, the measure as it is told."""

    def __init__(self, falls: Callable[[int], float]) -> None:
        self.layers, self._falls = LAYERS, falls

    def ranks(self, layer: str) -> tuple[int, ...]:
        return 1, 2, 4, 8

    def curve(self, name: str, metric: str, layer: str) -> list[float | None]:
        if name == "probe":
            return [0.3, 0.5, 0.9, 0.9]
        return [self._falls(rank) for rank in self.ranks(layer)]


def sensitive(falls: Callable[[int], float]) -> Answer:
    made = material(right)
    vars(made)["ranks"] = lambda ends: Ranked(falls)
    return check_function("sensitivity")(made, "cka/similarity")


def test_a_measure_that_falls_with_the_probe_is_sensitive() -> None:
    found = sensitive(lambda rank: {1: 0.1, 2: 0.4, 4: 0.97, 8: 0.97}[rank])
    assert found.statistics["spearman"].value == pytest.approx(1)
    assert found.statistics["kendall"].value == pytest.approx(1)
    assert found.statistics["unnoticed"].value == found.statistics["unnoticed"].bound == pytest.approx(0.5)
    assert set(verdicts("sensitivity", found).values()) == {"pass"}


def test_a_measure_that_notices_nothing_or_rises_is_not() -> None:
    rising = sensitive(lambda rank: 1.06 - rank / 100)
    assert verdicts("sensitivity", rising) == {"spearman": "fail", "kendall": "fail", "unnoticed": "fail"}
    assert rising.statistics["unnoticed"].value == pytest.approx(1 - 1 / 8)
    constant = sensitive(lambda rank: 0.97)
    assert constant.statistics["spearman"].value is None
    assert "constant" in constant.statistics["spearman"].reason


class Halved:
    """What half samples say of a run: everywhere its value, in an interval of one width."""

    left_out: Mapping[str, str] = {}

    def __init__(self, run: Fake, width: float) -> None:
        self._values, self._width = run.matrix("cka", "similarity"), width

    def interval(self, name: str, metric: str) -> tuple[Values, Values]:
        return self._values - self._width / 2, self._values + self._width / 2


def halve(made: Material, width: float) -> None:
    """Let a material's runs be known on half samples, with intervals of this width."""

    def halves(ends: Ends) -> Any:
        return Halved(cast(Any, made.checking.next[ends]), width)

    vars(made)["halves"] = halves


@pytest.mark.parametrize(("width", "said"), [(0.05, "pass"), (1.5, "fail")])
def test_stability_holds_the_contrast_against_the_width(width: float, said: str) -> None:
    made = material(right)
    halve(made, width)
    answer = check_function("stability")(made, "cka/similarity")
    off = ~np.eye(6, dtype=bool)
    contrasts = [m.diagonal().mean() - m[off].mean() for ends in made.checking.next for m in [right(*ends)]]
    assert answer.statistics["images"].value == pytest.approx(np.mean(contrasts) / width)
    assert verdicts("stability", answer)["images"] == said
    spread = np.std([right(*ends).diagonal() for ends in made.checking.same_layers], axis=0, ddof=1).mean()
    every = np.mean([m.diagonal().mean() - m[off].mean() for m in (right(*e) for e in made.checking.same_layers)])
    assert answer.statistics["seeds"].value == pytest.approx(every / (2 * 1.96 * spread))
    assert answer.statistics["seeds"].low is None


def test_nothing_is_held_against_rounding() -> None:
    made = material(lambda f, g: right("one", "one"))  # all seeds say the same
    halve(made, 1e-15)
    answer = check_function("stability")(made, "cka/similarity")
    assert {name: number.value for name, number in answer.statistics.items()} == {"images": None, "seeds": None}
    assert "no cell of same layers moves" in answer.statistics["seeds"].reason
    nothing = material(lambda f, g: np.full(FAR.shape, np.nan))
    halve(nothing, 0.1)
    found = check_function("stability")(nothing, "cka/similarity").statistics["images"]
    assert "no cell of same layers is defined" in found.reason


def test_numbers_that_differ_by_rounding_are_equal() -> None:
    assert statistics.spearman(np.array([1 - 3e-16, 1 - 2e-16, 1 - 1e-16, 1.0]), np.arange(4.0)) is None
    some = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    assert statistics.spearman_null(np.arange(3.0), some).tolist() == pytest.approx([1, 0])


def test_holm_is_that_of_a_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_p_value_that_can_never_pass_the_correction_decides_nothing() -> None:
    tested = CHECKS["distance-order"].statistics[0]
    few = Number(0.9, p=1 / 24, least_p=1 / 24)
    assert verdict(tested, few, 26 / 24, tests=26)[0] == "not enough data"
    assert verdict(tested, few._replace(least_p=0.0005), 26 / 24, tests=26)[0] == "fail"
    assert verdict(tested, few._replace(value=-0.9), 26 / 24, tests=26)[0] == "fail"


def test_rules_are_said_as_they_are_held() -> None:
    for check in CHECKS.values():
        for statistic in check.statistics:
            assert rule(statistic), (check.name, statistic.name)
    share = CHECKS["self"].statistics[0]
    assert [verdict(share, Number(v), None)[0] for v in (0.95, 0.949, None)] == ["pass", "fail", "not enough data"]
    most = Statistic(name="x", label="x", meaning="x", low=0, high=1, rule="at most", bound=0.05)
    assert [verdict(most, Number(v), None)[0] for v in (0.05, 0.06)] == ["pass", "fail"]


def test_every_check_has_its_file_and_every_file_its_check() -> None:
    shared = {"__init__", "best_layer", "compute", "evidence", "material", "price", "statistics"}
    files = {path.stem for path in Path(stitchlab.checks.__file__).parent.glob("*.py")} - shared
    assert files == {name.replace("-", "_") for name in CHECKS}
    for name, check in CHECKS.items():
        assert check.name == name
        assert list(inspect.signature(check_function(name)).parameters) == ["material", "subject"]


@pytest.mark.parametrize(
    ("check", "change", "said"),
    [
        ("correspondence", {"alike": [["one"], ["two"], ["three"], ["four"]]}, "two networks with the same layers"),
        ("controls", {"networks": [SimpleNamespace(id="one", name="one")]}, "needs 2 networks; got 1"),
        ("stability", {"suite": SimpleNamespace(eval_images=3)}, "needs 8 evaluation images; got 3"),
    ],
)
def test_what_a_check_takes_is_said(check: str, change: dict[str, Any], said: str) -> None:
    made = material(right, **{"suite": SimpleNamespace(eval_images=500)} | change).checking
    assert said in lacks(CHECKS[check], made)


def test_measures_are_oriented_and_checks_are_for_those_they_say() -> None:
    assert [Quantity.of(s).sign for s in ("tlm/accuracy", "dm/distance", "cka/similarity", "opd/distance")] == [
        1,
        -1,
        1,
        -1,
    ]
    assert applies(CHECKS["in-distribution"], "dm/accuracy")
    assert not applies(CHECKS["in-distribution"], "cka/similarity")
    assert not applies(CHECKS["chance"], "dm/accuracy")


def test_the_docs_have_every_check_with_every_statistic() -> None:
    text = (Path(stitchlab.checks.__file__).parents[2] / "docs" / "checks.md").read_text()
    for check in CHECKS.values():
        assert f"| {check.name} |" in text
        for statistic in check.statistics:
            assert f"`{statistic.name}`" in text, (check.name, statistic.name)
