"""The lesson in a browser, on a fresh clone: clicked through from the first step to the last, from links, for all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.driving import ROOT, query, serving, settle, still, until
from e2e.test_accessibility import faults, whole
from stitchlab.catalog.lesson import ASKS_FOR_DISTANT, STEPS
from stitchlab.results import shelf
from stitchlab.results.anomalies import distant_and_accurate, unlike_itself
from stitchlab.results.run import Run


@pytest.fixture(scope="module")
def gallery() -> Iterator[dict[str, Run]]:
    """The project's own gallery, by file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "STITCHLAB_GALLERY", str(ROOT / "gallery"))
        yield {run.source.file: run for run in shelf.gallery() if run.source}


@pytest.fixture(scope="module")
def fresh(gallery: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The app as on a fresh clone, and its empty cache."""
    cache = tmp_path_factory.mktemp("learn")
    with serving(cache) as url:
        yield url, cache


def ready(page: Page, number: int) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{number}. {STEPS[number - 1].title}", timeout=60_000)
    settle(page)


def on(page: Page, number: int) -> None:
    page.locator(".st-key-learn-next button").click()
    ready(page, number)


def answered(page: Page, steps: str) -> None:
    until(lambda: query(page).get("answered") == [steps], 60)
    settle(page)
    expect(page.get_by_test_id("stAlertContentSuccess")).to_be_visible()


def click(page: Page, run: Run, cell: tuple[str, str]) -> None:
    """Clicks a cell of the first heatmap, until it is taken."""
    row, column = run.request.front_layers.index(cell[0]), run.request.end_layers.index(cell[1])

    def taken() -> bool:
        box = still(page.locator(".nsewdrag").first)
        page.mouse.click(
            box["x"] + box["width"] * (column + 0.5) / len(run.request.end_layers),
            box["y"] + box["height"] * (row + 0.5) / len(run.request.front_layers),
        )
        page.wait_for_timeout(800)
        return query(page).get("said") == ["~".join(cell)]

    until(taken, 60)


def test_the_whole_lesson(page: Page, fresh: tuple[str, Path], gallery: dict[str, Run]) -> None:
    across, within = gallery["1-tiny10-across-paper.stitch"], gallery["4-tiny10-within-quick.stitch"]
    page.goto(fresh[0])
    page.get_by_role("link", name="Learn").first.click()
    ready(page, 1)
    page.get_by_role("radiogroup", name="Answer").get_by_text(across.request.end_layers[0], exact=True).click()
    answered(page, "1")
    on(page, 2)
    page.locator(f'[data-place="front-{len(across.request.front_layers) - 1}"]').click()
    until(lambda: query(page).get("said", [""])[0].startswith(across.request.front_layers[-1]), 60)
    expect(page.locator('[data-place^="front-"][aria-pressed=true]')).to_have_text(
        re.compile(f"^{across.request.front_layers[-1]}")
    )  # drawn anew
    settle(page)
    page.locator('[data-place="end-0"]').press("Enter")
    answered(page, "1-2")
    page.go_back()
    until(lambda: query(page).get("answered") == ["1"], 60)
    page.go_forward()
    answered(page, "1-2")
    on(page, 3)
    page.get_by_role("radiogroup", name="Answer").get_by_text("Task loss matching", exact=True).click()
    answered(page, "1-2-3")
    on(page, 4)
    click(page, across, distant_and_accurate(across)[0])
    answered(page, "1-2-3-4")
    on(page, 5)
    found = unlike_itself(within, "tlm")[0]
    click(page, within, (found.layer, found.layer))
    answered(page, "1-2-3-4-5")
    on(page, 6)
    page.get_by_role("radiogroup", name="Answer").get_by_text("Task loss matching's").click()
    answered(page, "1-2-3-4-5-6")
    on(page, 7)
    page.get_by_role("radiogroup", name="Answer").get_by_text("Far layers").click()
    answered(page, "1-2-3-4-5-6-7")
    assert query(page)["said"] == [ASKS_FOR_DISTANT]
    page.go_back()
    page.go_back()
    ready(page, 6)
    assert not [path for path in fresh[1].rglob("*") if path.is_file() and "run" in path.name], "nothing is asked for"


def test_a_link_opens_step_5_alone(page: Page, fresh: tuple[str, Path]) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{fresh[0]}/Learn?step=5")
    ready(page, 5)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.locator(".st-key-learn-show button").click()
    answered(page, "5")
    page.locator(".st-key-learn-previous button").click()
    ready(page, 4)


def test_no_step_scrolls_sideways_and_axe_finds_nothing(browser: Browser, fresh: tuple[str, Path]) -> None:
    page, wrong = browser.new_page(), []
    for number in range(1, len(STEPS) + 1):
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{fresh[0]}/Learn?step={number}&answered={number}")
        ready(page, number)
        for width in (390, 1024):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_timeout(400)
            main = "document.querySelector('[data-testid=stMain]')"
            if page.evaluate(
                f"document.documentElement.scrollWidth > {width} || {main}.scrollWidth > {main}.clientWidth"
            ):
                wrong.append(f"step {number} scrolls sideways at {width}")
        whole(page, 1400)
        wrong += [f"step {number}: {fault}" for fault in faults(page)[0]]
    page.close()
    assert not wrong, "\n".join(wrong)
