"""Fixtures of the browser tests: one app on a cache that was empty, and windows onto it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from e2e.driving import numbers, serving, until
from stitchlab.results import demo
from stitchlab.results.run import Run
from stitchlab.store import Store


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; where there is none the tests are skipped, unless it is required (as in .ci/run)."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("STITCHLAB_BROWSER") == "required":
            pytest.fail("the browser tests must run here, and no chromium is installed")
        pytest.skip("no chromium is installed")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh window; whatever goes wrong in the page's own scripts fails the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    made = context.new_page()
    made.set_default_timeout(60_000)
    made.on("pageerror", lambda error: errors.append(str(error)))
    yield made
    boxes = made.locator('[data-testid="stException"]').count()
    context.close()
    assert not errors
    assert not boxes, "no traceback on the page"


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all browser tests; whichever test comes first begins with it empty."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="package")
def server(cache: Path) -> Iterator[str]:
    with serving(cache) as url:
        yield url


@pytest.fixture(scope="package")
def finished(server: str, cache: Path, browser: Browser) -> Run:
    """The demo's run, which a click on Home had computed from an empty cache, when it is complete."""
    assert not list(cache.iterdir()), "nothing is prepared"
    page = browser.new_page()
    page.goto(server)
    page.locator(".st-key-demo button").click()
    until(lambda: numbers(page)[:2] == [36, 36], 600)
    until(lambda: (run := demo.run(Store(cache))) is not None and run.complete, 120)  # the indices too
    page.close()
    run = demo.run(Store(cache))
    assert run is not None
    return run
