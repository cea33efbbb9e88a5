"""Draws the view of TLM's training: accuracy, distance from native, and where images lie, epoch by epoch."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.trajectory import animation
from stitchlab.jobs import following
from stitchlab.results import trajectory as walk
from stitchlab.store import Array
from stitchlab.ui import opened
from stitchlab.ui.views.subject import Subject, nothing


def draw(cell: Subject) -> None:
    """Draw the animation; where its numbers are not there yet, have them computed."""
    if "tlm" not in cell.run.request.methods:
        nothing("This run has no task loss matching.")
        return
    kept = walk.kept(cell.run, cell.i, cell.j)
    if kept is None:
        _bring(cell)
    elif not cell.statistics:
        nothing()
    else:
        _animate(cell, *kept)


def _animate(cell: Subject, value: dict[str, Any], plane: Array) -> None:
    run, by_set = cell.run, cell.statistics
    name = cell.detector if cell.detector in value["detectors"] else "frechet"
    metric = (
        "ratio"
        if name == "frechet"
        else st.segmented_control(
            "Measure",
            ["auroc", "shift"],
            default="auroc",
            key="walk_metric",
            required=True,
            format_func=lambda key: OOD_METRICS[key].label,
        )
        or "auroc"
    )
    told = value["detectors"][name][metric]
    label = OOD_METRICS[metric].label + ("" if name == "frechet" else f" ({DETECTORS[name].label})")
    figure = animation(
        value["epochs"],
        value["accuracy"],
        told,
        label,
        by_set["native"]["plane"],
        plane,
        by_set.get("dm", {}).get("plane"),
        own=run.own_accuracy,
        dark=ui.dark(),
    )
    cell.chart(figure, f"epochs {name} {metric}")
    if name != cell.detector:
        st.caption(f"{DETECTORS[cell.detector].label} does not follow the epochs; the Fréchet ratio is shown.")
    accuracy, known = value["accuracy"], [t for t in told if t is not None]
    st.markdown(
        f"From epoch 0 to {value['epochs'][-1]}: accuracy {_number(accuracy[0])} → {_number(accuracy[-1])}, "
        f"{label} {_number(told[0])} → {_number(told[-1])}"
        + (f" (highest of those shown {_number(max(known))})." if known else ".")
    )
    st.caption(
        f"Over {value['images']:,} test images; the plane follows {plane.shape[1]} of them. Epoch 0 is the map "
        f"before training: {'direct matching' if run.request.tlm.init == 'dm' else 'PyTorch’s initialisation'}. "
        "To see a map leave native activations, start TLM from direct matching (Compare, settings)."
    )


def _bring(cell: Subject) -> None:
    jobs, run, i, j = cell.jobs, cell.run, cell.i, cell.j
    if run.source:
        opened.lacks(run, f"the epochs of {ui.literal(f'{i} → {j}')}")
        return
    job = following(run, i, j)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
    elif not walk.possible(run, i, j):
        nothing(
            "The maps along its epochs are not kept: this cell was trained before they were, or where "
            "STITCHLAB_TRAIL is 0. Delete the run (`python -m stitchlab delete`) and compute it again."
        )
    elif status is not None and status.state in ("failed", "cancelled"):
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
        if st.button("Try again", key="again_walk", icon=":material/refresh:"):
            ui.queue(lambda: jobs.compute_trajectory(run, i, j))
    else:
        ui.queue(lambda: jobs.compute_trajectory(run, i, j, asked=False))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
