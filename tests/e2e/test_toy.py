"""The toy in a browser: points dragged and moved by keys, the training, links, what the server writes, a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from e2e.driving import Scheme, query, serving, settle, until
from e2e.test_accessibility import faults, whole

#: A page with the toy. It counts how often it is run, and its button has the server write an address, as lessons do.
SCRIPT = """
import streamlit as st
from stitchlab.ui import toy
def first():
    st.title("Toy")
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if st.button("Next"):
        st.query_params["step"] = str(st.session_state["runs"])
    st.text(f"run {st.session_state['runs']}, the server knows {st.query_params.get('toy')}")
    toy.draw()
    st.page_link(OTHER, label="Other")
def other():
    st.title("Another page")
st.set_page_config(page_title="Toy", layout="wide", initial_sidebar_state=200)
OTHER = st.Page(other, title="Other")
st.navigation([st.Page(first, title="Toy", default=True), OTHER]).run()
"""
#: How far the toy's elements reach to the right, in pixels.
RIGHT = """() => Math.max(...[...document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot
    .querySelectorAll('.toy, .toy *:not(svg *)')].map(each => each.getBoundingClientRect().right))"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("toy")
    (place / "toy_page.py").write_text(SCRIPT)
    with serving(place / "cache", script=str(place / "toy_page.py")) as url:
        yield url


@pytest.fixture(autouse=True)
def quiet(page: Page) -> Iterator[None]:
    """Whatever the browser's console calls an error fails the test."""
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield
    assert not errors


def opened(page: Page, url: str, text: str | None = None) -> Page:
    page.goto(url if text is None else f"{url}/?toy={text}")
    page.locator(".toy tbody td").first.wait_for()
    settle(page)
    return page


def rows(page: Page) -> dict[str, list[str]]:
    """The table of numbers: native, direct matching, task loss matching."""
    lines = [line.locator("th, td").all_inner_texts() for line in page.locator(".toy tbody tr").all()]
    return {name: numbers for name, *numbers in lines}


def steps(page: Page) -> int:
    return int(page.locator(".toy output").inner_text())


def at(point: Locator) -> str:
    return str(point.get_attribute("aria-valuetext"))


def test_the_first_look_shows_the_finding_and_writes_nothing(page: Page, url: str) -> None:
    opened(page, url)
    found = rows(page)
    assert found["Images right"] == ["16", "16", "16"]
    native, dm, tlm = map(float, found["Distance"])
    assert native == 0
    assert dm < 0.02 < 1 < tlm
    assert float(found["Fréchet ratio"][2]) > 1
    assert "as many images right" in page.locator(".said").inner_text()
    assert page.locator(".mark.tlm").count() == 17  # and one in the table
    page.wait_for_timeout(1000)
    assert query(page) == {}


def test_a_dragged_point_moves_both_maps_and_the_address_but_not_the_page(page: Page, url: str) -> None:
    opened(page, url)
    point, before, length = page.locator(".point.front").nth(3), rows(page), page.evaluate("history.length")
    box = point.locator(".hold").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(1, 9):
        page.mouse.move(x - 15 * k, y)
    until(lambda: rows(page)["Distance"][1] != before["Distance"][1], 5)  # while it is held
    page.mouse.up()
    until(lambda: "toy" in query(page), 5)
    assert rows(page)["Distance"][2] != before["Distance"][2]
    moved = at(point)
    assert moved.startswith("circle at -")
    page.wait_for_timeout(1500)  # the server is told when nothing changes any more
    assert page.get_by_text("run 1, the server knows None").count(), "the page was run again"
    assert page.evaluate("history.length") == length
    [text] = query(page)["toy"]
    page.get_by_role("button", name="Next").click()  # what the server writes keeps what the browser wrote
    until(lambda: query(page) == {"toy": [text], "step": ["2"]}, 10)
    assert page.get_by_text(f"run 2, the server knows {text}").count()
    page.go_back()
    until(lambda: query(page) == {"toy": [text]}, 10)
    assert at(point) == moved
    page.get_by_role("button", name="Put all points back").click()
    assert rows(page) == before


def test_the_training_goes_by_steps_runs_and_starts_again(page: Page, url: str) -> None:
    opened(page, url)
    page.get_by_role("button", name="Restart").click()
    start = rows(page)
    assert steps(page) == 0
    page.get_by_role("button", name="Step").click()
    assert steps(page) == 1
    assert rows(page)["Cross-entropy"][2] < start["Cross-entropy"][2]
    page.get_by_role("button", name="Run").click()
    until(lambda: steps(page) > 20, 20)
    page.get_by_role("button", name="Pause").click()
    done = steps(page)
    until(lambda: query(page).get("toy", [""])[0].split(".")[3:4] == [str(done)], 5)
    assert steps(page) == done
    page.locator(".steps input").fill("300")
    assert rows(page)["Images right"][2] == "16"
    before = rows(page)
    page.get_by_role("button", name="Other start").click()
    after = rows(page)
    # direct matching has one answer, wherever the other starts
    assert [line[:2] for line in after.values()] == [line[:2] for line in before.values()]
    assert after["Distance"][2] != before["Distance"][2]
    page.locator(".rate select").select_option("0.1")
    assert rows(page)["Distance"][2] > after["Distance"][2]


def test_motion_that_is_unwanted_becomes_leaps(browser: Browser, url: str) -> None:
    page = opened(browser.new_page(reduced_motion="reduce"), url, "1.correspond.1.0.2..11")
    page.get_by_role("button", name="Run").click()
    until(lambda: steps(page) > 0, 5)
    assert steps(page) % 50 == 0
    page.close()


def test_situations_and_what_is_shown(page: Page, url: str) -> None:
    opened(page, url)
    page.get_by_role("button", name="Labels are swapped").click()
    assert rows(page)["Images right"] == ["0", "0", "16"]
    assert at(page.locator(".point.front").first).startswith("triangle")
    page.get_by_role("button", name="A direction is lost").click()
    assert page.get_by_role("button", name="A direction is lost").get_attribute("aria-pressed") == "true"
    assert rows(page)["Images right"] == ["16", "12", "16"]
    assert "lie on a line" in page.locator(".see").inner_text()
    page.get_by_role("checkbox", name="Task loss matching, TLM").uncheck()
    assert not page.locator(".end .mark.tlm").first.is_visible()
    assert page.locator(".end .mark.dm").first.is_visible()
    until(lambda: query(page).get("toy") == ["1.line.1.300.2..10"], 5)


def test_a_situation_says_only_what_is_still_so(page: Page, url: str) -> None:
    opened(page, url)
    of_front, of_figure = (page.locator(f".see [data-of={of}]") for of in ("front", "figure"))

    def said() -> tuple[bool, bool]:
        return of_front.is_visible(), of_figure.is_visible()

    page.get_by_role("checkbox", name="Direct matching, DM").uncheck()
    assert said() == (True, True)
    page.get_by_role("button", name="Restart").click()
    assert said() == (True, False)
    page.locator(".steps input").fill("300")
    assert said() == (True, True)
    page.locator(".point.front").first.focus()
    page.keyboard.press("ArrowUp")
    assert said() == (False, False)
    page.get_by_role("button", name="Put all points back").click()
    assert said() == (True, True)


@pytest.mark.parametrize("under_way", ["moved", "running"])
def test_another_page_gets_no_state_into_its_address(page: Page, url: str, under_way: str) -> None:
    opened(page, url)
    link = page.get_by_role("link", name="Other").element_handle()
    assert link is not None
    if under_way == "running":
        page.get_by_role("button", name="Restart").click()
        page.get_by_role("button", name="Run").click()
    else:
        page.locator(".point.front").first.focus()
        page.keyboard.press("ArrowUp")
    link.evaluate("link => link.click()")
    page.get_by_role("heading", name="Another page").wait_for()
    page.wait_for_timeout(1500)
    assert page.evaluate("location.pathname + location.search") == "/other"


def test_keys_move_points_and_what_changed_is_spoken(page: Page, url: str) -> None:
    opened(page, url)
    page.locator(".point.native").first.focus()
    page.keyboard.press("PageDown")
    point = page.locator(".point.native").nth(1)
    assert point.evaluate("point => point.getRootNode().activeElement === point")
    assert at(point) == "circle at -1.20, -1.25"
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert at(point) == "circle at -1.15, -0.95"
    for _ in range(20):
        page.keyboard.press("Shift+ArrowLeft")
    assert at(point) == "circle at -3.00, -0.95"
    spoken = page.locator(".toy [role=status]")
    until(lambda: spoken.inner_text() == page.locator(".said").inner_text(), 5)
    settle(page)
    assert point.evaluate("point => point.getRootNode().activeElement === point"), "the keyboard stays where it is"
    assert page.locator(".point[tabindex='0']").count() == 2  # one of a cloud


def test_a_link_brings_everything_back_and_nonsense_is_a_page(page: Page, url: str) -> None:
    opened(page, url, "1.class.9.120.3.03c00.10")
    assert steps(page) == 120
    assert at(page.locator(".point.front").first) == "circle at 3.00, -3.00"
    assert page.locator(".rate select").input_value() == "3"
    assert not page.get_by_role("checkbox", name="Task loss matching, TLM").is_checked()
    there = rows(page)
    opened(page, url, "%00%3Cscript%3E" + "9" * 3000)
    assert steps(page) == 300
    assert rows(page) != there
    page.evaluate("history.pushState({}, '', '?toy=1.class.9.120.3.03c00.10')")
    page.evaluate("history.pushState({}, '', '?toy=1.line.1.300.2..11')")
    page.go_back()
    until(lambda: rows(page) == there, 10)


@pytest.mark.parametrize(("scheme", "widths"), [("light", (1400, 1024, 390)), ("dark", (390,))])
def test_it_can_be_read_by_all_on_any_screen(
    browser: Browser, url: str, scheme: Scheme, widths: tuple[int, ...]
) -> None:
    page = opened(browser.new_page(color_scheme=scheme), url)
    for width in widths:
        whole(page, width)
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
        assert page.evaluate(RIGHT) <= width
        ours, _ = faults(page)
        assert not ours
    page.close()
