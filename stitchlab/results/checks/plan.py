"""Plan the work that a suite lacks, in steps for workers: grids, then what builds on them, then the answers.

Steps name networks and settings instead of runs, since a control or a network may not be made yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from stitchlab.catalog.check_rules import Material
from stitchlab.catalog.checks import CHECKS
from stitchlab.request import TaskLoss
from stitchlab.results.checks.answers import Answers, save
from stitchlab.results.checks.suite import Checking, suite_of, wanted
from stitchlab.results.controls import NOISE, RANDOM, is_control, kept
from stitchlab.results.demo import SEEDS, untrained
from stitchlab.results.detection import STATISTICS, DetectionResults
from stitchlab.results.halves import Halves
from stitchlab.results.networks import find
from stitchlab.results.plan import missing
from stitchlab.results.ranks import Ranks
from stitchlab.results.resolve import resolve
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.store import Store

Work = Literal["train", "grid", "ranks", "halves", "frechet", "answers"]

#: The work on the grid of each network into the next one, with its label.
ON_NEXT: dict[Material, tuple[Work, str]] = {
    "ranks": ("ranks", "fewer directions"),
    "halves": ("halves", "half samples"),
    "frechet": ("frechet", "Fréchet ratios"),
}

#: The time of each step relative to a grid: seconds of one core on digits, divided by those of a grid (15.5).
WEIGHTS: dict[Work, float] = {"train": 0.4, "grid": 1.0, "ranks": 1.3, "halves": 1.3, "frechet": 0.4, "answers": 0.5}
NULLS_WEIGHT = 1.8  # of a grid of indices and nulls alone
DM_WEIGHT = 0.05  # of a grid of direct matching alone


@dataclass(frozen=True)
class Step:
    """Describe a part of the work.

    Attributes:
        work: the training of one of the demo's networks; a grid; work on a grid; or the answers of the checks.
        front, end: names or ids of the networks; the front may be a control's name. The network to train is the end.
        settings: of a grid, arguments of `stitchlab.results.resolve.resolve`, as JSON; of the answers, the requested
            ``suite`` (arguments of `stitchlab.results.checks.suite.find`, as JSON) and the ``checks``.
        label: a description for people.
    """

    work: Work
    front: str = ""
    end: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def names(self) -> list[str]:
        """List the networks that the step needs, by the names or ids of the request."""
        return [*filter(None, (self.front, self.end)), *self.settings.get("suite", {}).get("names", ())]

    @property
    def weight(self) -> float:
        """Return how long the step takes relative to a grid."""
        if self.work != "grid":
            return WEIGHTS[self.work]
        if self.settings.get("null"):
            return NULLS_WEIGHT
        return WEIGHTS["grid"] if self.settings["indices"] else DM_WEIGHT

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the settings of the grid as `stitchlab.results.resolve.resolve` takes them."""
        return self.settings | {"tlm": TaskLoss(**self.settings["tlm"])}


def begin(store: Store, what: Mapping[str, Any], checks: Sequence[str]) -> list[Step]:
    """List the steps that are needed, as `lacking` does, and record that the suite was requested.

    Where a network is not trained yet, it has no id: then the record is written with the answers.

    Args:
        store: where everything is.
        what: arguments of `stitchlab.results.checks.suite.find`, as JSON.
        checks: by name.

    Raises:
        StitchLabError: as `stitchlab.results.checks.suite.find`.
    """
    if not untrained(store, what["names"]):
        save(suite_of(store, what))
    return lacking(store, what, checks)


def lacking(store: Store, what: Mapping[str, Any], checks: Sequence[str] = tuple(CHECKS)) -> list[Step]:
    """List the steps that the store lacks; networks of the demo may be named before they are trained.

    Args:
        store: where everything is.
        what: arguments of `stitchlab.results.checks.suite.find`, as JSON.
        checks: by name.

    Raises as `stitchlab.results.checks.suite.find`.
    """
    if not (to_train := untrained(store, what["names"])):
        return steps(suite_of(store, what), checks)
    names = list(what["names"])
    seeds = [name for name in names if name in SEEDS]  # only of the demo's networks it is known that layers are equal
    following = [(name, seeds[(k + 1) % len(seeds)]) for k, name in enumerate(seeds)]
    training = [Step("train", end=name, label=f"training {name}") for name in to_train]
    return training + every(what, dict(zip(names, names, strict=True)), checks, following)


def steps(checking: Checking, checks: Sequence[str] = tuple(CHECKS)) -> list[Step]:
    """List the steps that the store lacks for these checks; none if all checks have answers.

    Raises NotFoundYet where cut points are not known yet.
    """
    if not (lacking := Answers(checking).lacking(checks)):
        return []
    names = {network.id: network.name for network in checking.networks}
    all_steps = every(wanted(checking), names, lacking, list(checking.next))
    return [step for step in all_steps if step.work == "answers" or not _done(checking.store, step)]


def every(
    what: Mapping[str, Any], names: dict[str, str], checks: Sequence[str], following: Sequence[tuple[str, str]]
) -> list[Step]:
    """List all steps of some checks, also on networks that are not trained yet.

    Args:
        what: arguments of `stitchlab.results.checks.suite.find`, as JSON.
        names: the networks' names, by the name or id in ``what``.
        checks: by name.
        following: each network with the next one; work that takes long is done on these grids only.
    """
    needed = {material for name in checks for material in CHECKS[name].material}
    settings = {name: value for name, value in what.items() if name not in ("names", "null")}
    grids = [
        Step("grid", front, end, settings | change, f"grid of {_title(names, front, end)}{remark}")
        for front, end, change, remark in _grids(names, settings, what["null"], needed, following)
    ]
    on_next = [
        Step(work, front, end, settings, f"{label} of {_title(names, front, end)}")
        for material, (work, label) in ON_NEXT.items()
        if material in needed
        for front, end in following
    ]
    answers = {"suite": what, "checks": list(checks)}
    return [*grids, *on_next, Step("answers", settings=answers, label="what the checks say")]


def _grids(
    names: dict[str, str],
    settings: dict[str, Any],
    null: int,
    needed: set[Material],
    following: Sequence[tuple[str, str]],
) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Yield each grid once: its front, its end, the settings that differ from the suite's, and a remark."""
    within, across = [(n, n) for n in names], [(f, g) for g in names for f in names if f != g]
    plain = [*(within if "within" in needed else ()), *(across if "across" in needed else ())]
    plain += [ends for ends in following if ends not in plain and needed & set(ON_NEXT)]
    yield from ((f, g, {}, "") for f, g in plain)
    if "fewer images of DM" in needed and "dm" in settings["methods"]:
        change = {"methods": ["dm"], "indices": [], "dm_images": max(1, settings["dm_images"] // 2)}
        yield from ((f, g, change, ", half of DM's images") for f, g in following)
    if "null" in needed and settings["indices"] and null:
        yield from ((f, g, {"methods": [], "null": null}, ", images permuted") for f, g in following)
    if "controls" in needed:
        yield from ((control, g, {}, "") for g, name in names.items() for control in (RANDOM + name, NOISE))


def _title(names: dict[str, str], front: str, end: str) -> str:
    return f"{names.get(front, front)} → {names[end]}"


def _done(store: Store, step: Step) -> bool:
    if is_control(step.front) and kept(store, step.front, find(store, step.end), step.settings["seed"]) is None:
        return False
    run = resolve(store, step.front, step.end, **step.arguments)
    if run.draft or missing(run):
        return False
    if step.work == "ranks":
        return Ranks(run).complete
    if step.work == "halves":
        return Halves(run).complete
    return step.work == "grid" or not DetectionResults(run).lacking(
        [SET_DETECTOR, STATISTICS], DetectionResults(run).cells
    )
