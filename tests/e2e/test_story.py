"""The lecture: Home, the two cells that tell, the evidence, the detectors' table; nothing on the way but clicks."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.driving import query, settle, until
from stitchlab.figures.story import story
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Store

RATIOS = ".js-plotly-plot:has(.xtitle:has-text('Fréchet ratio'))"


@pytest.fixture
def lecture(finished: Run, server: str, cache: Path, browser: Browser) -> Page:
    """Home on a small screen, with the picture of all cells, which it had computed by itself."""
    page = browser.new_page(viewport={"width": 1024, "height": 768})
    page.goto(server)
    page.locator(RATIOS).wait_for(timeout=120_000)
    settle(page)
    return page


def test_home_leads_to_the_evidence(lecture: Page, finished: Run, cache: Path) -> None:
    found = DetectionResults(Run.load(finished.id, Store(cache)))
    accurate, anomaly = story(found)
    assert accurate.title == "Both accurate, one foreign", "the demo's grid shows the finding"
    assert (anomaly.front_layer, anomaly.end_layer) == (
        finished.request.front_layers[-1],
        finished.request.end_layers[0],
    )
    lecture.get_by_role("link", name=f"Why? {accurate.front_layer} → {accurate.end_layer}").click()
    until(lambda: urlparse(lecture.evaluate("location.href")).path == "/Activations", 30)
    assert query(lecture)["front_layer"] == [accurate.front_layer]
    for words in (
        "its accuracy is no evidence of similarity",
        "similar, as far as this can tell",
        "Negative where native has none",
        "Feature maps",
    ):
        place = lecture.get_by_text(words).first
        expect(place).to_be_visible(timeout=30_000)
        box = place.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 768, f"{words}: without scrolling"
    assert lecture.evaluate("document.documentElement.scrollWidth") <= 1024
    lecture.close()


def test_a_click_on_a_point_opens_its_cell(lecture: Page, finished: Run) -> None:
    box = lecture.locator(RATIOS).first
    box.scroll_into_view_if_needed()
    k, x, y = lecture.evaluate("""() => {
        const plot = [...document.querySelectorAll('.js-plotly-plot')].at(-1), {xaxis, yaxis} = plot._fullLayout
        const places = plot.calcdata.slice(0, 2).map(set => set.map(p => [xaxis.d2p(p.x), yaxis.d2p(p.y)]))
        const alone = places[1].map(p => places.flat().map(o => Math.hypot(o[0] - p[0], o[1] - p[1]))
            .filter(d => d > 0).reduce((a, b) => Math.min(a, b)))
        const k = alone.indexOf(Math.max(...alone)), at = plot.getBoundingClientRect()
        return [k, at.x + xaxis._offset + places[1][k][0], at.y + yaxis._offset + places[1][k][1]]
    }""")
    lecture.mouse.click(x, y)
    until(lambda: urlparse(lecture.evaluate("location.href")).path == "/Activations", 30)
    row, column = divmod(k, len(finished.request.end_layers))
    assert query(lecture)["front_layer"] == [finished.request.front_layers[row]]
    assert query(lecture)["end_layer"] == [finished.request.end_layers[column]]
    lecture.close()
