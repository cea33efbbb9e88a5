"""Takes the pictures of README and docs/ from the running app, on the gallery alone: nothing is computed.

`make screenshots` runs it. It needs Chromium (CHROMIUM names its program; default: /usr/bin/chromium). A picture is a
page as a visitor sees it, its colours brought down to 256 so that it stays small. A new one is an entry in SHOTS.
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

PLACE = Path(__file__).resolve().parents[1] / ".github"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MOST_BYTES = 250_000
FIGURE = ".js-plotly-plot .main-svg"
CIFAR = "36d2f2d928f9f915"  # two Tiny-10 on CIFAR-10, the first run of the gallery


@dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        file: its name in .github/.
        address: of the page, behind the server's.
        shows: what has to be there before it is taken, as a selector.
        click: what is clicked before, by its text.
        top: a text that is scrolled to the top of the picture; empty: the page's own top.
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
    Shot("compare.png", f"/Compare?run={CIFAR}&front_layer=relu8&end_layer=relu1", height=960),
    Shot("activations.png", f"/Activations?run={CIFAR}&front_layer=relu8&end_layer=relu8", height=1000),
    Shot("checks.png", "/Checks", "[data-testid=stBidiComponentIsolated] td button", height=1000),
    Shot("learn.png", "/Learn?step=4", height=1000),
    Shot("runs.png", "/Runs", "[data-testid=stDataFrame]", height=440),
)


def take(page: Page, base: str, shot: Shot) -> bytes:
    """Open a page, wait until nothing of it changes any more, and give the picture as PNG."""
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(base + shot.address)
    page.locator(shot.shows).first.wait_for(timeout=60_000)
    if shot.click:
        settle(page)
        page.get_by_text(shot.click, exact=True).first.click()
    if shot.top:
        page.get_by_text(shot.top).first.evaluate("element => element.scrollIntoView()")
    seen = [b""]

    def still() -> bool:
        settle(page)
        time.sleep(1)
        seen.append(page.screenshot())
        return seen[-1] == seen[-2]

    until(still, 60)
    return seen[-1]


def small(png: bytes) -> bytes:
    """Bring a picture down to 256 colours. Raises ValueError where it is still large."""
    made = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    if made.tell() > MOST_BYTES:
        raise ValueError(f"a picture of {made.tell():,} bytes is too large for a clone: make its window smaller")
    return made.getvalue()


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all of them."""
    with tempfile.TemporaryDirectory() as empty, serving(Path(empty)) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot in (shot for shot in SHOTS if not names or shot.file in names):
            (PLACE / shot.file).write_bytes(small(take(browser.new_page(), base, shot)))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
