"""The keyboard in a browser: arrow keys through cells, shortcuts of buttons, the card that lists all keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from e2e.driving import CANCEL, ROOT, query, serving, settle, until
from e2e.test_accessibility import faults
from e2e.test_heatmaps import MARKS
from stitchlab.results import shelf
from stitchlab.results.run import Run

DIALOG = '[role="dialog"]'


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose store is empty; it shows the gallery that comes with the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STITCHLAB_GALLERY", str(ROOT / "gallery"))
        with serving(tmp_path_factory.mktemp("keys")) as url:
            yield url


@pytest.fixture(scope="module")
def run(fresh: str) -> Run:
    return next(run for run in shelf.gallery() if len(run.request.front_layers) == 8)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def rests(page: Page, run: Run, row: int, column: int) -> None:
    """Waits until a cell is the address, and the page shows it."""
    wanted = [run.request.front_layers[row]], [run.request.end_layers[column]]
    until(lambda: (query(page).get("front_layer"), query(page).get("end_layer")) == wanted, 20)
    settle(page)
    boxes = [page.locator(f".st-key-{side}_layer input").first for side in ("front", "end")]
    until(lambda: [[box.input_value()] for box in boxes] == list(wanted), 20)
    settle(page)


@pytest.mark.parametrize("place", ["Compare", "Activations"])
def test_arrows_move_the_cell_and_a_rest_is_one_entry_of_the_history(
    place: str, fresh: str, run: Run, page: Page
) -> None:
    page.goto(
        f"{fresh}/{place}?run={run.id}&front_layer={run.request.front_layers[3]}"
        f"&end_layer={run.request.end_layers[3]}" + ("&look=Channels" if place == "Activations" else "")
    )
    page.locator(".st-key-front_layer input").first.wait_for()
    if place == "Compare":
        until(lambda: page.locator(".nsewdrag").count() == 2, 60)
    rests(page, run, 3, 3)
    entries = page.evaluate("history.length")
    press(page, "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp")
    if place == "Compare":
        assert page.evaluate(MARKS) == ["4,2"] * 2, "at once, before the server hears of it"
    rests(page, run, 4, 2)
    press(page, *["ArrowRight"] * 9)  # the grid ends before
    rests(page, run, 4, 7)
    assert page.evaluate("history.length") == entries + 2
    page.go_back()
    rests(page, run, 4, 2)
    press(page, "ArrowUp")  # from where Back led
    rests(page, run, 3, 2)
    assert page.evaluate(MARKS) == []


def test_arrows_leave_controls_alone(fresh: str, run: Run, page: Page) -> None:
    page.goto(f"{fresh}/Compare?run={run.id}")
    until(lambda: page.locator(".nsewdrag").count() == 2, 60)
    settle(page)
    address = page.url
    for control in (".st-key-front_layer input", '[role="radiogroup"] [role="radio"]'):
        page.locator(control).first.focus()
        press(page, "ArrowDown", "?", "Escape")
        page.wait_for_timeout(1000)
        assert page.evaluate(MARKS) == []
        assert not page.locator(DIALOG).count()
    assert query(page).get("front_layer") is None
    page.goto(address)


def test_the_card_opens_by_its_key_and_by_its_button(fresh: str, run: Run, page: Page) -> None:
    page.goto(f"{fresh}/Compare?run={run.id}")
    until(lambda: page.locator(".nsewdrag").count() == 2, 60)
    settle(page)
    ways: list[Callable[[], None]] = [lambda: press(page, "?"), page.locator(".st-key-keys button").first.click]
    for opens in ways:
        opens()
        page.locator(DIALOG).get_by_text("Select the neighbouring cell").wait_for()
        settle(page)
        press(page, "ArrowUp")
        assert page.evaluate(MARKS) == [], "nothing moves behind it"
        ours, _ = faults(page)
        assert not ours
        press(page, "Escape")
        page.locator(DIALOG).wait_for(state="detached")
        settle(page)
    page.reload()
    until(lambda: page.locator(".nsewdrag").count() == 2, 60)
    assert not page.locator(DIALOG).count()


def test_compute_and_cancel_by_keys(fresh: str, page: Page) -> None:
    page.goto(fresh)
    button = page.locator(".st-key-demo button")
    button.wait_for()
    settle(page)
    assert "Ctrl + Enter" in button.inner_text().replace("\n", " ")
    press(page, "Control+Enter")
    cancel = page.locator(CANCEL)
    cancel.wait_for()
    assert "Alt + X" in cancel.inner_text().replace("\n", " ")
    press(page, "Alt+x")
    page.get_by_text("It was cancelled.").wait_for()
