"""Shows what the detectors say about a cell and whether to believe them: the choice of one, the table, the settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.glossary import meaning
from stitchlab.catalog.outliers import DATA
from stitchlab.catalog.outliers import OUTLIERS as KINDS
from stitchlab.figures.words import counted
from stitchlab.request import Detection
from stitchlab.results import data_sets
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults, opened_settings
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR

DEFAULT = SET_DETECTOR  # the detector that is chosen at first: it trains nothing and never saturates
BOUND: Any = {"bind": "query-params"}


def settings(run: Run) -> Detection:
    """Choose the known outliers that detectors have to recognise: made from the images, or data of that shape."""
    if run.source:
        return _opened(run)
    names = {name: kind.label for name, kind in KINDS.items()}
    shape = run.record["data"]["shape"]
    names |= {
        DATA + r.fingerprint: r.label
        for r in data_sets.known(run.store)
        if list(r.shape) == list(shape) and r.fingerprint != run.request.data
    }
    kind = st.selectbox(
        "Known outliers",
        list(names),
        key="outliers",
        format_func=names.__getitem__,
        **BOUND,
        help=f"{meaning('known outliers')} The learned detector was fine-tuned on other kinds: "
        + ", ".join(KINDS[k].label.lower() for k in Detection.training_outliers),
    )
    if kind in KINDS:
        st.caption(f"{KINDS[kind].label}: {KINDS[kind].meaning}.")
    return Detection(outliers=kind)


def _opened(run: Run) -> Detection:
    """Choose among the settings with which the run of an opened file was judged."""
    known = opened_settings(run) or [Detection()]
    names = {
        each: f"{outlier_label(DetectionResults(run, each))}; the learned detector was fine-tuned on "
        + ", ".join(_label(run, kind) for kind in each.training_outliers)
        for each in known
    }
    return st.selectbox("Known outliers", known, key=f"outliers-{run.id}", format_func=names.__getitem__) or known[0]


def choose() -> str:
    """Choose the detector that decides where it is believed, and whose scores the views show."""
    return (
        st.segmented_control(
            "Decide by",
            list(DETECTORS),
            default=DEFAULT,
            key="detector",
            required=True,
            format_func=lambda name: DETECTORS[name].label,
            wrap=True,
            **BOUND,
            help=f"{meaning('detector')} {meaning('believed')}",
        )
        or DEFAULT
    )


def remark(found: DetectionResults, chosen: str, decides: str | None, j: str) -> None:
    """Say why another detector than the chosen one decides; nothing where the chosen one does.

    Args:
        found: what detectors say about the run's cells.
        chosen, decides: names of the detector that was chosen and of the one that decides; None: none does.
        j: end layer of the cell.
    """
    if decides == chosen:
        return
    belief, label = found.reliability(chosen, j), DETECTORS[chosen].label
    instead = f" {DETECTORS[decides].label} decides instead." if decides else ""
    if belief.holds is False:
        st.warning(f"**{label} does not deserve belief at {j}**: {belief.why}.{instead}", icon=":material/warning:")
    else:
        st.caption(f":material/hourglass_top: {label} has not judged this cell yet.{instead}")


def table(found: DetectionResults, i: str, j: str) -> None:
    """Draw a table with a line for each detector; what a detector says is grey where it is not believed.

    Args:
        found: what detectors say about the run's cells.
        i, j: front layer and end layer of the cell.
    """
    if said := counted(found, i, j):
        st.markdown(said)
    st.table(
        [_line(found, name, i, j) for name in DETECTORS],
        border="horizontal",
        alt=f"What each detector says of {i} → {j}",
    )
    doubts = {
        DETECTORS[name].label: belief.why for name in DETECTORS if (belief := found.reliability(name, j)).holds is False
    }
    if doubts:
        st.caption(
            f"Not believed at {j}: {', '.join(doubts)}.",
            help="  \n".join(f"**{label}**: {why}." for label, why in doubts.items()),
        )
    st.caption(
        f"AUROC counts native as the positive class. {meaning('AUROC')} In brackets: 95 % bootstrap intervals. Shift: "
        f"{meaning('shift')} A detector is believed where native images held out of its fit give about 0.5 and known "
        f"outliers at least 0.8 (outliers here: {outlier_label(found)}). Fréchet ratio: 0 is native."
    )


def _line(found: DetectionResults, name: str, i: str, j: str) -> dict[str, str]:
    metric, belief = DETECTORS[name].metrics[0], found.reliability(name, j)
    line = {"": DETECTORS[name].label, "Believe it?": {True: ":green[yes]", False: "no", None: "–"}[belief.holds]}
    for method in found.run.request.methods:
        line[method.upper()] = _shown(found.interval(name, method, metric, i, j))
    for method in found.run.request.methods:
        line[f"{method.upper()} shift"] = (
            "" if metric == "ratio" else _shown(found.interval(name, method, "shift", i, j), brief=True)
        )
    for who, title in ((NATIVE, "Held-out native"), (OUTLIERS, "Known outliers")):
        line[title] = _shown(found.interval(name, who, metric, "", j))
    return {k: f":gray[{v}]" if belief.holds is False and v else v for k, v in line.items()}


def outlier_label(found: DetectionResults) -> str:
    """Name the known outliers for people."""
    return _label(found.run, found.detection.outliers)


def _label(run: Run, kind: str) -> str:
    if kind in KINDS:
        return KINDS[kind].label.lower()
    data = data_sets.of_fingerprint(run.store, kind.removeprefix(DATA))
    return kind if data is None else data.label


def _shown(number: Interval, *, brief: bool = False) -> str:
    if number.value is None:
        return "–"
    digits = 2 if abs(number.value) < 100 else 0
    value = f"{number.value:z,.{digits}f}".replace("-", "−")
    if brief or number.low is None or number.high is None:
        return value
    return f"**{value}** ({number.low:.2f}\u2060–\u2060{number.high:.2f})".replace(" ", "\u00a0")
