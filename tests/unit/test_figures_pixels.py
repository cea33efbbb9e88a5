"""Many layers: cells that can be read at any number of them, names that keep apart, numbers with contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from stitchlab.figures.colours import contrast, on_scale, rgb
from stitchlab.figures.grid import Grid
from stitchlab.figures.heatmap import heatmap, measure
from stitchlab.figures.layer_names import LIMIT, shorten
from stitchlab.figures.pixels import DIGIT, LETTER
from stitchlab.figures.template import DIVERGING, MUTED, REVERSED, SEQUENTIAL
from unit.test_figures import layers, named, numbers, some

DENSE = [
    "features.conv0",
    *(f"features.denseblock{k // 16 + 1}.denselayer{k % 16 + 1}" for k in range(58)),
    "classifier",
]
ENCODER = [f"encoder.layers.encoder_layer_{k}" for k in range(60)]
BLOCKS = [f"blocks.{k}" for k in range(60)]


def square(count: int, rows: list[str] = DENSE, columns: list[str] = BLOCKS, **change: Any) -> Grid:
    values = np.linspace(0, 0.99, count * count).reshape(count, count)
    return some(
        **{"values": values, "front_layers": tuple(rows[:count]), "end_layers": tuple(columns[:count]), **change}
    )


@pytest.mark.parametrize("scale", [SEQUENTIAL, DIVERGING, REVERSED])
@pytest.mark.parametrize("doubtful", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_numbers_have_contrast_on_every_colour(scale: str, doubtful: bool, dark: bool) -> None:
    values = np.linspace(0, 1, 2 * 500).reshape(2, 500)
    for part in np.split(values, 20, axis=1):
        ends = tuple(map(str, range(part.shape[1])))
        grid = some(
            values=part,
            end_layers=ends,
            diverging=scale != SEQUENTIAL,
            red_low=scale == REVERSED,
            doubtful=ends if doubtful else (),
        )
        assert grid.scale == scale
        behind = on_scale(part, 0, 1, scale)
        if doubtful:
            behind = (behind + rgb(MUTED[dark])) / 2
        drawn = layers(heatmap(grid, dark=dark))
        for colour, texts in drawn.items():
            here = np.array([[bool(text) for text in row] for row in texts])
            assert (contrast(behind[here], rgb(colour)) >= 4.5).all()
        assert sum(bool(text) for texts in drawn.values() for row in texts for text in row) == part.size


@pytest.mark.parametrize("count", [1, 2, 6, 8, 12, 17, 24, 60])
def test_cells_are_square_and_as_large_as_their_numbers_need(count: int) -> None:
    grid = square(count)
    pixels, figure = measure([grid]), heatmap(grid)
    layout = figure.layout
    across = layout.width - layout.margin.l - layout.margin.r
    down = layout.height - layout.margin.t - layout.margin.b
    assert across == down == pixels.cell * count
    assert (layout.yaxis.scaleanchor, layout.xaxis.constrain, layout.yaxis.constrain) == ("x", "domain", "domain")
    assert pixels.least <= pixels.cell
    if count <= 24:
        longest = max(len(text) for row in numbers(figure) for text in row)
        assert pixels.least >= DIGIT * longest
        assert all(trace.texttemplate for trace in figure.data if trace.type == "heatmap" and trace.text is not None)


def test_8_by_8_is_no_higher_than_420_pixels_and_two_fit_a_small_screen_side_by_side() -> None:
    pixels = measure([square(8, [f"layer{k // 3 + 1}.{k % 3}" for k in range(8)])])
    assert pixels.height <= 420
    assert 2 * pixels.least_width + 16 <= 664  # Streamlit's page at 1024 pixels, less the sidebar


def test_grids_beside_each_other_share_their_pixels() -> None:
    short, long = square(8), square(8, subtitle="a long recipe " * 9, values=np.full((8, 8), -0.12))
    pixels = measure([short, long])
    one, other = heatmap(short, pixels=pixels).layout, heatmap(long, pixels=pixels).layout
    assert (one.width, one.height, one.margin) == (other.width, other.height, other.margin)
    assert one.margin.t > heatmap(short).layout.margin.t
    assert pixels.least > measure([short]).least


def test_many_cells_have_no_numbers_and_say_them_on_hovering() -> None:
    figure = heatmap(square(60))
    assert layers(figure) == {}
    assert "features.denseblock1.denselayer1 → blocks.2" in named(figure, "cells").text[62]


def test_large_grids_leave_out_the_zero_before_the_point() -> None:
    assert numbers(heatmap(square(6)))[0][1][:2] == "0."
    assert numbers(heatmap(square(12)))[0][1][0] == "."


@pytest.mark.parametrize("count", [8, 12, 24])
def test_a_star_leaves_room_for_the_number_under_it(count: int) -> None:
    grid = square(count)
    figure, least = heatmap(grid), measure([grid]).least
    star = named(figure, "best")
    bottom = (0.5 + (star.y[0] - round(star.y[0]))) * least + star.marker.size / 2
    assert bottom <= least / 2 - 0.36 * 10, "digits of 10 pixels are 7.2 high"


def test_axes_have_short_names_and_say_what_they_leave_out() -> None:
    layout = heatmap(square(24, DENSE, ENCODER)).layout
    assert layout.yaxis.ticktext[1] == "f.d1.denselayer1"
    assert layout.xaxis.ticktext[23] == "…23"
    assert "(… is encoder.layers.encoder_layer_)" in layout.xaxis.title.text.replace("<br>", " ")


@pytest.mark.parametrize("count", [1, 6, 12])
def test_a_long_name_of_a_network_is_broken_and_not_cut(count: int) -> None:
    name = "resnet-20-that-somebody-trained-for-a-long-time-with-seed-0-and-called-so"
    layout = heatmap(square(count, front=name, end=name)).layout
    beside, below = layout.yaxis.title, layout.xaxis.title
    for title, room in ((beside, layout.height - layout.margin.t - layout.margin.b), (below, layout.width)):
        assert name in title.text.replace("<br>", "").replace(" ", "")
        assert max(map(len, title.text.split("<br>"))) * LETTER * title.font.size <= max(room, 60)


@pytest.mark.parametrize(
    "names",
    [
        DENSE,
        ENCODER,
        BLOCKS,
        ["layer1.0", "layer1.1"],
        ["a" * 40 + "x", "a" * 40 + "y"],
        ["features.0", "f.0"],
        ["one"],
        ["features.a1b.last" * 2, "features.a2b.last" * 2],
    ],
)
def test_short_names_stay_as_many(names: list[str]) -> None:
    labels = shorten(names).labels
    assert len(set(labels)) == len(set(names))
    assert len(labels) == len(names)
    if names in (DENSE, ENCODER, BLOCKS):
        assert max(map(len, labels)) <= LIMIT


def test_short_names_stay_as_they_are() -> None:
    assert shorten(BLOCKS).labels == tuple(BLOCKS)
    assert shorten(["layer1.0", "flatten"]).labels == ("layer1.0", "flatten")


def test_a_grid_of_one_row_has_numbers_of_a_size_that_fits() -> None:
    figure = heatmap(some(values=np.full((1, 24), 0.5), front_layers=("one",), end_layers=tuple(BLOCKS[:24])))
    assert [
        trace.textfont.size for trace in figure.data if isinstance(trace, go.Heatmap) and trace.text is not None
    ] == [10, 10], "Plotly sees the distance of two rows, or none"
