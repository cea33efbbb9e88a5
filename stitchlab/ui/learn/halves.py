"""Draws step 2: the two halves of a stitched network and the map between them, on the networks of the run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import LEVELS
from stitchlab.request import Cell
from stitchlab.results import shelf
from stitchlab.results.layer_sizes import channels
from stitchlab.results.run import Run
from stitchlab.ui.learn import drawing, place
from stitchlab.ui.learn.lesson import Lesson, Reply, ask_in_figure, no_run

MAX_DRAWN = 12  # numbers of a vector

Sizes = dict[str, int]  #: channels by layer


def draw(lesson: Lesson) -> None:
    """Draw the choice of detail, the networks, and the question, which is answered by choosing layers in the figure."""
    if (run := lesson.run) is None:
        no_run("There is no run yet whose networks could be drawn.")
        return
    request = run.request
    goal = request.front_layers[-1], request.end_layers[0]
    cell = place.cell(lesson.last_answer, list(request.cells)) or (goal if lesson.answered else _middle(run))
    level = _level()
    front, end = (
        channels(run, network, layers, shelf.gallery())
        for network, layers in ((request.front, request.front_layers), (request.end, request.end_layers))
    )

    def choose(i: int, j: int) -> None:
        chosen = request.front_layers[i], request.end_layers[j]
        place.answer(place.words(chosen), right=chosen == goal)

    drawing.draw(_networks(run, cell, front, end) | {"level": level} | _map(cell, front, end), choose, "learn-drawing")
    reply = None
    if cell == goal:
        reply = _reply(run, cell, front, end)
    elif lesson.last_answer:
        reply = Reply(
            False,
            f"The image now runs through the front network up to **{ui.literal(cell[0])}**, and continues in the end "
            f"network after **{ui.literal(cell[1])}**.",
        )
    ask_in_figure(lesson, reply)


def _level() -> int:
    """Let the reader choose the level of detail; return its position in `LEVELS`."""
    chosen = st.segmented_control(
        "Detail",
        LEVELS,
        default=LEVELS[1],
        key="level",
        required=True,
        wrap=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    return LEVELS.index(chosen or LEVELS[1])


def _middle(run: Run) -> Cell:
    """Return a layer in the middle of each network, so that about half of each is used."""
    rows, columns = run.request.front_layers, run.request.end_layers
    return rows[(len(rows) - 1) // 2], columns[(len(columns) - 1) // 2]


def _networks(run: Run, cell: Cell, front: Sizes, end: Sizes) -> dict[str, Any]:
    """Describe both networks and the stitched one, as the drawing takes them."""
    request, names = run.request, [run.record[side]["name"] for side in ("front", "end")]
    sides = {}
    for side, layers, layer, sizes, name, text in (
        ("front", request.front_layers, cell[0], front, names[0], f"runs up to {cell[0]}"),
        ("end", request.end_layers, cell[1], end, names[1], f"continues after {cell[1]}"),
    ):
        sides[side] = {
            "title": f"{side.capitalize()} network {name}",
            "text": text,
            "at": layers.index(layer),
            "label": f"Layers of the {side} network",
            "layers": [{"name": each, "channels": _channels(sizes.get(each))} for each in layers],
        }
    into, out = front.get(cell[0]), end.get(cell[1])
    return sides | {
        "image": "image",
        "stitch": "stitch T",
        "channels": f"{into} → {out}" if into and out else "channels",
        "head": "prediction",
        "said": f"The stitched network: {names[0]} up to {cell[0]}, the stitch, and {names[1]} after {cell[1]}.",
    }


def _map(cell: Cell, front: Sizes, end: Sizes) -> dict[str, Any]:
    """Describe the map at one position, as the drawing takes it."""
    into, out = front.get(cell[0]), end.get(cell[1])
    numbers = f"{out} × {into} weights" if into and out else "weights"
    return {
        "formula": "T(a) = W a + b, with the same W and b at every position of the image: the stitch can mix channels "
        "but not move anything. Maps of another size are resized first, or averaged if the end layer has only "
        "one position.",
        "drawn": dict(zip(("from", "to"), _drawn_numbers(into or MAX_DRAWN, out or MAX_DRAWN), strict=True)),
        "captions": {
            "out": f"T(a): {_numbers(out)}, in place of those of {cell[1]}",
            "matrix": f"W: {numbers}",
            "into": f"a: {_numbers(into)} of {cell[0]}",
            "bias": f"b: {_numbers(out)}",
        },
    }


def _drawn_numbers(into: int, out: int) -> tuple[int, int]:
    """Return how many numbers of two vectors are drawn: all, or fewer in the proportion of their lengths."""
    longest = max(into, out, MAX_DRAWN)
    return max(1, round(into * MAX_DRAWN / longest)), max(1, round(out * MAX_DRAWN / longest))


def _reply(run: Run, cell: Cell, front: Sizes, end: Sizes) -> Reply:
    into, out = front.get(cell[0]), end.get(cell[1])
    sizes = f", {into} channels into {out}," if into and out else ""
    return Reply(
        True,
        f"**{ui.literal(f'{cell[0]} → {cell[1]}')}**{sizes} joins the last layer shown of one "
        "network to the first of the other. Would you expect these two layers to be alike? Step 4 shows "
        "what each method says about this cell.",
    )


def _channels(count: int | None) -> str:
    return "" if count is None else f"{count} channel{'s' * (count != 1)}"


def _numbers(count: int | None) -> str:
    return "the channels" if count is None else f"{count} number{'s' * (count != 1)}"
