"""Heatmaps in a browser: the cell under the pointer is marked in both, cells are square, and wide grids scroll."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from e2e.driving import click, numbers, settle, still, until
from stitchlab.results.run import Run

MARKS = "[...document.querySelectorAll('[data-stitchlab-mark]')].map(mark => mark.dataset.stitchlabMark)"
# How many listeners of the project follow the pointer: those that were added and not ended.
COUNTING = """
const add = document.addEventListener.bind(document);
window.following = [];
document.addEventListener = (kind, heard, options) => {
    if (kind === 'pointermove' && heard.name === 'follow') window.following.push(options.signal);
    add(kind, heard, options);
};
"""


def point(page: Page, heatmap: int, row: int, column: int) -> None:
    box = still(page.locator(".nsewdrag").nth(heatmap))
    page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 6, box["y"] + box["height"] * (row + 0.5) / 6)


def test_the_cell_under_the_pointer_is_marked_in_both_matrices(finished: Run, server: str, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    elsewhere = "Failed to load resource"  # of Streamlit's own, where there is no network
    page.add_init_script(COUNTING)
    page.goto(f"{server}/Compare?run={finished.id}")
    until(lambda: numbers(page)[:2] == [36, 36], 60)
    settle(page)
    for turn, (row, column) in enumerate([(1, 2), (4, 0), (5, 5)]):
        point(page, turn % 2, row, column)
        until(lambda: page.evaluate(MARKS) == [f"{row},{column}"] * 2, 10)  # noqa: B023
        places = [page.locator("[data-stitchlab-mark]").nth(k).bounding_box() for k in (0, 1)]
        for heatmap, place in enumerate(places):
            area = still(page.locator(".nsewdrag").nth(heatmap))
            assert place is not None
            assert place["x"] == pytest.approx(area["x"] + area["width"] * column / 6, abs=3)
            assert place["y"] == pytest.approx(area["y"] + area["height"] * row / 6, abs=3)
        click(page, finished, turn % 2, row=row, column=column)  # the charts are drawn anew, and marked all the same
        settle(page)
    page.mouse.move(2, 2)
    until(lambda: page.evaluate(MARKS) == [], 10)
    assert page.evaluate("window.following.filter(signal => !signal.aborted).length") == 1
    assert not [text for text in said if not text.startswith(elsewhere)]


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_cells_are_square_at_any_width(finished: Run, server: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}/Compare?run={finished.id}")
    until(lambda: numbers(page)[:2] == [36, 36], 60)
    settle(page)
    one, other = (still(page.locator(".nsewdrag").nth(heatmap)) for heatmap in (0, 1))
    for area in (one, other):
        assert area["width"] == pytest.approx(area["height"], abs=2)
        assert area["width"] / 6 >= 27, "numbers need that much"
    assert (abs(one["y"] - other["y"]) < 2) == (width > 1000), "side by side where there is room"
