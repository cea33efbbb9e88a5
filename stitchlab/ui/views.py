"""The views of one cell's activations: what is chosen is drawn, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures import activations as figures
from stitchlab.figures.grids import judged
from stitchlab.figures.walk import animation
from stitchlab.jobs import Jobs, judging, walking
from stitchlab.results import trajectory as walk
from stitchlab.results.channel_statistics import confusion, effective_rank, moved, negatives
from stitchlab.results.detection import NATIVE, STATISTICS, Distribution
from stitchlab.results.run import Run
from stitchlab.ui import material
from stitchlab.ui.charts import chart, heatmaps
from stitchlab.ui.material import statistics

Array = npt.NDArray[Any]
BOUND: Any = {"bind": "query-params"}
NAMED, CHANNELS, GALLERY = 5, 4, 10  # moved channels that are named; maps at first; images of a gallery
NOT_YET = "These statistics are not there yet."
TYPICAL = 0.05  # share of native images that score below what counts as out of distribution


def draw(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    """The switch, and the view that it says."""
    name = st.segmented_control("Look at", list(VIEWS), default="scores", key="look", required=True, wrap=True,
                                format_func=lambda key: VIEWS[key][0], **BOUND) or "scores"
    VIEWS[name][1](jobs, found, detector, i, j)


def _scores(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    native = found.arrays(detector, NATIVE, "", j)
    by_set = {name: kept["scores"] for name in found.run.request.methods
              if "scores" in (kept := found.arrays(detector, name, i, j))}
    if "scores" not in native:
        why = found.reason(detector, NATIVE, "", j)
        _nothing(f"{DETECTORS[detector].label} compares sets as a whole: it has no scores of single images."
                 if DETECTORS[detector].compares else f"There are none: {why}." if why
                 else "These scores are not there yet.")
        return
    by_set = {"native": native["scores"], **by_set, "outliers": native["outliers.scores"]}
    _chart(found, i, j, figures.scores(by_set, DETECTORS[detector].label, dark=ui.dark()), f"scores {detector}",
           f"Histograms of {DETECTORS[detector].label} scores, native and stitched")


def _channels(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    by_set = statistics(found, i, j)
    if not by_set:
        _nothing(NOT_YET)
        return
    order_of = {name: moved(by_set["native"], by_set[name]) for name in found.run.request.methods if name in by_set}
    named = list(dict.fromkeys(int(c) for order in order_of.values() for c in order[:NAMED]))
    _chart(found, i, j, figures.channels(by_set, named, dark=ui.dark()), "channels",
           "Mean and deviation of every channel, stitched over native")
    for name, order in order_of.items():
        st.markdown(f"**{METHOD_LABELS[name]}** moved channels {', '.join(str(c) for c in order[:NAMED])} most "
                    "(change of the mean, in native deviations).")
    st.table([_summary(by_set, name) for name in by_set], border="horizontal")
    st.caption("Negative where native has none: over the channels in which no native value is negative; a stitch after "
               "a ReLU has no ReLU. Effective rank: exp of the entropy of the spectrum (Roy & Vetterli 2007).")
    left, right = st.columns(2)
    with left:
        _chart(found, i, j, figures.norms(by_set, dark=ui.dark()), "norms", "Histograms of norms")
    with right:
        _chart(found, i, j, figures.spectrum(by_set, dark=ui.dark()), "spectrum", "Spectra of covariances")


def _plane(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    by_set = {name: kept["plane"] for name, kept in statistics(found, i, j).items()}
    if not by_set:
        _nothing(NOT_YET)
        return
    if (labels := material.labels(jobs, found, j)) is None:
        return
    classes, shown = found.run.record["data"]["classes"], labels[:figures.SHOWN]
    texts = {name: [f"test image {k}: {classes[c]}" for k, c in enumerate(shown)] for name in by_set}
    texts["outliers"] = ["a known outlier, no test image"] * len(shown)
    image = int(st.session_state.get("image", 0))
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        _chart(found, i, j, figures.plane(by_set, texts, selected=("native", image), dark=ui.dark()), "map of images",
               "Native, stitched and outlying images on two principal axes",
               on_select=partial(_point, len(by_set) - 1), selection_mode="points")
    with right:
        material.image(jobs, found.run, image)
        st.caption("The ring is its native place. Feature maps shows it layer by layer.")
    st.caption(f"The first {figures.SHOWN} test images of each set. The axes are fitted on native training images, on "
               "means and deviations of channels, and explain native variance, not what is stitched.")


def _point(sets: int, key: str) -> None:
    """A click on a point of one of the first sets, which are test images; the outliers behind them are none."""
    for point in st.session_state[key].selection.points[:1]:
        if point["curve_number"] < sets:
            st.session_state["image"] = int(point["point_index"])


def _feature_maps(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    by_set = statistics(found, i, j)
    left, right = st.columns([1, 5])
    with left:
        image = int(st.number_input("Test image", 0, found.run.request.eval_images - 1, 0, key="image", **BOUND))
        material.image(jobs, found.run, image)
    with right:
        maps = material.activations(jobs, found.run, image, i, j)
        if maps is None:
            return
        if maps["native"].shape[1:] == (1, 1):
            _chart(found, i, j, figures.vectors({n: m[:, 0, 0] for n, m in maps.items()}, dark=ui.dark()),
                   f"image {image}", "One image's activations by channel")
            return
        count = len(maps["native"])
        stitched = next((by_set[m] for m in found.run.request.methods if m in by_set), None)
        order = np.arange(count) if stitched is None else moved(by_set["native"], stitched)
        first = [int(c) for c in order[:CHANNELS]]
        chosen = st.multiselect("Channels", list(range(count)), default=first, max_selections=8,
                                key=f"channels-{found.run.id}-{i}-{j}", wrap=True,
                                help="At first the ones that the stitch moved most.")
        if chosen:
            _chart(found, i, j, figures.feature_maps(maps, chosen, dark=ui.dark()), f"feature maps of image {image}",
                   "Feature maps of one image: native and stitched")
            st.caption("Each channel has one colour range for all rows, so that colours can be compared downwards.")


def _predictions(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    by_set = statistics(found, i, j)
    if not by_set:
        _nothing(NOT_YET)
        return
    if (labels := material.labels(jobs, found, j)) is None:
        return
    classes = found.run.record["data"]["classes"]
    methods = [m for m in found.run.request.methods if m in by_set]
    for column, name in zip(st.columns(max(2, len(methods))), methods, strict=False):
        told = by_set[name]["predictions"]
        if (told < 0).any():
            column.info(f"{METHOD_LABELS[name]} predicts nothing: {found.run.reason(name, 'accuracy', i, j)}.")
            continue
        agree = float((told == by_set["native"]["predictions"]).mean())
        with column:
            title = f"{METHOD_LABELS[name]}: agrees with the end network on {agree:.1%}"
            shares = confusion(labels, told, len(classes))
            _chart(found, i, j, figures.confusion(shares, classes, title, dark=ui.dark()), f"confusion {name}",
                   "Predictions by label")
    if "tlm" in by_set and (by_set["tlm"]["predictions"] >= 0).all():
        _right_and_out(jobs, found, detector, i, j, by_set["tlm"]["predictions"] == labels)


def _right_and_out(jobs: Jobs, found: Distribution, detector: str, i: str, j: str, right: Array) -> None:
    native, told = found.arrays(detector, NATIVE, "", j), found.arrays(detector, "tlm", i, j)
    if "scores" not in native or "scores" not in told:
        return
    scores = told["scores"]
    bound = float(np.quantile(native["scores"], TYPICAL))
    out = scores < bound
    st.markdown(
        f"**Right and out of distribution:** task loss matching classifies {right.mean():.1%} of the test images "
        f"correctly; on {(right & out).mean():.1%} of all it is right although {DETECTORS[detector].label} scores the "
        f"activations below {1 - TYPICAL:.0%} of native ones. The farthest of them:"
    )
    places = np.flatnonzero(right & out)
    worst = [int(p) for p in places[np.argsort(scores[places], kind="stable")[:GALLERY]]]
    if worst and (asked := material.images(jobs, found.run, worst)) is not None:
        images, labels = asked
        classes = found.run.record["data"]["classes"]
        texts = [f"{k}: {classes[c]}" for k, c in zip(worst, labels, strict=True)]
        st.image(list(images), caption=texts, alt=[f"test image {text}" for text in texts], width=96)


def _epochs(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    run = found.run
    if "tlm" not in run.request.methods:
        _nothing("This run has no task loss matching.")
        return
    kept, by_set = walk.kept(run, i, j), statistics(found, i, j)
    if kept is None:
        _walk(jobs, run, i, j)
        return
    if not by_set:
        _nothing(NOT_YET)
        return
    value, plane = kept
    name = detector if detector in value["detectors"] else "frechet"
    metric = "ratio" if name == "frechet" else st.segmented_control(
        "Measure", ["auroc", "shift"], default="auroc", key="walk_metric", required=True,
        format_func=lambda key: OOD_METRICS[key].label) or "auroc"
    told = value["detectors"][name][metric]
    label = OOD_METRICS[metric].label + ("" if name == "frechet" else f" ({DETECTORS[name].label})")
    figure = animation(value["epochs"], value["accuracy"], told, label, by_set["native"]["plane"], plane,
                       by_set.get("dm", {}).get("plane"), own=run.own_accuracy, dark=ui.dark())
    _chart(found, i, j, figure, f"epochs {name} {metric}", f"Accuracy and {label} by epoch, and where images lie")
    if name != detector:
        st.caption(f"{DETECTORS[detector].label} does not follow the epochs; the Fréchet ratio is shown.")
    accuracy, known = value["accuracy"], [t for t in told if t is not None]
    st.markdown(f"From epoch 0 to {value['epochs'][-1]}: accuracy {_number(accuracy[0])} → {_number(accuracy[-1])}, "
                f"{label} {_number(told[0])} → {_number(told[-1])}"
                + (f" (highest of those shown {_number(max(known))})." if known else "."))
    st.caption(f"Over {value['images']:,} test images; the plane follows {plane.shape[1]} of them. Epoch 0 is the map "
               f"before training: {'direct matching' if run.request.tlm.init == 'dm' else 'PyTorch’s initialisation'}. "
               "To see a map leave native activations, start TLM from direct matching (Compare, settings).")


def _walk(jobs: Jobs, run: Run, i: str, j: str) -> None:
    job = walking(run, i, j)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job, key="cancel_view")
    elif not walk.possible(run, i, j):
        _nothing("The maps along its epochs are not kept: this cell was trained before they were, or where "
                 "STITCHLAB_TRAIL is 0. Delete the run (`python -m stitchlab delete`) and compute it again.")
    elif status is not None and status.state in ("failed", "cancelled"):
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
        if st.button("Try again", key="again_walk", icon=":material/refresh:"):
            ui.queue(lambda: jobs.walk(run, i, j))
    else:
        ui.queue(lambda: jobs.walk(run, i, j))


def _grid(jobs: Jobs, found: Distribution, detector: str, i: str, j: str) -> None:
    metrics = DETECTORS[detector].metrics
    metric = metrics[0] if len(metrics) == 1 else st.segmented_control(
        "Measure", metrics, default=metrics[0], key="metric", required=True, wrap=True,
        format_func=lambda key: OOD_METRICS[key].label, **BOUND) or metrics[0]
    heatmaps(found.run, judged(found, detector, metric), f"ood-{detector}-{metric}", (i, j))
    doubtful = [layer for layer in found.run.request.end_layers if found.belief(detector, layer).holds is False]
    if doubtful:
        st.warning(f"{DETECTORS[detector].label} does not deserve belief at {', '.join(doubtful)} (marked †).",
                   icon=":material/warning:")
    st.caption(f"**{OOD_METRICS[metric].label}**: {OOD_METRICS[metric].meaning}. Grey: not looked at yet, or "
               "undefined. Click a cell to go to it.")
    cells, job = found.cells, judging(found.run, found.detection, found.cells)
    lacking = found.lacking([detector, STATISTICS], cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job, lambda: Distribution(found.run, found.detection).lacking(
            [detector, STATISTICS], cells) != lacking, key="cancel_view")
    elif lacking:
        text, clicked = ui.beside("Look at all", ":material/play_arrow:", primary=True)
        count = sum(len(column) for _, column in lacking.values())
        text.markdown(f"**{count} of {len(cells)} cells were not looked at yet** by {DETECTORS[detector].label}.")
        if clicked:
            ui.queue(lambda: jobs.judge(found.run, found.detection, list(dict.fromkeys([*QUICK, detector])), cells))


VIEWS: dict[str, tuple[str, Callable[[Jobs, Distribution, str, str, str], None]]] = {
    "scores": ("Scores", _scores), "channels": ("Channels", _channels), "plane": ("Map of images", _plane),
    "maps": ("Feature maps", _feature_maps), "predictions": ("Predictions", _predictions),
    "epochs": ("TLM's epochs", _epochs), "grid": ("Whole grid", _grid),
}


def _summary(by_set: dict[str, dict[str, Array]], name: str) -> dict[str, str]:
    values = by_set[name]
    negative, rank = negatives(by_set["native"], values), effective_rank(values["spectrum"].astype(np.float64))
    return {
        "": figures.SETS[name],
        "Negative where native has none": "– (native has some in every channel)" if negative is None
        else f"{negative:.1%}",
        "Exact zeros": f"{values['zero'].mean():.1%}",
        "Median norm": f"{np.median(values['norms']):.3g}",
        "Effective rank": "–" if rank is None else f"{rank:.1f} of {len(values['spectrum'])}",
    }


def _chart(
    found: Distribution, i: str, j: str, figure: go.Figure, what: str, alt: str, **more: Any
) -> None:
    """A figure of this cell; its picture's name says which."""
    chart(found.run.id, figure, f"{what} {i} {j}", alt, f"{i} → {j} {what}", **more)


def _nothing(text: str) -> None:
    st.info(text, icon=":material/info:")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
