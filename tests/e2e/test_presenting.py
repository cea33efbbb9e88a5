"""The presenter view in a browser: as large as the window allows, there and back; the tour; the tab's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from e2e.driving import ROOT, Scheme, query, serving, settle, until
from e2e.test_accessibility import faults
from stitchlab.results import shelf
from stitchlab.results.run import Run

#: What each slide covers of the window, and how far its charts are from the width that they have been given.
SLIDES = """() => [...document.querySelectorAll('[class*=st-key-slide-]')].map(slide => {
    const box = slide.getBoundingClientRect(), plots = [...slide.querySelectorAll('.js-plotly-plot')];
    const fitted = slide.dataset.fitted?.startsWith(`${innerWidth},${innerHeight},`) && slide.style.opacity === '1';
    return {width: box.width, height: box.height, shown: fitted && plots.length > 0,
            scale: slide.offsetWidth && box.width / slide.offsetWidth,
            off: plots.map(plot => plot.querySelector('.main-svg').width.baseVal.value - plot.offsetWidth)};
})"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Run]]:
    """The app on an empty cache, with the gallery, and the first run of that: nothing has to be computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STITCHLAB_GALLERY", str(ROOT / "gallery"))
        with serving(tmp_path_factory.mktemp("cache")) as url:
            yield url, shelf.gallery()[0]


def fitted(page: Page, many: int) -> list[dict[str, Any]]:
    """The slides, once there are so many, each is shown, and its charts have its width."""
    slides: list[dict[str, Any]] = []

    def stand() -> bool:
        settle(page)
        slides[:] = page.evaluate(SLIDES)
        return len(slides) == many and all(
            slide["shown"] and all(abs(by) < 2 for by in slide["off"]) for slide in slides
        )

    until(stand, 60)
    return slides


def test_figures_fill_the_window_and_escape_and_the_button_lead_back(gallery: tuple[str, Run], page: Page) -> None:
    server, run = gallery
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server}/Compare?run={run.id}")
    page.get_by_role("button", name="Present").click()
    for width, height in ((1400, 900), (1920, 1080), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        (slide,) = fitted(page, 1)
        assert max(slide["width"] / width, slide["height"] / height) > 0.75, (slide, "as large as the window allows")
        assert slide["width"] <= width
        assert slide["height"] <= height
        assert slide["scale"] > 1.5 or width < 400, "large type"
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert query(page)["present"] == ["true"]
    assert not page.locator('[data-testid="stSidebar"]').is_visible()
    ours, _ = faults(page)
    assert not ours
    page.set_viewport_size({"width": 1400, "height": 900})  # narrow pages close the sidebar, and phones have no keys
    page.keyboard.press("Escape")
    until(lambda: "present" not in query(page), 20)
    page.get_by_role("button", name="Present").wait_for()
    settle(page)
    assert query(page)["run"] == [run.id]
    page.keyboard.press("p")
    fitted(page, 1)
    page.get_by_role("button", name="Back").click()
    until(lambda: "present" not in query(page), 20)
    front, end = (run.record[of]["name"] for of in ("front", "end"))
    until(lambda: page.title() == f"{front} → {end} · Compare · StitchLab", 20)


def test_a_cell_can_be_chosen_while_it_is_presented(gallery: tuple[str, Run], page: Page) -> None:
    server, run = gallery
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server}/Compare?run={run.id}&present=true")
    fitted(page, 1)
    rows, columns = run.request.front_layers, run.request.end_layers
    box = page.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 2.5 / len(columns), box["y"] + box["height"] * 1.5 / len(rows))
    until(lambda: query(page).get("front_layer") == [rows[1]] and query(page).get("end_layer") == [columns[2]], 20)
    fitted(page, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tour_is_closed_for_ever_and_can_be_shown_again(
    gallery: tuple[str, Run], browser: Browser, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page.goto(gallery[0])
    tour = page.get_by_role("region", name="Tour")
    close, show = (page.get_by_role("button", name=name) for name in ("Close for ever", "Show the tour"))
    tour.wait_for()
    settle(page)
    cells = page.locator(".nsewdrag").first
    cells.wait_for(state="attached")
    settle(page)
    box = cells.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900, "the tour pushes no figure off the screen"
    ours, _ = faults(page)
    assert not ours
    close.click()
    show.wait_for()
    page.reload()
    show.wait_for()
    assert not tour.is_visible()
    show.click()
    tour.get_by_role("link", name="Use your own networks").click()
    page.wait_for_url("**/Networks?part=Import")
    page.context.close()
