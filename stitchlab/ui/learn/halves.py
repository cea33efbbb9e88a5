"""Draws step 2: the two halves of a stitched network and the map between them, on the networks of the run."""

from __future__ import annotations

from collections.abc import Sequence

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
FORMULA = (
    "T(a) = W a + b, with the same W and b at every position of the image: the stitch can mix channels but not move "
    "anything. Maps of another size are resized first, or averaged if the end layer has only one position."
)

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

    drawing.draw(_drawing(run, cell, front, end, level), choose, "learn-drawing")
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


def _drawing(run: Run, cell: Cell, front: Sizes, end: Sizes, level: int) -> drawing.Drawing:
    """Describe both networks, the stitched one and the map, for the drawing.

    Args:
        run: whose networks are drawn.
        cell: the chosen layers.
        front, end: the channels of each network's layers, as far as they are known.
        level: of detail, a position in `LEVELS`.
    """
    request = run.request
    front_name, end_name = (run.record[side]["name"] for side in ("front", "end"))
    into, out = front.get(cell[0]), end.get(cell[1])
    return {
        "level": level,
        "front": {
            "title": f"Front network {front_name}",
            "text": f"runs up to {cell[0]}",
            "at": request.front_layers.index(cell[0]),
            "label": "Layers of the front network",
            "layers": _layers(request.front_layers, front),
        },
        "end": {
            "title": f"End network {end_name}",
            "text": f"continues after {cell[1]}",
            "at": request.end_layers.index(cell[1]),
            "label": "Layers of the end network",
            "layers": _layers(request.end_layers, end),
        },
        "image": "image",
        "stitch": "stitch T",
        "channels": f"{into} → {out}" if into and out else "channels",
        "head": "prediction",
        "summary": f"The stitched network: {front_name} up to {cell[0]}, the stitch, and {end_name} after {cell[1]}.",
        "formula": FORMULA,
        "map": _map(cell, into, out),
    }


def _layers(layers: Sequence[str], sizes: Sizes) -> list[drawing.DrawnLayer]:
    return [{"name": layer, "channels": _channels(sizes.get(layer))} for layer in layers]


def _map(cell: Cell, into: int | None, out: int | None) -> drawing.DrawnMap:
    """Describe the map at one position; ``into`` and ``out`` are the channels of the two layers, if they are known."""
    input_length, output_length = _drawn_numbers(into or MAX_DRAWN, out or MAX_DRAWN)
    weights = f"{out} × {into} weights" if into and out else "weights"
    return {
        "input_length": input_length,
        "output_length": output_length,
        "input": f"a: {_numbers(into)} of {cell[0]}",
        "output": f"T(a): {_numbers(out)}, in place of those of {cell[1]}",
        "matrix": f"W: {weights}",
        "bias": f"b: {_numbers(out)}",
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
