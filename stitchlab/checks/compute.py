"""Computes a suite: the runs that are missing, what checks need beside them, and what the checks say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from stitchlab.catalog.check_rules import Check
from stitchlab.catalog.checks import CHECKS
from stitchlab.checks import check_function
from stitchlab.checks.material import Material
from stitchlab.errors import StitchLabError
from stitchlab.grid import compute as grid
from stitchlab.grid import demo, halves, ranks
from stitchlab.grid.ask import ask
from stitchlab.models.cut_points import outline
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.ood.evaluate import detect
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answer, Answers, Number
from stitchlab.results.checks.plan import Step, steps
from stitchlab.results.checks.suite import Checking, asked, find, wanted
from stitchlab.results.checks.table import applies, has, lacks
from stitchlab.results.demo import SEEDS, untrained
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.store import Store, given


def check(
    names: Sequence[str],
    store: Store | None = None,
    *,
    checks: Sequence[str] = tuple(CHECKS),
    device: str | torch.device = "auto",
    report: Report = no_report,
    **settings: Any,
) -> Answers:
    """Check similarity measures on some networks: compute what the store lacks, and give what the checks say.

    Args:
        names: names or ids of networks in the store.
        store: default is `Store()`.
        checks: names in `stitchlab.catalog.checks.CHECKS`; default is all.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: told what is being done; if it raises Cancelled, what is finished is kept.
        settings: data, measures and recipes, as in `stitchlab.results.checks.suite.find`.

    Raises:
        UnknownName: a network, check or measure of that name is not there.
        StitchLabError: networks do not fit together, or a setting is out of range.
    """
    where, store = pick_device(device), given(store)
    for name in names:
        outline(store, networks.find(store, name))
    return compute(find(store, names, **settings), checks, where, report)


def compute(checking: Checking, checks: Sequence[str], device: torch.device, report: Report = no_report) -> Answers:
    """Compute what a checking lacks for these checks, in this process, and give what they say.

    Args:
        checking: the suite with its runs.
        checks: names in `stitchlab.catalog.checks.CHECKS`.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, what is finished is kept.

    Raises:
        StitchLabError: a run cannot be computed, or was deleted meanwhile.
    """
    what = wanted(checking)
    kept.save(checking)
    _perform_all(checking.store, steps(checking, checks), device, report)
    report("done", 1.0)
    return Answers(asked(checking.store, what))


def _perform_all(store: Store, some: Sequence[Step], device: torch.device, report: Report) -> None:
    total, done = sum(step.weight for step in some), 0.0
    for step in some:
        perform(store, step, device, portion(report, done / total, step.weight / total))
        done += step.weight


def perform(store: Store, step: Step, device: torch.device, report: Report) -> None:
    """Do one step of a suite. What is there already is not computed again.

    Args:
        store: where networks and results are.
        step: as planned by `stitchlab.results.checks.plan.steps`.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, what is finished is kept.

    Raises:
        StitchLabError: its run cannot be computed.
    """
    demo.train(store, report, [SEEDS.index(name) for name in untrained(store, step.names)])
    if step.work == "answers":
        answer(asked(store, step.settings["suite"]), step.settings["checks"], device, report)
        return
    if step.work == "train":
        return
    run = ask(step.front, step.end, store, report=report, **step.arguments)
    run = grid.compute(store, run, device, portion(report, 0.0, 1.0 if step.work == "grid" else 0.1), watched=False)
    rest = portion(report, 0.1, 0.9)
    if step.work == "ranks":
        ranks.compute(run, device, rest)
    elif step.work == "halves":
        halves.compute(run, device, rest)
    elif step.work == "frechet":
        detect(run, detectors=[SET_DETECTOR], device=device, report=rest)


def answer(checking: Checking, checks: Sequence[str], device: torch.device, report: Report) -> None:
    """Compute what checks say of every measure that they are for, and keep it; what they need is computed first.

    Args:
        checking: the suite with its runs.
        checks: names in `stitchlab.catalog.checks.CHECKS`.
        device: where to compute.
        report: told what is being done; may raise to stop.

    Raises:
        StitchLabError: a run cannot be computed, or was deleted meanwhile.
    """
    store, what = checking.store, wanted(checking)
    kept.save(checking)
    if lacking := _unanswered(checking, checks):  # what another process was to do
        _perform_all(store, lacking, device, portion(report, 0.0, 0.5))
        checking = asked(store, what)
        if lacking := _unanswered(checking, checks):
            raise StitchLabError(
                f"{lacking[0].label} is missing although it was just computed: it may have been deleted; ask again"
            )
    material = Material(checking)
    names = Answers(checking).lacking(checks)
    for k, name in enumerate(names):
        report(f"check: {CHECKS[name].label.lower()}", 0.5 + 0.5 * k / len(names))
        started = time.monotonic()
        said = {
            subject: _said(CHECKS[name], material, subject).record()
            for subject in checking.suite.subjects
            if applies(CHECKS[name], subject)
        }
        store.put(
            kept.ROOM,
            kept.key(checking.suite.id, name),
            {"answers": said, **provenance(device, time.monotonic() - started)},
        )


def _unanswered(checking: Checking, checks: Sequence[str]) -> list[Step]:
    return [step for step in steps(checking, checks) if step.work != "answers"]


def _said(check: Check, material: Material, subject: str) -> Answer:
    """Give what a check says of a measure, or why it cannot say anything."""
    if reason := lacks(check, material.checking):
        return Answer(
            {statistic.name: Number(reason=reason) for statistic in check.statistics if has(statistic, subject)}
        )
    return check_function(check.name)(material, subject)
