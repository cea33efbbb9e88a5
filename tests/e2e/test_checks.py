"""Checks in a browser: a click or a key in the table opens its evidence, a link is whole, and all can read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_checks import made_suite
from playwright.sync_api import Page, expect

from e2e.driving import Scheme, query, serving, settle, until
from e2e.test_accessibility import LEVELS, faults, whole
from stitchlab.store import Store


@pytest.fixture(scope="module")
def made(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The app on a store that has a suite with answers, and the suite's id."""
    root = tmp_path_factory.mktemp("checks")
    for folder in digits_store.root.iterdir():
        (root / folder.name).symlink_to(folder) if folder.name != "runs" else None
    answers = made_suite(Store(root), indices=("cka", "opd"))
    with serving(root, Path(root, "log")) as url:
        yield url, answers.suite.id


def test_a_click_and_a_key_open_evidence_and_back_returns(made: tuple[str, str], page: Page) -> None:
    url, suite = made
    page.goto(f"{url}/Checks?suite={suite}")
    expect(page.get_by_role("heading", name="Self: Task loss matching: accuracy")).to_be_visible()
    settle(page)
    row = page.get_by_role("row", name="Linear CKA")
    row.get_by_role("button").nth(1).click()
    expect(page.get_by_role("heading", name="Correspondence: Linear CKA")).to_be_visible()
    assert query(page)["check"] == ["correspondence"]
    assert query(page)["subject"] == ["cka/similarity"]
    settle(page)
    expect(row.get_by_role("button", pressed=True)).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Distance order: Orthogonal Procrustes")).to_be_visible()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    page.go_back()
    expect(page.get_by_role("heading", name="Correspondence: Linear CKA")).to_be_visible()
    until(lambda: query(page)["subject"] == ["cka/similarity"], 10)


def test_a_link_is_whole_on_a_phone_and_leads_to_a_run(made: tuple[str, str], page: Page) -> None:
    url, suite = made
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{url}/Checks?suite={suite}&check=stability&subject=dm%2Faccuracy")
    expect(page.get_by_role("heading", name="Stability: Direct matching: accuracy")).to_be_visible()
    settle(page)
    chosen = page.get_by_role("button", pressed=True)
    place, within = chosen.bounding_box(), page.locator(".st-key-checks-table").bounding_box()
    assert place is not None
    assert within is not None
    assert within["x"] < place["x"]
    assert place["x"] + place["width"] <= within["x"] + within["width"] + 1, "the table scrolled to it"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="digits-a → digits-b on Digits").click()
    expect(page.get_by_role("heading", name="digits-a → digits-b on Digits")).to_be_visible()
    until(lambda: bool(query(page).get("run")), 10)


def test_it_can_be_read_by_all(made: tuple[str, str], page: Page) -> None:
    url, suite = made
    page.goto(f"{url}/Checks?suite={suite}&check=stability&subject=cka%2Fsimilarity")
    page.get_by_role("button", pressed=True).wait_for()
    looks: list[tuple[Scheme, int]] = [("light", 1440), ("dark", 390)]
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        whole(page, width)
        ours, _ = faults(page)
        assert not ours, (scheme, width)
    levels = page.evaluate(LEVELS)
    assert levels == [1, 2, 3]
