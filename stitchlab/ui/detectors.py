"""Draws what the detectors say about a cell and whether to believe them: their choice, the table, the settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.glossary import meaning
from stitchlab.catalog.outliers import DATA
from stitchlab.catalog.outliers import OUTLIERS as OUTLIER_KINDS
from stitchlab.figures.words import believed_count_sentence
from stitchlab.request import Detection
from stitchlab.results import data_sets
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults, opened_settings
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR

DEFAULT_DETECTOR = SET_DETECTOR  # it trains nothing and never saturates
BOUND: Any = {"bind": "query-params"}


def settings(run: Run) -> Detection:
    """Choose the known outliers that detectors have to reject: made from the images, or other data of their shape."""
    if run.source:
        return _settings_of_file(run)
    labels = {name: kind.label for name, kind in OUTLIER_KINDS.items()}
    shape = run.record["data"]["shape"]
    labels |= {
        DATA + record.fingerprint: record.label
        for record in data_sets.known(run.store)
        if list(record.shape) == list(shape) and record.fingerprint != run.request.data
    }
    kind = st.selectbox(
        "Known outliers",
        list(labels),
        key="outliers",
        format_func=labels.__getitem__,
        **BOUND,
        help=f"{meaning('known outliers')} The learned detector was fine-tuned on other kinds: "
        + ", ".join(OUTLIER_KINDS[k].label.lower() for k in Detection.training_outliers),
    )
    if kind in OUTLIER_KINDS:
        st.caption(f"{OUTLIER_KINDS[kind].label}: {OUTLIER_KINDS[kind].meaning}.")
    return Detection(outliers=kind)


def _settings_of_file(run: Run) -> Detection:
    """Choose among the settings with which detectors judged the run of an opened file."""
    choices = opened_settings(run) or [Detection()]
    labels = {
        detection: f"{outlier_label(DetectionResults(run, detection))}; the learned detector was fine-tuned on "
        + ", ".join(_label(run, kind) for kind in detection.training_outliers)
        for detection in choices
    }
    return (
        st.selectbox("Known outliers", choices, key=f"outliers-{run.id}", format_func=labels.__getitem__) or choices[0]
    )


def choose() -> str:
    """Choose the detector whose scores the views show, and which decides wherever it is believed."""
    return (
        st.segmented_control(
            "Decide by",
            list(DETECTORS),
            default=DEFAULT_DETECTOR,
            key="detector",
            required=True,
            format_func=lambda name: DETECTORS[name].label,
            wrap=True,
            **BOUND,
            help=f"{meaning('detector')} {meaning('believed')}",
        )
        or DEFAULT_DETECTOR
    )


def remark(results: DetectionResults, chosen_detector: str, deciding_detector: str | None, j: str) -> None:
    """If another detector than the chosen one decides, say why.

    Args:
        results: results of the detectors on the run's cells.
        chosen_detector: name of the detector that the visitor chose.
        deciding_detector: name of the detector that decides; None: no detector does.
        j: end layer of the cell.
    """
    if deciding_detector == chosen_detector:
        return
    belief, label = results.reliability(chosen_detector, j), DETECTORS[chosen_detector].label
    instead = f" {DETECTORS[deciding_detector].label} decides instead." if deciding_detector else ""
    if belief.holds is False:
        st.warning(f"**{label} does not deserve belief at {j}**: {belief.why}.{instead}", icon=":material/warning:")
    else:
        st.caption(f":material/hourglass_top: {label} has not judged this cell yet.{instead}")


def table(results: DetectionResults, i: str, j: str) -> None:
    """Draw a table with a line for each detector; the line is grey if the detector is not believed.

    Args:
        results: results of the detectors on the run's cells.
        i, j: front layer and end layer of the cell.
    """
    if sentence := believed_count_sentence(results, i, j):
        st.markdown(sentence)
    st.table(
        [_line(results, name, i, j) for name in DETECTORS],
        border="horizontal",
        alt=f"What each detector says about {i} → {j}",
    )
    doubts = {
        DETECTORS[name].label: belief.why
        for name in DETECTORS
        if (belief := results.reliability(name, j)).holds is False
    }
    if doubts:
        st.caption(
            f"Not believed at {j}: {', '.join(doubts)}.",
            help="  \n".join(f"**{label}**: {why}." for label, why in doubts.items()),
        )
    st.caption(
        f"AUROC counts native as the positive class. {meaning('AUROC')} In brackets: 95 % bootstrap intervals. Shift: "
        f"{meaning('shift')} A detector is believed where native images held out of its fit give about 0.5 and known "
        f"outliers at least 0.8 (outliers here: {outlier_label(results)}). Fréchet ratio: 0 is native."
    )


def _line(results: DetectionResults, name: str, i: str, j: str) -> dict[str, str]:
    metric, belief = DETECTORS[name].metrics[0], results.reliability(name, j)
    line = {"": DETECTORS[name].label, "Believe it?": {True: ":green[yes]", False: "no", None: "–"}[belief.holds]}
    for method in results.run.request.methods:
        line[method.upper()] = _write_interval(results.interval(name, method, metric, i, j))
    for method in results.run.request.methods:
        line[f"{method.upper()} shift"] = (
            ""
            if metric == "ratio"
            else _write_interval(results.interval(name, method, "shift", i, j), value_alone=True)
        )
    for set_name, title in ((NATIVE, "Held-out native"), (OUTLIERS, "Known outliers")):
        line[title] = _write_interval(results.interval(name, set_name, metric, "", j))
    return {k: f":gray[{v}]" if belief.holds is False and v else v for k, v in line.items()}


def outlier_label(results: DetectionResults) -> str:
    """Return the label of the known outliers."""
    return _label(results.run, results.detection.outliers)


def _label(run: Run, kind: str) -> str:
    if kind in OUTLIER_KINDS:
        return OUTLIER_KINDS[kind].label.lower()
    data = data_sets.of_fingerprint(run.store, kind.removeprefix(DATA))
    return kind if data is None else data.label


def _write_interval(interval: Interval, *, value_alone: bool = False) -> str:
    if interval.value is None:
        return "–"
    digits = 2 if abs(interval.value) < 100 else 0
    value = f"{interval.value:z,.{digits}f}".replace("-", "−")
    if value_alone or interval.low is None or interval.high is None:
        return value
    return f"**{value}** ({interval.low:.2f}\u2060–\u2060{interval.high:.2f})".replace(" ", "\u00a0")
