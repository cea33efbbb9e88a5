"""Draws what a cell means: the conclusion from each method's accuracy and activations, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.sets import SET_LABELS
from stitchlab.figures.words import IMAGES_AND_SETS, Tone, conclusions, disagreements
from stitchlab.results.channel_statistics import negatives
from stitchlab.results.detection import NATIVE, DetectionResults, SetName
from stitchlab.results.recipe import words
from stitchlab.results.similarity import ACCURATE, MAX_INACCURATE_SHARE, SET_DETECTOR
from stitchlab.store import Array
from stitchlab.ui import material

SET_DETECTOR_LABEL = DETECTORS[SET_DETECTOR].label
BOXES: dict[Tone, tuple[Callable[..., object], str]] = {
    "similar": (st.success, ":material/check_circle:"),
    "no evidence": (st.warning, ":material/block:"),
    "no claim": (st.info, ":material/do_not_disturb_on:"),
    "open": (st.info, ":material/help:"),
}
#: Explains the columns of the table of numbers.
NUMBERS_HELP = (
    f"Accurate: at least {ACCURATE:.0%} of the end network's own accuracy above chance is left; inaccurate: less than "
    f"{MAX_INACCURATE_SHARE:.0%}. Negative: share of negative values in the channels in which no native value is "
    "negative; a stitch after a ReLU has no ReLU. Native's own Fréchet ratio is that of test images against held-out "
    f"training images. {IMAGES_AND_SETS}"
)


def conclude(results: DetectionResults, deciding_detector: str | None, i: str, j: str) -> None:
    """Draw the conclusions about each method side by side.

    Args:
        results: results of the detectors on the run's cells.
        deciding_detector: name of the detector that decides; None: none is believed.
        i, j: front layer and end layer of the cell.
    """
    by_method = conclusions(results, deciding_detector, i, j)
    for column, (method, conclusion) in zip(st.columns(max(1, len(by_method))), by_method.items(), strict=True):
        box, icon = BOXES[conclusion.tone]
        with column:
            box(f"**{METHOD_LABELS[method]}:** {conclusion.sentence}", icon=icon)


def numbers(results: DetectionResults, deciding_detector: str | None, i: str, j: str) -> None:
    """Draw a table of numbers of native and stitched activations, first those that need no detector.

    Args:
        results: results of the detectors on the run's cells.
        deciding_detector: name of the detector that decides, which is explained; None: none is believed.
        i, j: front layer and end layer of the cell.
    """
    by_set = material.statistics(results, i, j)
    st.table(
        [_line(results, by_set, name, i, j) for name in (NATIVE, *results.run.request.methods)],
        border="horizontal",
        alt=f"Accuracy and distances from native activations of {i} → {j}",
    )
    sentences: list[str] = []
    meaning = ""
    if deciding_detector is not None:
        detector = DETECTORS[deciding_detector]
        sentences.append(f"Decided by: {detector.label}.")
        meaning = f"{detector.label}: {detector.meaning} ({detector.reference}). "
    if "tlm" in results.run.request.methods:
        sentences.append(f"Task loss matching: {words(results.run)}.")
    st.caption(" ".join([*sentences, *disagreements(results, i, j)]), help=meaning + NUMBERS_HELP)


def _line(
    results: DetectionResults, by_set: dict[str, dict[str, Array]], set_name: SetName, i: str, j: str
) -> dict[str, str]:
    run = results.run
    native = set_name == NATIVE
    return {
        "": SET_LABELS[set_name],
        "Accuracy": _write_number(run.own_accuracy if native else run.value(set_name, "accuracy", i, j)),
        "Negative where native has none": _negative_share(by_set, set_name),
        "Distance to native": "0" if native else _write_number(run.value(set_name, "distance", i, j)),
        SET_DETECTOR_LABEL: _write_number(
            results.interval(SET_DETECTOR, set_name, "ratio", "" if native else i, j).value
        ),
    }


def _negative_share(by_set: dict[str, dict[str, Array]], set_name: str) -> str:
    if set_name not in by_set:
        return "–"
    share = negatives(by_set["native"], by_set[set_name])
    return "–" if share is None else f"{share:.1%}"


def _write_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
