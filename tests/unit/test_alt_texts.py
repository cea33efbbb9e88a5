"""Texts of figures for those who do not see them: every figure has one, and it names its true extremes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import plotly.graph_objects as go
import pytest

from stitchlab import figures
from stitchlab.figures import (
    activations,
    alt,
    checks_evidence,
    feature_maps,
    heatmap,
    layer_maps,
    networks,
    probes,
    scatter,
    thumbnail,
    together,
    trajectory,
)
from stitchlab.figures.grid import Grid
from stitchlab.results.cut_points import CutPoint, Cuts
from stitchlab.results.run import Run
from unit.test_figures_checks import INTERVALS, LINES, MATRIX, POINTS

ROWS, COLUMNS = ("a1", "a2", "a3"), ("a1", "a2")
NUMBERS = np.array([[0.5, 0.31], [np.nan, 0.7], [0.97, 0.12]])
GRID = Grid(
    title="Task loss matching: accuracy",
    subtitle="",
    values=NUMBERS,
    front_layers=ROWS,
    end_layers=COLUMNS,
    front="f",
    end="g",
    low=0.0,
    high=1.0,
    doubtful=("a2",),
)


def statistics(shift: float) -> dict[str, Any]:
    mean = np.array([0.1, 0.2, 0.3, 0.4])
    return {
        "mean": mean + shift * np.array([1, -2, 3, 0]),
        "deviation": np.ones(4) + shift * np.array([0, 0, 0.5, -0.25]),
        "spectrum": np.array([6.0, 3.0, 1.0, 0.0]),
        "norms": np.arange(11.0) + 10 * shift,
        "plane": np.array([[0.0, 1.0], [2.0, -3.0]]) * (1 + shift),
    }


BY_SET = {"native": statistics(0.0), "tlm": statistics(1.0)}
NAMED = {"native": ["x", "y"], "tlm": ["x", "y"]}
RUN = SimpleNamespace(
    request=SimpleNamespace(front_layers=ROWS, end_layers=COLUMNS, methods=("tlm", "dm")),
    own_accuracy=0.876,
    matrix=lambda method, metric: NUMBERS if method == "tlm" else NUMBERS / 2,
)
FOUND: Any = SimpleNamespace(
    run=RUN,
    reliability=lambda *_: SimpleNamespace(holds=True),
    matrix=lambda detector, method, metric: np.array([[2.5, 0.25], [9.0, 0.5], [0.031, 1.0]]),
)
TWO: Any = SimpleNamespace(front_layers=ROWS, end_layers=COLUMNS, matrices=lambda *_: (NUMBERS, NUMBERS[::-1] - 0.05))
PROBES: Any = SimpleNamespace(
    network=SimpleNamespace(name="digits-a"),
    layers=("one", "two", "three"),
    own_accuracy=0.913,
    chance=0.104,
    data=SimpleNamespace(label="digits"),
    rows=lambda: [SimpleNamespace(accuracy=a, layer="", train_accuracy=1.0, reason="") for a in (0.21, 0.95, 0.83)],
)
CUTS = Cuts([CutPoint("first", (), (8, 32, 32), True, 1), CutPoint("last", (), (64, 4, 4), True, 2)], 2, 2, True)
WALK: dict[str, Any] = {
    "epochs": [0, 1, 5],
    "accuracy": [0.11, None, 0.93],
    "detection": [0.2, 3.5, 1.5],
    "label": "Fréchet ratio",
    "native": np.array([[0.0, 0.0], [4.0, 1.0]]),
    "points": np.arange(12.0).reshape(3, 2, 2),
    "own": 0.96,
}

#: Every function that makes a figure: made numbers, and what the text has to name of them.
CASES: dict[Callable[..., Any], list[tuple[tuple[Any, ...], dict[str, Any], list[str]]]] = {
    heatmap.heatmap: [
        (
            (GRID,),
            {"selected": ("a3", "a1")},
            [
                "Task loss matching: accuracy: 3 front by 2 end layers",
                "lowest 0.12 (a3 → a2)",
                "highest 0.97 (a3 → a1)",
                "same name 0.6;",
                "1 of 6 without a number",
                "Not believed: a2",
                "Selected: a3 → a1, 0.97",
            ],
        )
    ],
    scatter.accuracy_and_frechet: [
        (
            (FOUND,),
            {},
            [
                "TLM: 5 cells",
                "accuracy lowest 0.12 (a3 → a2), highest 0.97 (a3 → a1)",
                "ratio lowest 0.031 (a3 → a1), highest 2.5 (a1 → a1)",
                "highest 0.485 (a3 → a1)",
                "alone: 0.876",
            ],
        )
    ],
    activations.scores: [
        (
            ({"native": np.arange(-4.0, 5.0), "tlm": np.arange(-4.0, 5.0) - 400}, "Energy"),
            {},
            ["Energy", "Native: median 0, from −1 to 1.", "Task loss matching: median −100, from −101 to −99."],
        )
    ],
    activations.channels: [
        (
            (BY_SET, [0]),
            {},
            [
                "mean minus native's: lowest −2 (channel 1), highest 3 (channel 2)",
                "deviation minus native's: lowest −0.25 (channel 3), highest 0.5 (channel 2)",
            ],
        )
    ],
    activations.spectrum: [
        ((BY_SET,), {}, ["Native: from 0.6 to 0.1, lowest 0.1 (component 3), highest 0.6 (component 1)"])
    ],
    layer_maps.layer_maps: [
        (
            ({"relu1": np.arange(24.0).reshape(2, 3, 4) - 7, "relu8": np.full((1, 1, 1), 0.25)},),
            {},
            [
                "relu1: 2 of its channels with 3 × 4 positions, from −7 to 16.",
                "relu8: 1 of its channels with 1 position, from 0.25 to 0.25.",
            ],
        )
    ],
    activations.norms: [((BY_SET,), {}, ["Native: median 5, from 0 to 10.", "matching: median 15, from 10 to 20."])],
    activations.plane: [
        (
            ({n: s["plane"] for n, s in BY_SET.items()}, NAMED),
            {},
            [
                "Native: 2 points, first axis from 0 to 2, second axis from −3 to 1",
                "matching: 2 points, first axis from 0 to 4, second axis from −6 to 2",
            ],
        )
    ],
    activations.confusion: [
        (
            (np.array([[0.9, 0.1, 0.0], [0.25, 0.7, 0.05], [0.02, 0.0, 0.98]]), ["cat", "dog", "frog"], "Predictions"),
            {},
            [
                "Predictions: 3 labels",
                "Right: lowest 0.7 (dog), highest 0.98 (frog)",
                "highest 0.25 (dog predicted as cat)",
            ],
        )
    ],
    feature_maps.feature_maps: [
        (
            ({"native": np.arange(8.0).reshape(2, 2, 2), "tlm": -np.ones((2, 2, 2))}, [1]),
            {},
            ["Channel 1: Native from 4 to 7, Task loss matching from −1 to −1."],
        )
    ],
    feature_maps.vectors: [
        (({"native": np.array([0.5, 8.0, -1.0])},), {}, ["Native: lowest −1 (channel 2), highest 8 (channel 1)"])
    ],
    networks.chain: [
        (
            (CUTS,),
            {},
            ["2 blocks of a network, from first to last", "lowest 4 (last), highest 32 (first)", "highest 64 (last)"],
        )
    ],
    networks.curve: [
        (
            (
                [
                    {"epoch": 1, "train": 0.4, "test": 0.5, "loss": 2.0},
                    {"epoch": 2, "train": 0.9, "test": 0.3, "loss": 1.0},
                ],
                2,
            ),
            {},
            [
                "while learning: from 0.4 to 0.9",
                "test images: from 0.5 to 0.3, lowest 0.3 (epoch 2), highest 0.5 (epoch 1)",
            ],
        )
    ],
    networks.by_class: [
        (
            ([0.6, None, 0.95], ["cat", "dog", "frog"], "Accuracy by class"),
            {},
            ["Accuracy by class, 2 classes: lowest 0.6 (cat), highest 0.95 (frog)"],
        )
    ],
    networks.balance: [
        (
            ([1200, 900], [10, 30], ["cat", "dog"]),
            {},
            ["training: 2,100 images, lowest 900 (dog), highest 1,200 (cat)", "test: 40 images, lowest 10 (cat)"],
        )
    ],
    probes.figure: [
        (
            ([PROBES],),
            {},
            [
                "digits-a: from 0.21 to 0.83, lowest 0.21 (at one), highest 0.95 (at two)",
                "itself: 0.913",
                "chance: 0.104",
            ],
        )
    ],
    trajectory.animation: [
        (
            (),
            WALK,
            [
                "Accuracy: from 0.11 to 0.93",
                "highest 3.5 (epoch 1)",
                "alone: 0.96",
                "after epoch 5: 2 points, first axis from 8 to 10",
                "Native: 2 points, first axis from 0 to 4",
            ],
        )
    ],
    together.cells_of_two: [
        (
            (TWO, "tlm", "accuracy"),
            {},
            [
                "A: lowest 0.12 (a3 → a2), highest 0.97 (a3 → a1)",
                "B: lowest 0.07 (a1 → a2), highest 0.92 (a1 → a1)",
                "B minus A: lowest −0.52 (a3 → a1), highest 0.42 (a1 → a1)",
                "ρ",
            ],
        )
    ],
    checks_evidence.draw: [
        (
            (MATRIX,),
            {},
            ["Mean", "lowest 0.1 (two → one), highest 1.5 (one → three)", "Framed: one → one, two → three"],
        ),
        ((LINES,), {}, ["Linear probe: from 0.2 to 0.9", "Direct matching: accuracy: from 0.1 to 0.8", "(r 16)"]),
        ((POINTS,), {}, ["a: 2 points, closeness from 0 to 2, similarity from 1 to 3", "b: 0 points"]),
        ((INTERVALS,), {}, ["similarity of 2", "Values: lowest 0.4 (one)", "ends: lowest 0.3", "with 0.5"]),
    ],
}


def test_every_figure_that_is_made_is_held_here() -> None:
    modules = [
        importlib.import_module(f"stitchlab.figures.{found.name}")
        for found in pkgutil.iter_modules(figures.__path__)
        if found.name != "alt"
    ]
    made = {
        f"{module.__name__}.{name}"
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and function.__annotations__.get("return") == "go.Figure"
    }
    assert made == {f"{function.__module__}.{function.__name__}" for function in CASES}


@pytest.mark.parametrize("function", CASES, ids=lambda function: f"{function.__module__[18:]}.{function.__name__}")
def test_the_text_names_the_extremes(function: Callable[..., go.Figure]) -> None:
    for given, named, wanted in CASES[function]:
        for dark in (False, True):
            said = alt.alt_text(function(*given, **named, dark=dark))
            assert [part for part in wanted if part not in said] == [], said
            assert "nan" not in said.split()
            assert "<" not in said, "it is no markup"


def test_a_figure_without_a_number_says_so() -> None:
    empty = Grid(**{**vars(GRID), "values": np.full((3, 2), np.nan)})
    assert "without a number; 6 of 6 without a number" in alt.alt_text(heatmap.heatmap(empty))
    assert "Native: without a number." in alt.alt_text(activations.norms({"native": {"norms": np.array([np.nan])}}))


def test_the_text_of_a_card_names_both_methods() -> None:
    said = thumbnail.describe(cast(Run, RUN))
    assert "Task loss matching: 3 front by 2 end layers, lowest 0.12 (a3 → a2), highest 0.97 (a3 → a1)" in said
    assert "Direct matching: 3 front by 2 end layers, lowest 0.06 (a3 → a2)" in said
