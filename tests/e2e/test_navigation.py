"""The address and the history: one choice is one entry, and an entry shows the same here and in a fresh tab."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page

from e2e.driving import TEXTS, click, numbers, query, settle, still, until
from stitchlab.results.run import Run

Look = dict[str, Any]


def look(page: Page) -> Look:
    """What a page shows: its heading, the selected cell, the numbers of its heatmaps, the networks in its pickers."""
    keys = ("front_layer", "end_layer", "front", "end")
    texts = {
        key: page.evaluate(
            """key => [...document.querySelectorAll(`.st-key-${key} input`)].map(
        input => input.value)""",
            key,
        )
        for key in keys
    }
    return {
        "path": urlparse(page.url).path,
        "heading": page.locator("h1").all_inner_texts(),
        "numbers": page.evaluate(TEXTS),
        **texts,
    }


def same(one: Look, other: Look) -> bool:
    """Whether two looks show the same; what detectors say of cells comes while they are looked at."""
    return all(one[key] == other[key] for key in one if key != "numbers" or one["path"] != "/Activations")


def shows(page: Page, wanted: Callable[[Look], bool]) -> Look:
    """Waits until a page shows what is wanted and nothing of it changes any more."""
    seen: list[Look] = []

    def there() -> bool:
        settle(page)
        seen.append(look(page))
        return len(seen) > 2 and wanted(seen[-1]) and same(seen[-1], seen[-2]) and same(seen[-2], seen[-3])

    until(there, 60)
    return seen[-1]


def same_in_a_fresh_tab(page: Page, shown: Look) -> None:
    """Opens the page's address in a tab that knows nothing of this one; it writes nothing there."""
    fresh = page.context.new_page()
    address = page.url
    fresh.goto(address)
    shows(fresh, lambda now: same(now, shown))
    assert fresh.url == address
    assert fresh.evaluate("history.length") == 2, "the tab's own first page and this one"
    fresh.close()


def at_cell(i: str, j: str) -> Callable[[Look], bool]:
    return lambda now: i in "".join(now["front_layer"]) and j in "".join(now["end_layer"]) and len(now["numbers"]) == 2


@pytest.mark.parametrize("place", ["Compare", "Activations"])
def test_click_click_back_back_forward(place: str, finished: Run, server: str, page: Page) -> None:
    more = "&look=Whole+grid&detector=Nearest+neighbours" if place == "Activations" else ""
    page.goto(f"{server}/{place}?run={finished.id}{more}")
    last, first = finished.request.front_layers[-1], finished.request.end_layers[0]
    looks = [shows(page, at_cell(last, first))]
    same_in_a_fresh_tab(page, looks[0])
    addresses = [page.url]
    entries = page.evaluate("history.length")
    for row, column in ((3, 4), (1, 1)):
        looks.append(shows(page, at_cell(*click(page, finished, 1, row=row, column=column))))
        same_in_a_fresh_tab(page, looks[-1])
        addresses.append(page.url)
    assert page.evaluate("history.length") == entries + 2, "one click is one entry"
    for step, k in ((page.go_back, 1), (page.go_back, 0), (page.go_forward, 1)):
        step()
        shows(page, partial(same, other=looks[k]))
        assert page.url == addresses[k]  # which was opened in a fresh tab before
    assert not page.get_by_text("is shown instead").count()


def test_between_all_pages(finished: Run, server: str, page: Page) -> None:
    """Home → a grid → a cell → its activations → its grid → Networks, and back by one press each."""
    page.goto(server)
    until(lambda: numbers(page)[:2] == [36, 36], 60)
    trail = [shows(page, lambda now: now["path"] == "/")]
    page.get_by_role("link", name="Open this grid in Compare").click()
    trail.append(shows(page, lambda now: now["path"] == "/Compare" and len(now["numbers"]) == 2))
    i, j = click(page, finished, 0, row=3, column=4)
    trail.append(shows(page, at_cell(i, j)))
    page.get_by_role("link", name="Its activations").click()
    trail.append(shows(page, lambda now: now["path"] == "/Activations" and i in "".join(now["front_layer"])))
    page.get_by_role("link", name="Its grid").click()
    trail.append(shows(page, lambda now: now["path"] == "/Compare" and at_cell(i, j)(now)))
    page.locator('[data-testid="stSidebar"]').get_by_role("link", name="Activations").click()
    trail.append(shows(page, lambda now: now["path"] == "/Activations" and j in "".join(now["end_layer"])))
    page.locator('[data-testid="stSidebar"]').get_by_role("link", name="Networks").click()
    trail.append(shows(page, lambda now: now["path"] == "/Networks"))
    for before in trail[-2::-1]:
        page.go_back()
        shows(page, partial(same, other=before))
    page.go_forward()
    shows(page, lambda now: same(now, trail[1]))


def test_a_change_of_a_picker_is_one_entry(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/Compare?run={finished.id}")
    shows(page, lambda now: len(now["numbers"]) == 2)
    entries = page.evaluate("history.length")
    page.locator(".st-key-pick button").click()
    before = shows(page, lambda now: bool(now["front"]))
    page.locator(".st-key-swap button").first.click()
    swapped = shows(page, lambda now: now["front"] == before["end"] and now["end"] == before["front"])
    other = query(page)["run"]
    assert other != [finished.id]
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    shows(page, lambda now: now == before)
    page.go_forward()
    shows(page, lambda now: now == swapped)
    assert query(page)["run"] == other
    page.reload()  # what the pickers ask for is in the address
    folded = shows(page, lambda now: now["heading"] == swapped["heading"])
    assert folded["numbers"] == swapped["numbers"]


def test_where_the_run_is_not_the_pickers_the_run_wins(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/Compare?run={finished.id}&front=digits-b&end=digits-b&seed=3")
    shown = shows(page, lambda now: len(now["numbers"]) == 2)
    wanted = [f"{value:.2f}" for value in finished.matrix("tlm", "accuracy").ravel()]
    assert shown["numbers"][0] == wanted
    still(page.locator("h1"))
    assert "digits-a" in shown["heading"][0]
