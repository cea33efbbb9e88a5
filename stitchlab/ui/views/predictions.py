"""Draws the view of predictions: confusion matrices, and images that are right though out of distribution."""

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
from stitchlab.ui.views.subject import Subject, unavailable

MAX_SHOWN_IMAGES = 10
IMAGE_WIDTH_PX = 96
OUT_QUANTILE = 0.05  # of native scores: activations that score below it count as out of distribution


def draw(cell: Subject) -> None:
    """Draw a confusion matrix for each method, and the images that are right and out of distribution."""
    by_set, run = cell.statistics, cell.run
    if not by_set:
        unavailable()
        return
    if (labels := material.labels(cell.jobs, cell.results, cell.j)) is None:
        return
    classes = run.record["data"]["classes"]
    methods = [method for method in run.request.methods if method in by_set]
    for column, method in zip(st.columns(max(2, len(methods))), methods, strict=False):
        predictions = by_set[method]["predictions"]
        if (predictions < 0).any():
            reason = run.reason(method, "accuracy", cell.i, cell.j)
            column.info(f"{METHOD_LABELS[method]} predicts nothing: {reason}.")
            continue
        agree = float((predictions == by_set["native"]["predictions"]).mean())
        with column:
            title = f"{METHOD_LABELS[method]}: agrees with the end network on {agree:.1%}"
            shares = confusion(labels, predictions, len(classes))
            cell.chart(figures.confusion(shares, classes, title, dark=ui.dark()), f"confusion {method}")
    if run.source:
        st.caption(
            f"Of the first {len(labels):,} test images, which the file contains. To say which of them are "
            "right and out of distribution, the scores of all images would be needed."
        )
    elif "tlm" in by_set and (by_set["tlm"]["predictions"] >= 0).all():
        _right_and_out(cell, by_set["tlm"]["predictions"] == labels)


def _right_and_out(cell: Subject, right: Array) -> None:
    """Say how many images are right though out of distribution, and draw the farthest of them."""
    native = cell.results.arrays(cell.scoring, NATIVE, "", cell.j)
    stitched = cell.results.arrays(cell.scoring, "tlm", cell.i, cell.j)
    if "scores" not in native or "scores" not in stitched:
        return
    scores = stitched["scores"]
    bound = float(np.quantile(native["scores"], OUT_QUANTILE))
    out = scores < bound
    st.markdown(
        f"**Right and out of distribution:** task loss matching classifies {right.mean():.1%} of the test images "
        f"correctly; on {(right & out).mean():.1%} of all it is right although {DETECTORS[cell.scoring].label} scores "
        f"the activations below {1 - OUT_QUANTILE:.0%} of native ones. The farthest of them:"
    )
    indices = np.flatnonzero(right & out)
    worst = [int(k) for k in indices[np.argsort(scores[indices], kind="stable")[:MAX_SHOWN_IMAGES]]]
    if worst and (shown := material.images(cell.jobs, cell.run, worst)) is not None:
        images, labels = shown
        classes = cell.run.record["data"]["classes"]
        names = [f"{k}: {classes[label]}" for k, label in zip(worst, labels, strict=True)]
        pictures(images, names, [f"test image {name}" for name in names], width=IMAGE_WIDTH_PX)
