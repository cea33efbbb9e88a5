"""Draws step 1: one image, and its activations at an early and a late layer of the end network."""

from __future__ import annotations

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import BOTH
from stitchlab.figures.layer_maps import layer_maps, size
from stitchlab.results import samples
from stitchlab.results.run import Run
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.charts import chart
from stitchlab.ui.home import gallery
from stitchlab.ui.learn.lesson import Lesson, Reply, choose, no_run
from stitchlab.ui.pictures import pictures
from stitchlab.ui.run_table import name_of

IMAGE_WIDTH_PX = 150


def draw(lesson: Lesson) -> None:
    """Draw the choice of an image, the image beside its maps, the question."""
    run = lesson.run
    if run is not None and not _sampled(run) and (run.source is not None or lesson.jobs.lacking):
        run = gallery()[0]  # the activations of this run cannot be computed here
    if run is None:
        no_run("There is no run whose images could be shown.")
        return
    if lesson.run is not None and run.id != lesson.run.id:
        st.caption(f"This step uses a run whose file contains images: {ui.literal(name_of(run))}.")
    count = min(samples.IMAGES, run.request.eval_images)
    chosen = _choose(run, count)
    left, right = st.columns([1, 6], vertical_alignment="center")
    with right:
        maps = _maps(lesson, run, chosen)
    if maps is None:
        return
    with left:
        _image(lesson, run, chosen)
    with right:
        chart(run.id, layer_maps(maps, dark=ui.dark()), "learn-maps", f"activations of image {chosen}")
    _ask(lesson, run, maps)


def _choose(run: Run, count: int) -> int:
    """Let the reader choose one of the first test images, by its class if a sample tells it."""
    sample = samples.images(run)
    names = [str(run.record["data"]["classes"][label]) for label in sample[1]] if sample else []
    chosen = st.segmented_control(
        "Test image",
        range(count),
        default=0,
        key="sample",
        required=True,
        wrap=True,
        bind="query-params",
        format_func=lambda k: f"{k + 1} {ui.literal(names[k])}" if k < len(names) else f"{k + 1}",
        label_visibility="collapsed",
    )
    return int(chosen or 0)


def _image(lesson: Lesson, run: Run, chosen: int) -> None:
    sample = samples.images(run)
    image = (sample[0][[chosen]], sample[1][[chosen]]) if sample else material.images(lesson.jobs, run, [chosen])
    if image is not None and len(image[0]):
        class_name = f"{run.record['data']['classes'][image[1][0]]}"
        pictures(image[0], [ui.literal(class_name)], [f"Test image {chosen}: {class_name}"], width=IMAGE_WIDTH_PX)


def _sampled(run: Run) -> bool:
    return bool(samples.sampled_cells(run))


def _maps(lesson: Lesson, run: Run, chosen: int) -> dict[str, Array] | None:
    """Return native maps of the first and the last end layer; None, with a remark, while they are being computed."""
    by_layer = {
        j: sample for i, j in run.request.cells if _sampled(run) and (sample := samples.kept(run, i, j)) is not None
    }
    if by_layer:
        layers = [layer for layer in run.request.end_layers if layer in by_layer]
        return {
            layer: by_layer[layer]["native"][chosen].astype(np.float32) * by_layer[layer]["scale"][0]
            for layer in dict.fromkeys([layers[0], layers[-1]])
        }
    maps = {}
    for layer in dict.fromkeys([run.request.end_layers[0], run.request.end_layers[-1]]):
        activations = material.activations(lesson.jobs, run, chosen, run.request.front_layers[0], layer)
        if activations is None:
            return None
        maps[layer] = _most_varied(activations["native"])
    return maps


def _most_varied(maps: Array) -> Array:
    """Return the channels (c, h, w) that vary most over positions, as many as a sample has."""
    order = np.argsort(-maps.reshape(len(maps), -1).std(axis=1), kind="stable")[: samples.CHANNELS]
    return maps[np.sort(order)]


def _ask(lesson: Lesson, run: Run, maps: dict[str, Array]) -> None:
    positions = {layer: channels.shape[1] * channels.shape[2] for layer, channels in maps.items()}
    largest = max(positions, key=positions.__getitem__)
    right = largest if len(set(positions.values())) == len(positions) and len(positions) > 1 else BOTH
    sizes = ", ".join(f"a map of {ui.literal(layer)} has {size(channels)}" for layer, channels in maps.items())

    def reply(answer: str) -> Reply:
        finding = f"{sizes[0].upper()}{sizes[1:]}"
        if answer != right:
            return Reply(False, f"{finding}. Which of them can say in more detail where something is?")
        if right == BOTH:
            return Reply(True, f"{finding}: " + ("as many in both." if len(maps) > 1 else "this run has one layer."))
        return Reply(
            True,
            f"{finding}. A stitch between the two first has to resize the maps, and then maps the channels "
            "at each position.",
        )

    choose(lesson, {**{layer: ui.literal(layer) for layer in maps}, BOTH: "Both alike"}, right, reply)
