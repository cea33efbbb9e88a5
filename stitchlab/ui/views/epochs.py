"""Draws the view of TLM's trajectory: accuracy, distance to native, and positions of images, epoch by epoch."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.trajectory import animation
from stitchlab.jobs import trajectory_job
from stitchlab.results import trajectory
from stitchlab.store import Array
from stitchlab.ui import opened
from stitchlab.ui.views.subject import Subject, unavailable


def draw(cell: Subject) -> None:
    """Draw the animation; if its numbers are missing, have them computed."""
    if "tlm" not in cell.run.request.methods:
        unavailable("This run has no task loss matching.")
        return
    kept = trajectory.kept(cell.run, cell.i, cell.j)
    if kept is None:
        _request_epochs(cell)
    elif not cell.statistics:
        unavailable()
    else:
        _animate(cell, *kept)


def _animate(cell: Subject, epochs: dict[str, Any], plane: Array) -> None:
    """Draw the animation, of the chosen detector if it follows the epochs, else of the Fréchet ratio."""
    run, by_set = cell.run, cell.statistics
    detector = cell.detector if cell.detector in epochs["detectors"] else "frechet"
    metric = (
        "ratio"
        if detector == "frechet"
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
    numbers = epochs["detectors"][detector][metric]
    label = OOD_METRICS[metric].label + ("" if detector == "frechet" else f" ({DETECTORS[detector].label})")
    figure = animation(
        epochs["epochs"],
        epochs["accuracy"],
        numbers,
        label,
        by_set["native"]["plane"],
        plane,
        by_set.get("dm", {}).get("plane"),
        own=run.own_accuracy,
        dark=ui.dark(),
    )
    cell.chart(figure, f"epochs {detector} {metric}")
    if detector != cell.detector:
        st.caption(f"{DETECTORS[cell.detector].label} does not follow the epochs; the Fréchet ratio is shown.")
    accuracy, defined = epochs["accuracy"], [number for number in numbers if number is not None]
    st.markdown(
        f"From epoch 0 to {epochs['epochs'][-1]}: accuracy {_number(accuracy[0])} → {_number(accuracy[-1])}, "
        f"{label} {_number(numbers[0])} → {_number(numbers[-1])}"
        + (f" (highest of those shown {_number(max(defined))})." if defined else ".")
    )
    st.caption(
        f"Over {epochs['images']:,} test images; the plane follows {plane.shape[1]} of them. Epoch 0 is the map "
        f"before training: {'direct matching' if run.request.tlm.init == 'dm' else 'PyTorch’s initialisation'}. "
        "To see a map leave native activations, start TLM from direct matching (Compare, settings)."
    )


def _request_epochs(cell: Subject) -> None:
    """Queue the computation of the trajectory, watch it, or say why it cannot be computed."""
    jobs, run, i, j = cell.jobs, cell.run, cell.i, cell.j
    if run.source:
        opened.show_missing(run, f"the epochs of {ui.literal(f'{i} → {j}')}")
        return
    job = trajectory_job(run, i, j)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
    elif not trajectory.possible(run, i, j):
        unavailable(
            "The maps of its epochs were not kept: this cell was trained by a version that did not keep them, or with "
            "STITCHLAB_TRAIL set to 0. Delete the run (`python -m stitchlab delete`) and compute it again."
        )
    elif status is not None and status.state in ("failed", "cancelled"):
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
        if st.button("Try again", key="again_walk", icon=":material/refresh:"):
            ui.queue(lambda: jobs.compute_trajectory(run, i, j))
    else:
        ui.queue(lambda: jobs.compute_trajectory(run, i, j, asked=False))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
