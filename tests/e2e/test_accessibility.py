"""Every page can be read by all: axe-core's rules and the order of headings, light and dark, wide and narrow."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from e2e.driving import Scheme, settle, until
from stitchlab.results.run import Run

VIEWS = ("Scores", "Channels", "Map of images", "Feature maps", "Predictions", "TLM's epochs", "Whole grid")
PARTS = ("Train", "Import", "Data sets")
ABOUT = ("Layers", "Classes", "Linear probes", "How it came to be")

#: What cannot be set from outside, by axe's rule and where it is: the scheme (or both), the most places on one page.
STREAMLITS: dict[tuple[str, str], tuple[str | None, int]] = {
    # White on primaryColor, while selected segments are primaryColor on a tenth of itself: on a dark page both cannot
    # reach 4.5:1 (of all colours the best has 4.49 for both, on black). Segments do, tags have 3.48.
    ("color-contrast", "[data-tag]"): ("dark", 16),
    # The key of a shortcut is written fainter than the button's label.
    ("color-contrast", '[data-testid="stBaseButton-primary"]'): (None, 2),
    # A table that is wider than the page scrolls, and its scroller has no tabindex. Tab reaches it in Chromium all the
    # same (tried).
    ("scrollable-region-focusable", '[data-testid="stTable"] > div'): (None, 2),
}
#: Pages that are looked at in the dark, and on a narrow screen, too: one of every layout, and each of the pages.
LAYOUTS = ("Home", "Compare", "pickers", "no such run", "Feature maps", "Scores", "a run", "Train", "Import", "Classes")
#: Where the Figure panel is opened; it is the same on every page, and draws a figure each time.
WITH_PANEL = ("Compare", "a run")
OPEN = """panel => document.querySelectorAll('details:not([open]) > summary').forEach(
    closed => { if (panel || !closed.closest('.st-key-figure')) closed.click(); })"""
LEVELS = "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(heading => +heading.tagName[1])"


def addresses(run: Run) -> dict[str, str]:
    """Every page, each view and part of it, and pages with a word of warning, by what a failure shall call them."""
    cell = {"run": run.id, "front_layer": "layer3.0", "end_layer": "layer1.1"}
    pages = {
        "Home": ("", {}),
        "no page": ("compare", {}),
        "Compare": ("Compare", {"run": run.id}),
        "pickers": ("Compare", {"front": "digits-a"}),
        "difference": ("Compare", {"run": run.id, "view": "Difference"}),
        "table": ("Compare", {"run": run.id, "view": "Table"}),
        "indices": ("Compare", {"run": run.id, "show": "Similarity indices"}),
        "no such run": ("Compare", {"run": "0123456789abcdef"}),
        "no such cell": ("Activations", {**cell, "front_layer": "nowhere"}),
        "no such network": ("Networks", {"network": "nobody"}),
    }
    pages |= {"Checks": ("Checks", {}), "Runs": ("Runs", {}), "a run": ("Runs", {"runs": run.id})}
    pages |= {"Learn": ("Learn", {"run": run.id, "step": "6"})}
    pages |= {look: ("Activations", {**cell, "look": look}) for look in VIEWS}
    pages |= {part: ("Networks", {"part": part}) for part in PARTS}
    pages |= {about: ("Networks", {"about": about}) for about in ABOUT}
    return {name: f"{path}?{urlencode(query)}" for name, (path, query) in pages.items()}


def whole(page: Page, width: int) -> None:
    """Makes the window as high as the page, since axe judges only what could be seen; waits until nothing moves."""
    page.set_viewport_size({"width": width, "height": 900})
    heights: list[int] = []

    def stands() -> bool:
        settle(page)
        page.wait_for_timeout(200)
        heights.append(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
        fresh = not page.locator("[data-stale=true]").count() and not page.get_by_text("Looking for").count()
        return fresh and heights[-3:] == heights[-1:] * 3

    until(stands, 120)
    page.set_viewport_size({"width": width, "height": heights[-1] + 1})
    settle(page)


def faults(page: Page) -> tuple[list[str], Counter[tuple[str, str]]]:
    """What axe calls serious or critical, a line each; and how often Streamlit's own was met."""
    ours, theirs = [], Counter[tuple[str, str]]()
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] not in ("serious", "critical"):
            continue
        for node in violation["nodes"]:
            known = [
                key
                for key in STREAMLITS
                if key[0] == violation["id"]
                and page.evaluate(
                    "([node, place]) => !!document.querySelector(node)?.closest(place)", [node["target"][0], key[1]]
                )
            ]
            theirs.update(known)
            if not known:
                ours.append(f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][-160:]}")
    return ours, theirs


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(finished: Run, server: str, browser: Browser, scheme: Scheme) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.set_default_timeout(60_000)
    wrong, most = {}, Counter[tuple[str, str]]()
    for name, address in addresses(finished).items():
        if scheme == "dark" and name not in LAYOUTS:
            continue
        page.goto(f"{server}/{address}")
        page.locator("h1").first.wait_for()
        settle(page)
        page.evaluate(OPEN, name in WITH_PANEL)
        for width in (1440, 390) if name in LAYOUTS and scheme == "light" else (1440,):  # colours go by no width
            whole(page, width)
            ours, theirs = faults(page)
            most |= theirs  # the larger of the two counts
            levels = page.evaluate(LEVELS)
            if levels.count(1) != 1 or any(b > a + 1 for a, b in pairwise(levels)):
                ours.append(f"headings of levels {levels}")
            if ours:
                wrong[f"{name}, {width}"] = ours
    page.close()
    assert not wrong, "\n".join(f"{place}: {fault}" for place, those in wrong.items() for fault in those)
    allowed = {key: limit for key, (only, limit) in STREAMLITS.items() if only in (None, scheme)}
    assert all(count <= allowed.get(key, 0) for key, count in most.items()), most
