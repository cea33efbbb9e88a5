"""A cell's activations on the screen: what the detectors say, in words and numbers, and the views below."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.catalog.outliers import DATA
from stitchlab.catalog.outliers import OUTLIERS as KINDS
from stitchlab.figures.words import agreement, verdicts
from stitchlab.jobs import Jobs, judging
from stitchlab.request import Detection
from stitchlab.results import data_sets
from stitchlab.results.definitions import changed, listed
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, Cell, Distribution
from stitchlab.results.interval import Interval
from stitchlab.results.recipe import words
from stitchlab.results.run import Run
from stitchlab.ui import views

SMALL = 5000  # training images below which the learned detector trains unasked: it takes seconds
DEFAULT = "energy"  # the paper's
BOUND: Any = {"bind": "query-params"}


def ready(jobs: Jobs, run: Run, i: str, j: str) -> bool:
    """Whether any method is stitched in this cell; where one is not, a button that does it."""
    absent = [m for m in run.request.methods if (m, i, j) not in run.cells]
    if not absent:
        return True
    status = jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: len(Run(run.store, run.record).cells) > len(run.cells),
                 key="cancel_grid")
    elif others := changed(run.request):
        st.info(f"{', '.join(METHOD_LABELS[m] for m in absent)} of {i} → {j} is not computed, and definitions have "
                f"changed since this run was asked for ({listed(others)}). Its grid asks for the same under today's.",
                icon=":material/info:")
    else:
        text, clicked = ui.beside("Compute this cell", ":material/play_arrow:", primary=True)
        text.info(f"{', '.join(METHOD_LABELS[m] for m in absent)} of {i} → {j} is not computed yet.",
                  icon=":material/info:")
        if clicked:
            ui.queue(lambda: jobs.compute(run, (i, j)))
    return len(absent) < len(run.request.methods)


def detection(run: Run) -> Detection:
    """Which known outliers the detectors have to recognise: made from the images, or data of the same shape."""
    names = {name: kind.label for name, kind in KINDS.items()}
    shape = run.record["data"]["shape"]
    names |= {DATA + r.fingerprint: r.label for r in data_sets.known(run.store)
              if list(r.shape) == list(shape) and r.fingerprint != run.request.data}
    with st.expander("Settings", icon=":material/tune:"):
        kind = st.selectbox(
            "Known outliers", list(names), key="outliers", format_func=names.__getitem__, **BOUND,
            help="A detector that does not tell these from native images is not believed. The learned detector was "
                 "fine-tuned on other kinds: " + ", ".join(KINDS[k].label.lower() for k in Detection.training_outliers),
        )
        if kind in KINDS:
            st.caption(f"{KINDS[kind].label}: {KINDS[kind].meaning}.")
    return Detection(outliers=kind)


def judged(jobs: Jobs, run: Run, settings: Detection, i: str, j: str) -> None:
    """The sentences, the numbers and the views of a cell; what is not there yet is queued, and comes."""
    cells = [(m, i, j) for m in run.request.methods if (m, i, j) in run.cells]
    found = Distribution(run, settings)
    _bring(jobs, found, cells)
    chosen = st.segmented_control("Detector", list(DETECTORS), default=DEFAULT, key="detector", required=True,
                                  format_func=lambda name: DETECTORS[name].label, wrap=True, **BOUND) or DEFAULT
    detector = _there(found, chosen, cells)
    _sentences(found, detector, i, j)
    if detector != chosen:
        st.caption(f"{DETECTORS[chosen].label} has not looked at this cell yet: {DETECTORS[detector].label} speaks.")
    with st.expander("What all detectors say, and whether to believe them", expanded=True, icon=":material/table:"):
        _numbers(found, i, j)
    views.draw(jobs, found, detector, i, j)


def _there(found: Distribution, chosen: str, cells: list[Cell]) -> str:
    """The chosen detector, or while it has not looked at this cell, the first that has and is believed."""
    if not found.lacking([chosen], cells):
        return chosen
    others = [name for name in DETECTORS if not found.lacking([name], cells)]
    return next((name for name in others if found.belief(name, cells[0][2]).holds), chosen)


def _bring(jobs: Jobs, found: Distribution, cells: list[Cell]) -> None:
    """Queues what is lacking, once: quick detectors always, those that learn where it takes seconds, or when asked."""
    run = found.run
    if others := changed(run.request, *run.request.methods):
        st.info(f"Definitions have changed since this run was asked for ({listed(others)}), so this is what was kept "
                "of it. Its grid asks for the same under today's.", icon=":material/info:")
        return
    job = judging(run, found.detection, cells)
    status = jobs.status(job)
    absent, unlearnt = _lacking(found, cells)
    if status is not None and status.active:
        ui.watch(jobs, job, lambda: _lacking(Distribution(run, found.detection), cells) != (absent, unlearnt))
        return
    if status is not None and status.state in ("failed", "cancelled") and (absent or unlearnt):
        why = f"It stopped: {status.message}." if status.state == "failed" else f"It was {status.state}."
        text, clicked = ui.beside("Try again", ":material/refresh:")
        text.error(why, icon=":material/error:")
        if clicked:
            ui.queue(lambda: jobs.judge(run, found.detection, list(DETECTORS), cells))
        return
    data = data_sets.of_fingerprint(run.store, run.request.data)
    few = data is not None and data.train < SMALL
    if absent or (unlearnt and few):
        ui.queue(lambda: jobs.judge(run, found.detection, [*QUICK, *(LEARNING if few else ())], cells))
    elif unlearnt:
        text, clicked = ui.beside("Train it", ":material/play_arrow:")
        text.info("The learned detector (the paper's) has not been trained on this layer yet: some minutes without a "
                  "GPU. It is trained once for all cells of the column.", icon=":material/info:")
        if clicked:
            ui.queue(lambda: jobs.judge(run, found.detection, LEARNING, cells))


def _lacking(found: Distribution, cells: list[Cell]) -> tuple[Any, Any]:
    """What quick detectors lack, and what those that learn do."""
    return found.lacking([*QUICK, STATISTICS], cells), found.lacking(LEARNING, cells)


def _sentences(found: Distribution, detector: str, i: str, j: str) -> None:
    said = verdicts(found, detector, i, j)
    for method, sentence in said.items():
        st.markdown(f"## {METHOD_LABELS[method]}: {sentence}")
    if said:
        tlm = f" Task loss matching: {words(found.run)}." if "tlm" in said else ""
        own = "" if (a := found.run.own_accuracy) is None else f" The end network alone is {a:.2f} accurate."
        st.markdown(agreement(found, i, j))
        st.caption(f"By {DETECTORS[detector].label} ({DETECTORS[detector].meaning}; {DETECTORS[detector].reference})."
                   + tlm + own)
    belief = found.belief(detector, j)
    if belief.holds is False:
        st.warning(f"**{DETECTORS[detector].label} does not deserve belief at {j}**: {belief.why}. Choose another "
                   "detector.", icon=":material/warning:")


def _numbers(found: Distribution, i: str, j: str) -> None:
    """One line a detector; what a detector says that is not believed is grey."""
    lines = []
    for name, detector in DETECTORS.items():
        metric = detector.metrics[0]
        belief = found.belief(name, j)
        line = {"": detector.label + ("" if metric == "ratio" else f", {OOD_METRICS[metric].label}")}
        for method in found.run.request.methods:
            line[method.upper()] = _shown(found.interval(name, method, metric, i, j))
            line[f"{method.upper()} shift"] = "" if metric == "ratio" else _shown(
                found.interval(name, method, "shift", i, j), brief=True)
        for who, title in ((NATIVE, "Held-out native"), (OUTLIERS, "Known outliers")):
            line[title] = _shown(found.interval(name, who, metric, "", j))
        line["Believe it?"] = {True: ":green[yes]", False: f"no: {belief.why}", None: "–"}[belief.holds]
        lines.append({k: f":gray[{v}]" if belief.holds is False and v else v for k, v in line.items()})
    st.table(lines, border="horizontal")
    st.caption(
        "AUROC, native as the positive class: 0.5 cannot be told from native, 1 out of distribution; below 0.5, more "
        "typical than native. In brackets: 95 % bootstrap intervals. Shift: native median minus stitched, in native "
        "interquartile ranges. A detector is believed where native images held out of its fit give about 0.5 and "
        f"known outliers at least 0.8 (outliers here: {outlier_label(found)}). Fréchet ratio: 0 is native."
    )


def outlier_label(found: Distribution) -> str:
    """Of the known outliers, for people."""
    kind = found.detection.outliers
    if kind in KINDS:
        return KINDS[kind].label.lower()
    data = data_sets.of_fingerprint(found.run.store, kind.removeprefix(DATA))
    return kind if data is None else data.label


def _shown(number: Interval, *, brief: bool = False) -> str:
    if number.value is None:
        return "–"
    digits = 2 if abs(number.value) < 100 else 0
    value = f"{number.value:z,.{digits}f}".replace("-", "−")
    if brief or number.low is None or number.high is None:
        return value
    return f"**{value}** ({number.low:.2f}\u2060–\u2060{number.high:.2f})".replace(" ", "\u00a0")
