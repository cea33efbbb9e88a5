"""Plan what a suite lacks, in steps that workers can do one by one: grids, then what builds on them, then answers.

Steps name networks and settings, not runs: a control, or a network that is still trained, need not be there yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from stitchlab.catalog.check_rules import Material
from stitchlab.catalog.checks import CHECKS
from stitchlab.request import TaskLoss
from stitchlab.results.checks.answers import Answers, save
from stitchlab.results.checks.suite import Checking, asked, wanted
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

#: What is done on the grid of each network into the next one, with what it is called.
ON_NEXT: dict[Material, tuple[Work, str]] = {
    "ranks": ("ranks", "fewer directions"),
    "halves": ("halves", "half samples"),
    "frechet": ("frechet", "Fréchet ratios"),
}

#: What each step takes in shares of the progress: seconds of one core on digits, by those of a grid (15.5).
WEIGHTS: dict[Work, float] = {"train": 0.4, "grid": 1.0, "ranks": 1.3, "halves": 1.3, "frechet": 0.4, "answers": 0.5}
OF_NULLS, OF_DM_ALONE = 1.8, 0.05  # the same of grids of which not all is computed


@dataclass(frozen=True)
class Step:
    """Describe a part of the work.

    Attributes:
        work: the training of a network of the demo; a grid; what is done on one; or the answers of the checks.
        front, end: names or ids of the networks; the front may be a control's name. What is trained is the end.
        settings: of the grid, arguments of `stitchlab.results.resolve.resolve` as JSON knows them; of the answers the
            ``suite`` that is asked for and the ``checks``.
        label: what it is, for people.
    """

    work: Work
    front: str = ""
    end: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def names(self) -> list[str]:
        """List the networks that it needs, by the names or ids used to ask for them."""
        return [*filter(None, (self.front, self.end)), *self.settings.get("suite", {}).get("names", ())]

    @property
    def weight(self) -> float:
        """Return how long it takes relative to other steps."""
        if self.work != "grid":
            return WEIGHTS[self.work]
        return OF_NULLS if self.settings.get("null") else WEIGHTS["grid"] if self.settings["indices"] else OF_DM_ALONE

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the settings of the grid as `stitchlab.results.resolve.resolve` takes them."""
        return self.settings | {"tlm": TaskLoss(**self.settings["tlm"])}


def begin(store: Store, what: dict[str, Any], checks: Sequence[str]) -> list[Step]:
    """List the steps that are needed, as `lacking` does, and record that the suite was asked for.

    The record of networks that are yet to be trained is written with the answers: until then they have no ids.

    Args:
        store: where everything is.
        what: arguments of `stitchlab.results.checks.suite.find`, as JSON.
        checks: by name.

    Raises:
        StitchLabError: as `stitchlab.results.checks.suite.find`.
    """
    if not untrained(store, what["names"]):
        save(asked(store, what))
    return lacking(store, what, checks)


def lacking(store: Store, what: dict[str, Any], checks: Sequence[str] = tuple(CHECKS)) -> list[Step]:
    """List the steps that the store lacks; networks of the demo may be named before they are trained.

    Args:
        store: where everything is.
        what: arguments of `stitchlab.results.checks.suite.find`, as JSON knows them.
        checks: by name.

    Raises as `stitchlab.results.checks.suite.find`.
    """
    if not (new := untrained(store, what["names"])):
        return steps(asked(store, what), checks)
    names = list(what["names"])
    seeds = [name for name in names if name in SEEDS]  # of others it is not known yet whether layers are the same
    following = [(name, seeds[(k + 1) % len(seeds)]) for k, name in enumerate(seeds)]
    training = [Step("train", end=name, label=f"training {name}") for name in new]
    return training + every(what, dict(zip(names, names, strict=True)), checks, following)


def steps(checking: Checking, checks: Sequence[str] = tuple(CHECKS)) -> list[Step]:
    """List the steps that the store lacks for these checks; none if all have answers.

    Raises NotFoundYet where cut points are not known yet.
    """
    if not (lacking := Answers(checking).lacking(checks)):
        return []
    names = {network.id: network.name for network in checking.networks}
    found = every(wanted(checking), names, lacking, list(checking.next))
    return [step for step in found if step.work == "answers" or not _done(checking.store, step)]


def every(
    what: dict[str, Any], names: dict[str, str], checks: Sequence[str], following: Sequence[tuple[str, str]]
) -> list[Step]:
    """List all steps of some checks, also on networks that are not trained yet.

    Args:
        what: is asked for (`stitchlab.results.checks.suite.wanted`).
        names: what networks are called, by what they are asked for by.
        checks: by name.
        following: each network and the next one, into which what takes long is done.
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
    asked = {"suite": what, "checks": list(checks)}
    return [*grids, *on_next, Step("answers", settings=asked, label="what the checks say")]


def _grids(
    names: dict[str, str],
    settings: dict[str, Any],
    null: int,
    needed: set[Material],
    following: Sequence[tuple[str, str]],
) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Yield the front, the end, the settings that differ, and a remark, of each grid, each once."""
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
