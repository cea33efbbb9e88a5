"""Compute a suite: the runs that are missing, what checks need beside them, and the answers of the checks."""

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
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.ood.evaluate import detect
from stitchlab.request import Report, no_report, portion
from stitchlab.results import networks
from stitchlab.results.checks import answers
from stitchlab.results.checks.answers import Answer, Answers, Number
from stitchlab.results.checks.plan import Step, steps
from stitchlab.results.checks.suite import Checking, find, suite_of, wanted
from stitchlab.results.checks.table import applies, has, lacks
from stitchlab.results.demo import SEEDS, untrained
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.store import Store, store_or_default


def check(
    names: Sequence[str],
    store: Store | None = None,
    *,
    checks: Sequence[str] = tuple(CHECKS),
    device: str | torch.device = "auto",
    report: Report = no_report,
    **settings: Any,
) -> Answers:
    """Check similarity measures on some networks: compute what the store lacks, and return the answers.

    Args:
        names: names or ids of networks in the store.
        store: default is `Store()`.
        checks: names in `stitchlab.catalog.checks.CHECKS`; default is all.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: gets the step and the share that is done; if it raises Cancelled, finished steps are kept.
        settings: data, measures and recipes, as in `stitchlab.results.checks.suite.find`.

    Raises:
        UnknownName: there is no network, check or measure of that name.
        StitchLabError: networks do not fit together, or a setting is out of range.
    """
    torch_device, store = pick_device(device), store_or_default(store)
    for name in names:
        cut_points_of_any(store, networks.find(store, name))
    return compute(find(store, names, **settings), checks, torch_device, report)


def compute(checking: Checking, checks: Sequence[str], device: torch.device, report: Report = no_report) -> Answers:
    """Compute in this process what a suite lacks for these checks, and return their answers.

    Args:
        checking: the suite with its runs.
        checks: names in `stitchlab.catalog.checks.CHECKS`.
        device: where to compute.
        report: gets the step and the share that is done; if it raises Cancelled, finished steps are kept.

    Raises:
        StitchLabError: a run cannot be computed, or was deleted meanwhile.
    """
    arguments = wanted(checking)
    answers.save(checking)
    _perform_all(checking.store, steps(checking, checks), device, report)
    report("done", 1.0)
    return Answers(suite_of(checking.store, arguments))


def _perform_all(store: Store, to_do: Sequence[Step], device: torch.device, report: Report) -> None:
    total, done = sum(step.weight for step in to_do), 0.0
    for step in to_do:
        perform_step(store, step, device, portion(report, done / total, step.weight / total))
        done += step.weight


def perform_step(store: Store, step: Step, device: torch.device, report: Report) -> None:
    """Do one step of a suite. Results that the store has are not computed again.

    Args:
        store: where networks and results are.
        step: as planned by `stitchlab.results.checks.plan.steps`.
        device: where to compute.
        report: gets the step and the share that is done; if it raises Cancelled, finished results are kept.

    Raises:
        StitchLabError: its run cannot be computed.
    """
    demo.train(store, report, [SEEDS.index(name) for name in untrained(store, step.names)])
    if step.work == "answers":
        compute_answers(suite_of(store, step.settings["suite"]), step.settings["checks"], device, report)
        return
    if step.work == "train":
        return
    run = ask(step.front, step.end, store, report=report, **step.arguments)
    run = grid.compute(store, run, device, portion(report, 0.0, 1.0 if step.work == "grid" else 0.1), watched=False)
    after_grid = portion(report, 0.1, 0.9)
    if step.work == "ranks":
        ranks.compute(run, device, after_grid)
    elif step.work == "halves":
        halves.compute(run, device, after_grid)
    elif step.work == "frechet":
        detect(run, detectors=[SET_DETECTOR], device=device, report=after_grid)


def compute_answers(checking: Checking, checks: Sequence[str], device: torch.device, report: Report) -> None:
    """Compute and keep the answers of checks for every measure they apply to; missing runs are computed first.

    Args:
        checking: the suite with its runs.
        checks: names in `stitchlab.catalog.checks.CHECKS`.
        device: where to compute.
        report: gets the step and the share that is done; may raise to stop.

    Raises:
        StitchLabError: a run cannot be computed, or was deleted meanwhile.
    """
    store, arguments = checking.store, wanted(checking)
    answers.save(checking)
    if lacking := _steps_before_answers(checking, checks):  # which another process should have done
        _perform_all(store, lacking, device, portion(report, 0.0, 0.5))
        checking = suite_of(store, arguments)
        if lacking := _steps_before_answers(checking, checks):
            raise StitchLabError(
                f"{lacking[0].label} is missing although it was just computed: it may have been deleted; ask again"
            )
    material = Material(checking)
    names = Answers(checking).lacking(checks)
    for k, name in enumerate(names):
        report(f"check: {CHECKS[name].label.lower()}", 0.5 + 0.5 * k / len(names))
        started = time.monotonic()
        records = {
            subject: _answer(CHECKS[name], material, subject).record()
            for subject in checking.suite.subjects
            if applies(CHECKS[name], subject)
        }
        store.put(
            answers.ROOM,
            answers.key(checking.suite.id, name),
            {"answers": records, **provenance(device, time.monotonic() - started)},
        )


def _steps_before_answers(checking: Checking, checks: Sequence[str]) -> list[Step]:
    """List the missing steps on which the answers of these checks depend."""
    return [step for step in steps(checking, checks) if step.work != "answers"]


def _answer(check: Check, material: Material, subject: str) -> Answer:
    """Compute the answer of a check for a measure, or say why there is none."""
    if reason := lacks(check, material.checking):
        return Answer(
            {statistic.name: Number(reason=reason) for statistic in check.statistics if has(statistic, subject)}
        )
    return check_function(check.name)(material, subject)
