"""In a real browser: the digits grid from an empty cache, a click, a link, narrow and dark screens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from screens import OVERFLOW, FirstVisit, Server, button, figures, files, keyed, settled, shows, until

from stitchlab.export import cells_csv

Visit = Callable[..., Page]


def test_from_an_empty_cache_to_the_papers_finding(first: FirstVisit) -> None:
    tlm, dm = first.figures
    for figure, method in ((tlm, "tlm"), (dm, "dm")):
        assert (len(figure["rows"]), len(figure["columns"])) == (6, 6)
        assert figure["z"] == first.run.matrix(method, "accuracy").tolist()
        assert (figure["low"], figure["high"]) == (tlm["low"], tlm["high"])
    print(f"last → first: TLM {tlm['z'][-1][0]:.3f}, DM {dm['z'][-1][0]:.3f}")  # noqa: T201
    assert tlm["z"][-1][0] > dm["z"][-1][0] + 0.2
    assert f"{tlm['z'][-1][0]:.2f}" in first.words
    assert f"{dm['z'][-1][0]:.2f}" in first.words


def test_compare_shows_the_same_grid_at_once(first: FirstVisit, server: Server, visit: Visit) -> None:
    before = files(server.cache, "jobs", "cells")
    page = visit(f"{server.address}/Compare")
    shown = settled(page)
    assert [figure["z"] for figure in shown] == [figure["z"] for figure in first.figures]
    assert f"run={first.run.id}" in page.url
    assert not button(page, "compute").count()
    assert files(server.cache, "jobs", "cells") == before


@pytest.mark.parametrize(("chart", "row", "column"), [(0, 1, 4), (1, 5, 5)])
def test_a_click_selects_a_cell(
    chart: int, row: int, column: int, first: FirstVisit, server: Server, visit: Visit
) -> None:
    page = visit(f"{server.address}/Compare")
    figure = settled(page)[chart]
    front, end = figure["rows"][row], figure["columns"][column]
    assert not shows(page, first.run, front, end)
    plot = page.locator(".js-plotly-plot").nth(chart)
    plot.scroll_into_view_if_needed()
    figure = figures(page)[chart]
    x, y = figure["xs"][column], figure["ys"][row]
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(lambda url: f"front_layer={front}" in url and f"end_layer={end}" in url)
    until(lambda: shows(page, first.run, front, end))
    link = page.url
    again = visit(link)  # what is chosen is in the link
    settled(again)
    until(lambda: shows(again, first.run, front, end))


def test_a_link_shows_the_same_on_a_fresh_server(first: FirstVisit, server: Server, visit: Visit) -> None:
    old = visit(f"{server.address}/Compare?run={first.run.id}&front_layer=layer2.0&end_layer=layer3.0")
    settled(old)
    keyed(old, "show").get_by_text("Distance", exact=False).first.click()
    old.wait_for_url(lambda url: "show=" in url)
    before = files(server.cache, "jobs", "cells", "progress", "accuracies", "runs")
    with Server(server.cache) as fresh:
        page = visit(old.url.replace(server.address, fresh.address))
        shown = settled(page)
        until(lambda: shows(page, first.run, "layer2.0", "layer3.0"))
        assert [figure["z"] for figure in shown] == [
            first.run.matrix(method, "distance").tolist() for method in ("tlm", "dm")]
        assert f"run={first.run.id}" in page.url
        assert not button(page, "compute").count()
        assert not button(page, "cancel").count()
        page.close()
    assert not fresh.tracebacks()
    assert files(server.cache, "jobs", "cells", "progress", "accuracies", "runs") == before


def test_the_cells_as_csv(first: FirstVisit, server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Compare?run={first.run.id}")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text() == cells_csv(first.run)
    assert download.value.suggested_filename.endswith(".csv")


@pytest.mark.parametrize("path", ["/", "/Compare"])
def test_a_narrow_screen_stacks_and_nothing_overflows(
    path: str, first: FirstVisit, server: Server, visit: Visit
) -> None:
    page = visit(server.address + path, viewport={"width": 420, "height": 900})
    until(lambda: len(settled(page)) == 2)
    above, below = (figure["box"] for figure in figures(page))
    assert below[1] >= above[3]  # the second begins where the first ends
    for left, _, right, _ in (above, below):
        assert left >= 0
        assert right <= 420
    assert page.evaluate(OVERFLOW) == [0, 0]


def test_on_a_wide_screen_they_are_side_by_side(first: FirstVisit, server: Server, visit: Visit) -> None:
    left, right = (figure["box"] for figure in settled(visit(f"{server.address}/Compare")))
    assert right[0] >= left[2]
    assert right[1] == pytest.approx(left[1], abs=2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_can_be_read(scheme: str, first: FirstVisit, server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Compare", color_scheme=scheme)
    settled(page)
    until(lambda: {light(f["ink"]) for f in figures(page)} == {scheme == "dark"})
    ground = page.evaluate("() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor")
    red = int(ground.removeprefix("rgb(").split(",")[0])
    assert (red < 128) == (scheme == "dark")


def light(colour: str) -> bool:
    return int(colour[1:3], 16) > 128
