"""Draws the view of predictions: what stitched networks predict, and images right though out of distribution."""

from __future__ import annotations

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures import activations as figures
from stitchlab.results.channel_statistics import confusion
from stitchlab.results.detection import NATIVE
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.pictures import pictures
from stitchlab.ui.views.subject import Subject, nothing

GALLERY = 10  # images of a gallery
TYPICAL = 0.05  # share of native images that score below what counts as out of distribution


def draw(cell: Subject) -> None:
    """Draw a confusion matrix for each method, and the images that are right and out of distribution."""
    by_set, run = cell.statistics, cell.run
    if not by_set:
        nothing()
        return
    if (labels := material.labels(cell.jobs, cell.found, cell.j)) is None:
        return
    classes = run.record["data"]["classes"]
    methods = [m for m in run.request.methods if m in by_set]
    for column, name in zip(st.columns(max(2, len(methods))), methods, strict=False):
        told = by_set[name]["predictions"]
        if (told < 0).any():
            reason = run.reason(name, "accuracy", cell.i, cell.j)
            column.info(f"{METHOD_LABELS[name]} predicts nothing: {reason}.")
            continue
        agree = float((told == by_set["native"]["predictions"]).mean())
        with column:
            title = f"{METHOD_LABELS[name]}: agrees with the end network on {agree:.1%}"
            shares = confusion(labels, told, len(classes))
            cell.chart(figures.confusion(shares, classes, title, dark=ui.dark()), f"confusion {name}")
    if run.source:
        st.caption(
            f"Of the first {len(labels):,} test images, which the file holds; which of them are right and out "
            "of distribution would need every image's score."
        )
    elif "tlm" in by_set and (by_set["tlm"]["predictions"] >= 0).all():
        _right_and_out(cell, by_set["tlm"]["predictions"] == labels)


def _right_and_out(cell: Subject, right: Array) -> None:
    native = cell.found.arrays(cell.scoring, NATIVE, "", cell.j)
    told = cell.found.arrays(cell.scoring, "tlm", cell.i, cell.j)
    if "scores" not in native or "scores" not in told:
        return
    scores = told["scores"]
    bound = float(np.quantile(native["scores"], TYPICAL))
    out = scores < bound
    st.markdown(
        f"**Right and out of distribution:** task loss matching classifies {right.mean():.1%} of the test images "
        f"correctly; on {(right & out).mean():.1%} of all it is right although {DETECTORS[cell.scoring].label} scores "
        f"the activations below {1 - TYPICAL:.0%} of native ones. The farthest of them:"
    )
    places = np.flatnonzero(right & out)
    worst = [int(p) for p in places[np.argsort(scores[places], kind="stable")[:GALLERY]]]
    if worst and (asked := material.images(cell.jobs, cell.run, worst)) is not None:
        images, labels = asked
        classes = cell.run.record["data"]["classes"]
        names = [f"{k}: {classes[c]}" for k, c in zip(worst, labels, strict=True)]
        pictures(images, names, [f"test image {name}" for name in names], width=96)
