"""The report in a browser: from a file, without a network, by pointer and by keyboard, in the dark and on paper."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from handy import sure
from made_runs import BLOCKS, NO_DISTANCE, made_up
from playwright.sync_api import Browser, Page, Request, expect

from stitchlab.catalog.methods import METRICS
from stitchlab.export.report import report
from stitchlab.export.tables import cells_csv
from stitchlab.results.run import Run
from stitchlab.store import Store

CELLS = ".heatmap [role=gridcell]"
NAME = "</script><img src=x onerror=alert(1)>"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def runs(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two runs of 3×3 cells that share two rows and columns, and one of an unfinished row without TLM."""
    root = tmp_path_factory.mktemp("report") / "cache"
    shutil.copytree(digits_store.root, root)
    store = Store(root)
    first = made_up(store, BLOCKS[:3], undefined=True)
    other = made_up(store, BLOCKS[1:4], numbers=1, judged=False)
    third = made_up(store, BLOCKS[:3], front_layers=BLOCKS[:1], methods=["dm"], indices=[], lacking=1)
    third.record["front"] |= {"name": NAME}
    return [first, other, third]


@pytest.fixture(scope="module")
def files(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("files")
    made = {"one": report(runs[:1]), "all": report(runs, "Three runs")}
    for name, data in made.items():
        (root / f"{name}.html").write_bytes(data)
    return {name: root / f"{name}.html" for name in made}


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Open]:
    """Opens a report in a window without a network; whatever it fetches, or says on the console, fails the test."""
    wrong: list[str] = []
    contexts = []

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            wrong.append(request.url)

    def page(name: str = "one", address: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}} | options)
        context.set_offline(True)
        contexts.append(context)
        made = context.new_page()
        made.set_default_timeout(15_000)
        made.on("request", asked)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        made.goto(files[name].as_uri() + address)
        made.locator(CELLS).first.wait_for()
        return made

    yield page
    for context in contexts:
        context.close()
    assert not wrong


def asked(page: Page) -> dict[str, str]:
    """What the address says."""
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).fragment).items()}


def shown(page: Page, heatmap: int = 0) -> list[float | None]:
    """The numbers of a heatmap, row by row."""
    cells = page.locator(".heatmap").nth(heatmap).locator("[role=gridcell]")
    found = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value ?? null)")
    return [None if value is None else float(value) for value in found]


def wanted(run: Run, method: str, metric: str) -> list[float | None]:
    return [run.value(method, metric, i, j) for i in run.request.front_layers for j in run.request.end_layers]


def cell(page: Page, row: int, column: int, heatmap: int = 0) -> Any:
    return page.locator(".heatmap").nth(heatmap).locator(f'[data-row="{row}"][data-column="{column}"]')


def test_switches_show_every_number(opened: Open, runs: list[Run]) -> None:
    page, run = opened(), runs[0]
    expect(page.locator("h1")).to_have_text(run.title)
    for metric in ("accuracy", "relative_accuracy", "penalty", "distance"):
        page.select_option("#show", metric)
        assert [shown(page, k) for k in (0, 1)] == [wanted(run, method, metric) for method in ("tlm", "dm")]
    assert shown(page)[-1] is None
    page.get_by_role("button", name="Difference").click()
    tlm, dm = (run.matrix(method, "distance") for method in ("tlm", "dm"))
    assert shown(page) == [None if value != value else value for value in (tlm - dm).ravel()]
    page.select_option("#show", "indices")
    names = {"cka": "similarity", "cka-debiased": "similarity", "pwcca": "distance", "opd": "distance"}
    assert [shown(page, k) for k in range(4)] == [wanted(run, name, metric) for name, metric in names.items()]
    page.select_option("#show", "frechet/ratio")
    expect(page.locator(".map h3").first).to_have_text("Task loss matching: Fréchet ratio")
    page.get_by_role("button", name="Table").click()
    assert page.locator("#figures tbody tr").count() == 9
    page.get_by_role("button", name="All cells").click()
    assert page.locator("#figures .point:not(.key .point)").count() == 18
    page.go_back()
    expect(page.locator("#figures table")).to_be_visible()
    page.go_back()
    assert asked(page)["as"] == "maps"
    expect(page.locator(CELLS).first).to_be_visible()


def test_the_file_of_cells_is_cells_csv(opened: Open, runs: list[Run], tmp_path: Path) -> None:
    page = opened()
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "cells.csv")
    text = (tmp_path / "cells.csv").read_text()
    assert text == cells_csv(runs[0])
    assert len(list(csv.reader(io.StringIO(text)))) == 1 + 9 * (2 * len(METRICS) + 4)


def test_pointer_and_keyboard_choose_a_cell(opened: Open, runs: list[Run]) -> None:
    page, run = opened(), runs[0]
    cell(page, 1, 2).hover()
    value = run.value("tlm", "accuracy", BLOCKS[1], BLOCKS[2])
    expect(page.locator("#tip")).to_contain_text(f"{BLOCKS[1]} → {BLOCKS[2]}Task loss matching: accuracy: {value:.4f}")
    assert page.locator(".heatmap .same").count() == 2, "the same cell is marked in both"
    cell(page, 0, 0).click()
    expect(page.locator("#cell-title")).to_have_text(f"{BLOCKS[0]} → {BLOCKS[0]}")
    assert asked(page)["cell"] == f"{BLOCKS[0]}:{BLOCKS[0]}"
    numbers = page.locator("#cell td[data-value]").evaluate_all("cells => cells.map(cell => +cell.dataset.value)")
    stitched = [(method, metric) for metric in METRICS for method in ("tlm", "dm")]
    assert numbers == [run.value(*one, BLOCKS[0], BLOCKS[0]) for one in (*stitched, *run.quantities()[len(stitched) :])]
    expect(page.locator("#evidence")).to_contain_text("epoch by epoch")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert asked(page)["cell"] == f"{BLOCKS[0]}:{BLOCKS[0]}", "walking chooses nothing"
    page.keyboard.press("Enter")
    expect(page.locator("#cell-title")).to_have_text(f"{BLOCKS[1]} → {BLOCKS[2]}")
    page.keyboard.press("PageDown")
    page.keyboard.press(" ")
    expect(page.locator("#cell-title")).to_have_text(f"{BLOCKS[2]} → {BLOCKS[2]}")
    expect(page.locator("#cell .reasons")).to_contain_text(NO_DISTANCE)
    page.go_back()
    expect(page.locator("#cell-title")).to_have_text(f"{BLOCKS[1]} → {BLOCKS[2]}")
    page.select_option("#detector", "pca-residual")
    assert asked(page)["detector"] == "pca-residual"
    expect(page.locator("#evidence")).to_contain_text("PCA residual: known outliers give only AUROC 0.")


def test_a_link_restores_what_was_looked_at(opened: Open, runs: list[Run]) -> None:
    page = opened("all")
    page.locator(".card").nth(1).click()
    page.select_option("#show", "penalty")
    cell(page, 2, 1).click()
    page.locator("#theme").click()
    again = opened("all", "#" + urlparse(page.url).fragment)
    for where in (page, again):
        expect(where.locator(".card").nth(1)).to_have_attribute("aria-current", "true")
        expect(where.locator("#cell-title")).to_have_text(f"{BLOCKS[3]} → {BLOCKS[2]}")
        assert where.evaluate("document.documentElement.dataset.theme") == "dark"
        assert shown(where) == wanted(runs[1], "tlm", "penalty")
    nonsense = opened("all", "#run=nobody&show=no&as=such&cell=cell&against=this&detector=x&theme=pink")
    assert shown(nonsense) == wanted(runs[0], "tlm", "accuracy")


def test_two_runs_are_compared_on_common_layers(opened: Open, runs: list[Run]) -> None:
    page = opened("all")
    page.select_option("#against", runs[1].id)
    assert shown(page) == [
        sure(runs[1].value("tlm", "accuracy", i, j)) - sure(runs[0].value("tlm", "accuracy", i, j))
        for i in BLOCKS[1:3]
        for j in BLOCKS[1:3]
    ]
    expect(page.locator("#legend")).to_contain_text("Rank correlation of cells: Task loss matching: accuracy")
    cell(page, 1, 0).click()
    expect(page.locator("#cell-title")).to_have_text(f"{BLOCKS[2]} → {BLOCKS[1]}")
    page.locator(".card").nth(2).click()
    expect(page.locator("#about")).to_contain_text(NAME)
    assert page.locator("img").count() == 0
    assert shown(page) == wanted(runs[2], "dm", "accuracy")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_all(opened: Open, scheme: str) -> None:
    for width in (1440, 390) if scheme == "light" else (390,):  # colours go by no width
        page = opened("all", color_scheme=scheme, viewport={"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        found = [
            f"{v['id']}: {node['html'][:120]}" for v in Axe().run(page).response["violations"] for node in v["nodes"]
        ]
        assert not found, "\n".join(found)
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 22, 27)"}[scheme]
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != ground


def test_it_prints_in_light_without_controls(opened: Open, runs: list[Run]) -> None:
    page = opened("one", "#show=frechet/ratio", color_scheme="dark")
    page.emulate_media(media="print")
    for hidden in ("#theme", "#print", "#switches", "#csv"):
        expect(page.locator(hidden)).to_be_hidden()
    for there in (".heatmap", "#cell", "#evidence", "#end .lines"):
        expect(page.locator(there).first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator("#end")).to_contain_text("2412.11299")
    expect(page.get_by_text("least squares to the end network's own")).to_be_visible()
    page.emulate_media(media="screen")
    expect(page.locator("#switches")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 22, 27)"
