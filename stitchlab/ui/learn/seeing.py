"""Draws step 1: one image, and what an early and a late layer of the end network make of it."""

from __future__ import annotations

from typing import NamedTuple

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
from stitchlab.ui.learn.lesson import Lesson, Reply, choose, lacking
from stitchlab.ui.pictures import pictures
from stitchlab.ui.run_table import called

PICTURE = 150  # pixels


class Seen(NamedTuple):
    """Holds images uint8 (n, H, W, C) or grey, their labels (n,), and each layer's maps (c, h, w) of the chosen one."""

    image: Array
    label: str
    maps: dict[str, Array]


def draw(lesson: Lesson) -> None:
    """Draw the choice of an image, the image beside its maps, the question."""
    run = lesson.run
    if run is not None and not _sampled(run) and (run.source is not None or lesson.jobs.lacking):
        run = gallery()[0]  # of this one nothing can be seen here
    if run is None:
        lacking("There is no run whose images could be shown.")
        return
    if lesson.run is not None and run.id != lesson.run.id:
        st.caption(f"This step takes a run that has images with it: {ui.literal(called(run))}.")
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
    """Choose one of the first test images, by their labels where a sample has them."""
    there = samples.images(run)
    names = [str(run.record["data"]["classes"][label]) for label in there[1]] if there else []
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
    there = samples.images(run)
    found = (there[0][[chosen]], there[1][[chosen]]) if there else material.images(lesson.jobs, run, [chosen])
    if found is not None and len(found[0]):
        said = f"{run.record['data']['classes'][found[1][0]]}"
        pictures(found[0], [ui.literal(said)], [f"Test image {chosen}: {said}"], width=PICTURE)


def _sampled(run: Run) -> bool:
    return bool(samples.there(run))


def _maps(lesson: Lesson, run: Run, chosen: int) -> dict[str, Array] | None:
    """Return native maps of the first and the last end layer that has them; None, with a line, while they are made."""
    kept = {j: found for i, j in run.request.cells if _sampled(run) and (found := samples.kept(run, i, j)) is not None}
    if kept:
        layers = [layer for layer in run.request.end_layers if layer in kept]
        return {
            layer: kept[layer]["native"][chosen].astype(np.float32) * kept[layer]["scale"][0]
            for layer in dict.fromkeys([layers[0], layers[-1]])
        }
    made = {}
    for layer in dict.fromkeys([run.request.end_layers[0], run.request.end_layers[-1]]):
        found = material.activations(lesson.jobs, run, chosen, run.request.front_layers[0], layer)
        if found is None:
            return None
        made[layer] = _varied(found["native"])
    return made


def _varied(maps: Array) -> Array:
    """Return the channels (c, h, w) that vary most over positions, as many as a sample has."""
    order = np.argsort(-maps.reshape(len(maps), -1).std(axis=1), kind="stable")[: samples.CHANNELS]
    return maps[np.sort(order)]


def _ask(lesson: Lesson, run: Run, maps: dict[str, Array]) -> None:
    places = {layer: of.shape[1] * of.shape[2] for layer, of in maps.items()}
    most = max(places, key=places.__getitem__)
    right = most if len(set(places.values())) == len(places) and len(places) > 1 else BOTH
    told = ", ".join(f"a map of {ui.literal(layer)} has {size(of)}" for layer, of in maps.items())

    def reply(said: str) -> Reply:
        found = f"{told[0].upper()}{told[1:]}"
        if said != right:
            return Reply(False, f"{found}. Which of them can say in more detail where something is?")
        if right == BOTH:
            return Reply(True, f"{found}: " + ("as many in both." if len(maps) > 1 else "this run has one layer."))
        return Reply(
            True,
            f"{found}. A stitch between the two has to bring one size to the other first, and then "
            "maps the channels at each position.",
        )

    choose(lesson, {**{layer: ui.literal(layer) for layer in maps}, BOTH: "Both alike"}, right, reply)
