"""Says first what a cell means: what each method's accuracy and activations say together, and the numbers behind."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.sets import SET_LABELS as NAMES
from stitchlab.figures.words import IMAGES_AND_SETS, Tone, conclusions, disagreements
from stitchlab.results.channel_statistics import negatives
from stitchlab.results.detection import NATIVE, DetectionResults, SetName
from stitchlab.results.recipe import words
from stitchlab.results.similarity import ACCURATE, INACCURATE, SET_DETECTOR
from stitchlab.store import Array
from stitchlab.ui import material

SETS_LABEL = DETECTORS[SET_DETECTOR].label
BOXES: dict[Tone, tuple[Callable[..., object], str]] = {
    "similar": (st.success, ":material/check_circle:"),
    "no evidence": (st.warning, ":material/block:"),
    "no claim": (st.info, ":material/do_not_disturb_on:"),
    "open": (st.info, ":material/help:"),
}
#: What the plain numbers mean.
NUMBERS_HELP = (
    f"Accurate: at least {ACCURATE:.0%} of what the end network's own accuracy has above chance is left; inaccurate: "
    f"less than {INACCURATE:.0%}. Negative: share of negative values in the channels in which no native value is "
    "negative; a stitch after a ReLU has no ReLU. Native's own Fréchet ratio is that of test images against held-out "
    f"training images. {IMAGES_AND_SETS}"
)


def conclude(found: DetectionResults, decides: str | None, i: str, j: str) -> None:
    """Draw side by side what follows for each method.

    Args:
        found: what detectors say about the run's cells.
        decides: name of the detector that decides; None: none is believed.
        i, j: front layer and end layer of the cell.
    """
    said = conclusions(found, decides, i, j)
    for column, (method, conclusion) in zip(st.columns(max(1, len(said))), said.items(), strict=True):
        box, icon = BOXES[conclusion.tone]
        with column:
            box(f"**{METHOD_LABELS[method]}:** {conclusion.sentence}", icon=icon)


def numbers(found: DetectionResults, decides: str | None, i: str, j: str) -> None:
    """Draw a table of the plain numbers of native and stitched activations, first those that need no detector.

    Args:
        found: what detectors say about the run's cells.
        decides: name of the detector that decides, which is explained; None: none is believed.
        i, j: front layer and end layer of the cell.
    """
    by_set = material.statistics(found, i, j)
    st.table(
        [_line(found, by_set, name, i, j) for name in (NATIVE, *found.run.request.methods)],
        border="horizontal",
        alt=f"Accuracy and distances from native activations of {i} → {j}",
    )
    said: list[str] = []
    meaning = ""
    if decides is not None:
        detector = DETECTORS[decides]
        said.append(f"Decided by: {detector.label}.")
        meaning = f"{detector.label}: {detector.meaning} ({detector.reference}). "
    if "tlm" in found.run.request.methods:
        said.append(f"Task loss matching: {words(found.run)}.")
    st.caption(" ".join([*said, *disagreements(found, i, j)]), help=meaning + NUMBERS_HELP)


def _line(
    found: DetectionResults, by_set: dict[str, dict[str, Array]], name: SetName, i: str, j: str
) -> dict[str, str]:
    run = found.run
    native = name == NATIVE
    return {
        "": NAMES[name],
        "Accuracy": _shown(run.own_accuracy if native else run.value(name, "accuracy", i, j)),
        "Negative where native has none": _share(by_set, name),
        "Distance to native": "0" if native else _shown(run.value(name, "distance", i, j)),
        SETS_LABEL: _shown(found.interval(SET_DETECTOR, name, "ratio", "" if native else i, j).value),
    }


def _share(by_set: dict[str, dict[str, Array]], name: str) -> str:
    if name not in by_set:
        return "–"
    share = negatives(by_set["native"], by_set[name])
    return "–" if share is None else f"{share:.1%}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
