"""What nobody sees and somebody pays for: other hosts that are asked, addresses of no page, the server's log."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode, urlparse

from playwright.sync_api import Page, expect

from e2e.driving import click, numbers, query, serving, settle, until
from stitchlab.results.run import Run

SAID = re.compile(r"Uvicorn server started|You can now view your Streamlit app|URL: |^$")  # at every start


def test_no_page_asks_another_host(finished: Run, server: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("", "Compare", "Activations", "Checks", "Runs", "Networks"):
        page.goto(f"{server}/{path}")
        page.locator("h1").wait_for()
        settle(page)
        assert page.evaluate("document.querySelector('link[rel~=icon]').href").startswith("data:image/svg+xml")
    hosts = {urlparse(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlparse(server).netloc}


def test_a_lower_case_address_leads_to_its_page_with_all_that_it_says(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/compare?run={finished.id}&show=Distance+to+native")
    page.get_by_role("dialog").wait_for()  # Streamlit's own word
    page.get_by_text("Did you mean Compare?").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_test_id("stMain").get_by_role("link", name="Compare", exact=True).click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Compare", 30)
    until(lambda: numbers(page) == [36, 36], 60)
    assert query(page).items() >= {"run": [finished.id], "show": ["Distance to native"]}.items()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="StitchLab", exact=True)).to_be_visible()
    assert not page.get_by_text("Did you mean").count(), "said once"


def test_an_address_of_no_page_leads_home(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/nowhere")
    expect(page.get_by_text("No page has the address that was opened. This is Home.")).to_be_visible()
    expect(page.get_by_role("heading", name="StitchLab", exact=True)).to_be_visible()


def test_a_tour_of_all_pages_leaves_nothing_in_the_log(finished: Run, cache: Path, page: Page, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(cache, log) as url:
        tour(page, url, finished)
        told = [line for line in log.read_text().splitlines() if not SAID.search(line)]
    assert not told, "\n".join(told)


def tour(page: Page, url: str, run: Run) -> None:
    """Every page by its link and by others, every switch, downloads while the page is drawn, back and forward."""
    cell = {"run": run.id, "front_layer": "layer3.0", "end_layer": "layer1.1"}
    page.goto(url)
    until(lambda: numbers(page)[:2] == [36, 36], 60)
    settled(page)
    page.get_by_role("link", name="Open this grid in Compare").click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Compare", 30)
    downloads(page)
    click(page, run, 1, row=1, column=2)
    settled(page)
    page.locator(".st-key-pick button").click()
    page.locator(".st-key-swap button").first.click()
    settled(page)
    for address in (
        "compare",
        "Compare?run=0123456789abcdef",
        f"Compare?{urlencode(cell)}",
        f"Compare?{urlencode({**cell, 'front': 'digits-b', 'end': 'digits-a', 'epochs': 3, 'seed': 2})}",
        "Compare?front_layers=layer1.0&front_layers=layer3.1&methods=dm&dm_images=50",
        "Activations?run=0123456789abcdef&front_layer=layer9",
        f"Activations?{urlencode({**cell, 'look': 'Feature maps', 'image': 7})}",
        "Networks?network=nobody",
    ):
        page.goto(f"{url}/{address}")
        settled(page)
    for address in (
        f"Compare?run={run.id}",
        f"Activations?{urlencode(cell)}",
        f"Runs?runs={run.id}",
        "Networks?network=digits-b&about=Classes",
        "Networks?part=Train",
        f"Compare?run={run.id}&embed=true",
        f"Runs?runs={run.id}&runs=0123456789abcdef",
    ):
        page.goto(f"{url}/{address}")
        settled(page)
        switches(page)
    for _ in range(4):
        page.go_back()
        settled(page)
    page.go_forward()
    settled(page)


def switches(page: Page) -> None:
    """Clicks every choice of every switch on the page once."""
    choices = page.locator('[data-testid="stButtonGroup"] button')
    for label in choices.all_inner_texts():
        choice = choices.filter(has_text=re.compile(f"^{re.escape(label)}$"))
        if choice.count():  # else it was of a part that is closed now
            choice.first.click()
            settled(page)


def downloads(page: Page) -> None:
    """Takes a file a few times, as fast as it comes: the page must not forget it meanwhile."""
    page.locator(".st-key-figure summary").click()
    buttons = page.get_by_test_id("stDownloadButton").get_by_role("button")
    buttons.first.wait_for()
    settled(page)
    for _ in range(3):
        with page.expect_download() as file:
            buttons.first.click()
        assert file.value.path().stat().st_size
        assert file.value.suggested_filename.endswith(".svg")


def settled(page: Page) -> None:
    page.locator("h1, .js-plotly-plot").first.wait_for()  # an embedded page has no heading
    page.wait_for_timeout(150)
    settle(page)
    assert not page.locator('[data-testid="stException"]').count()
