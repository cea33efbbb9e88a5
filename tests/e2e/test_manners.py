"""What nobody sees and somebody pays for: other hosts that are asked, addresses of no page."""

from __future__ import annotations

from urllib.parse import urlparse

from playwright.sync_api import Page, expect

from e2e.driving import numbers, query, settle, until
from stitchlab.results.run import Run

def test_no_page_asks_another_host(finished: Run, server: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("", "Compare", "Activations", "Networks"):
        page.goto(f"{server}/{path}")
        page.locator("h1").wait_for()
        settle(page)
        assert page.evaluate("document.querySelector('link[rel~=icon]').href").startswith("data:image/svg+xml")
    hosts = {urlparse(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlparse(server).netloc}


def test_a_lower_case_address_leads_to_its_page_with_all_that_it_says(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/compare?run={finished.id}&show=Distance+to+native")
    page.keyboard.press("Escape")  # Streamlit's own word
    page.get_by_text("Did you mean Compare?").wait_for()
    page.get_by_test_id("stMain").get_by_role("link", name="Compare", exact=True).click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Compare", 30)
    until(lambda: numbers(page) == [36, 36], 60)
    assert query(page).items() >= {"run": [finished.id], "show": ["Distance to native"]}.items()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="StitchLab")).to_be_visible()
    assert not page.get_by_text("Did you mean").count(), "said once"


def test_an_address_of_no_page_leads_home(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/nowhere")
    expect(page.get_by_text("No page has the address that was opened. This is Home.")).to_be_visible()
    expect(page.get_by_role("heading", name="StitchLab")).to_be_visible()
