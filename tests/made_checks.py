"""A suite of checks whose answers are made up, with evidence of every kind of figure. For tests of what reads them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stitchlab.catalog.check_rules import Statistic
from stitchlab.catalog.checks import CHECKS
from stitchlab.results.checks import answers
from stitchlab.results.checks.answers import Answer, Answers, Number
from stitchlab.results.checks.suite import find
from stitchlab.results.checks.table import applies, has
from stitchlab.results.run import Run
from stitchlab.store import Store

FEW = "2 layers have a value; the check takes 4"


def made_suite(
    store: Store,
    names: Sequence[str] = ("digits-a", "digits-b"),
    *,
    checks: Sequence[str] = tuple(CHECKS),
    **asked: Any,
) -> Answers:
    """Answers of these checks on networks of a store, saved with the suite, and the runs that they show.

    Of every measure `tlm/accuracy` fails most; `dm/jsd` has not enough data for the distance order.
    """
    checking = find(store, names, **asked)
    answers.save(checking)
    runs = [run.save() for run in (*checking.within.values(), *checking.across.values())]
    for check in (CHECKS[name] for name in checks):
        told = {
            subject: made_answer(check.name, subject, runs)
            for subject in checking.suite.subjects
            if applies(check, subject)
        }
        store.put(
            answers.ROOM,
            answers.key(checking.suite.id, check.name),
            {"answers": {subject: answer.record() for subject, answer in told.items()}, "seconds": 1.5},
        )
    return Answers(checking)


def made_answer(check: str, subject: str, runs: Sequence[Run]) -> Answer:
    """What a check says of a measure, whose numbers are always the same."""
    random = np.random.default_rng(zlib.crc32(f"{check} {subject}".encode()))
    numbers = {
        statistic.name: _number(statistic, check, subject, random)
        for statistic in CHECKS[check].statistics
        if has(statistic, subject)
    }
    layers = list(runs[0].request.front_layers)
    figures = [_matrix(layers, random), _points(random)]
    if check == "sensitivity":
        figures = [lines(layer, random) for layer in layers] + figures[1:]
    if check == "stability":
        figures = [_intervals(layers, random)]
    return Answer(
        numbers,
        {
            "figures": figures,
            "runs": [{"id": run.id, "title": run.title, "value": float(random.random())} for run in runs],
        },
    )


def _number(statistic: Statistic, check: str, subject: str, random: np.random.Generator) -> Number:
    if (check, subject) == ("distance-order", "dm/jsd"):
        return Number(reason=FEW)
    good = subject != "tlm/accuracy" and random.random() < 0.7
    value = float(random.uniform(0.955, 1.0) if good else random.uniform(0.3, 0.9))
    if statistic.rule == "at most":
        value = statistic.bound * (1.3 - value if good else 1 + value)
    low, high = (None, None) if statistic.tested else (value - 0.04, value + 0.02)
    return Number(
        value,
        low,
        high,
        (1e-4 if good else 0.4) if statistic.tested else None,
        bound=value + (0.1 if good else -0.1) if statistic.rule == "at most the probe's" else None,
    )


def _matrix(layers: list[str], random: np.random.Generator) -> dict[str, Any]:
    values: list[list[float | None]] = random.random((len(layers), len(layers))).tolist()
    values[0][-1] = None
    return {
        "kind": "matrix",
        "title": "digits-a → digits-a",
        "subtitle": "★ best of its column",
        "front_layers": layers,
        "end_layers": layers,
        "values": values,
        "low": 0.0,
        "high": 1.0,
        "better": "higher",
        "marks": [[0, 0], [1, 2]],
    }


def _points(random: np.random.Generator) -> dict[str, Any]:
    groups = [
        {"name": name, "points": [[float(x), float(x * slope), f"layer {k}"] for k, x in enumerate(random.random(9))]}
        for name, slope in (("same layer", 0.9), ("other layers", 0.4))
    ]
    return {
        "kind": "points",
        "title": "Similarity and closeness",
        "subtitle": "Spearman's ρ 0.91",
        "x_label": "closeness of layers",
        "y_label": "similarity",
        "groups": groups,
        "diagonal": True,
    }


def lines(layer: str, random: np.random.Generator) -> dict[str, Any]:
    """What the sensitivity check has of a layer: accuracies of the probe and of the measure over the rank."""
    ranks = [1, 2, 4, 8, 16, 32]
    rising = np.sort(random.random(len(ranks))).tolist()
    return {
        "kind": "lines",
        "title": layer,
        "subtitle": "digits-a into digits-a",
        "x_label": "directions kept (r)",
        "y_label": "accuracy, or similarity",
        "lines": [
            {"name": "Linear probe", "role": "probe", "x": ranks, "y": rising},
            {"name": "Direct matching: accuracy", "role": "method", "x": ranks, "y": [0.9 * y for y in rising]},
            {"name": "This measure", "role": "measure", "x": ranks, "y": [None, *[0.7 * y for y in rising[1:]]]},
            {"name": "spread of seeds", "role": "level", "x": [1, 32], "y": [0.6, 0.6]},
        ],
    }


def _intervals(layers: list[str], random: np.random.Generator) -> dict[str, Any]:
    middles = random.uniform(0.4, 0.9, len(layers)).tolist()
    return {
        "kind": "intervals",
        "title": "95 % intervals of same layers",
        "subtitle": "100 half samples",
        "x_label": "similarity",
        "reference": 0.5,
        "rows": [
            {"label": layer, "value": middle, "low": middle - 0.05, "high": middle + 0.04}
            for layer, middle in zip(layers, middles, strict=True)
        ],
    }
