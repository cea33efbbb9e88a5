"""Takes the screenshots of README and docs/ from the running app, which shows the gallery and computes nothing.

`make screenshots` runs it. It needs Chromium; the environment variable CHROMIUM names the program (default:
/usr/bin/chromium). Screenshots are reduced to 256 colours, so that their files stay small. To add one, add an entry to
SHOTS.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from e2e.driving import serving, settle, until
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / ".github"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MAX_FILE_BYTES = 250_000
FIGURE = ".js-plotly-plot .main-svg"
CIFAR_RUN = "36d2f2d928f9f915"  # two Tiny-10 on CIFAR-10, the first run of the gallery


@dataclass(frozen=True)
class Shot:
    """Describe a screenshot.

    Attributes:
        file: name of the file in .github/.
        address: of the page, relative to the server's.
        shows: selector of an element that must be on the page before the screenshot is taken.
        click: text of an element to click before; empty: none.
        top: text to scroll to the top of the window; empty: the top of the page.
        width, height: of the window, in pixels.
    """

    file: str
    address: str
    shows: str = FIGURE
    click: str = ""
    top: str = ""
    width: int = 1280
    height: int = 900


SHOTS = (
    Shot("home.png", "/", width=1400, height=1130),
    Shot("compare.png", f"/Compare?run={CIFAR_RUN}&front_layer=relu8&end_layer=relu1", height=960),
    Shot("activations.png", f"/Activations?run={CIFAR_RUN}&front_layer=relu8&end_layer=relu8", height=1000),
    Shot("checks.png", "/Checks", "[data-testid=stBidiComponentIsolated] td button", height=1000),
    Shot("learn.png", "/Learn?step=4", height=1000),
    Shot("runs.png", "/Runs", "[data-testid=stDataFrame]", height=440),
)


def take(page: Page, base: str, shot: Shot) -> bytes:
    """Open a page, wait until it no longer changes, and return a screenshot as PNG.

    Args:
        page: a tab of the browser.
        base: address of the server.
        shot: what to show.
    """
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(base + shot.address)
    page.locator(shot.shows).first.wait_for(timeout=60_000)
    if shot.click:
        settle(page)
        page.get_by_text(shot.click, exact=True).first.click()
    if shot.top:
        page.get_by_text(shot.top).first.evaluate("element => element.scrollIntoView()")
    screenshots = [b""]

    def unchanged() -> bool:
        settle(page)
        time.sleep(1)
        screenshots.append(page.screenshot())
        return screenshots[-1] == screenshots[-2]

    until(unchanged, 60)
    return screenshots[-1]


def with_256_colours(png: bytes) -> bytes:
    """Reduce a screenshot to 256 colours. Raises ValueError where its file is still too large."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    if file.tell() > MAX_FILE_BYTES:
        raise ValueError(
            f"expected a screenshot of at most {MAX_FILE_BYTES:,} bytes, got {file.tell():,}; make its window smaller"
        )
    return file.getvalue()


def main(names: list[str]) -> None:
    """Take the screenshots with these file names, or all of them."""
    with tempfile.TemporaryDirectory() as empty, serving(Path(empty)) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot in (shot for shot in SHOTS if not names or shot.file in names):
            (FOLDER / shot.file).write_bytes(with_256_colours(take(browser.new_page(), base, shot)))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
