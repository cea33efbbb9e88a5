"""In a real browser: computing, cancelling, going on, and two people who ask the same."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page
from screens import FirstVisit, Server, button, figures, files, keyed, numbers, settled, until

from stitchlab.run import Run
from stitchlab.store import Store

Visit = Callable[..., Page]


def asked(page: Page, server: Server) -> Run:
    """The run in the page's URL."""
    return Run.load(Store(server.cache), page.url.split("run=")[1].split("&")[0])


def test_cancel_keeps_what_is_done_and_compute_goes_on(first: FirstVisit, server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Compare")
    settled(page)
    page.locator('[data-testid="stExpander"] summary').first.click()
    seed = keyed(page, "seed").locator("input")
    seed.fill("1")
    seed.press("Enter")
    page.wait_for_url(lambda url: first.run.id not in url and "run=" in url)
    run = asked(page, server)
    assert run.request.seed == 1
    until(lambda: numbers(page) == 0)

    button(page, "compute").click()
    page.locator('[data-testid="stProgress"]').wait_for()
    until(lambda: numbers(page) > 0, 60)  # cells arrive while it works
    button(page, "cancel").click()
    button(page, "compute").wait_for(timeout=10_000)
    until(lambda: page.locator('[data-testid="stProgress"]').count() == 0, 10)
    kept = files(server.cache, "cells")
    there = len(asked(page, server).cells)
    assert 0 < there < run.total
    page.wait_for_timeout(2000)
    assert len(asked(page, server).cells) == there  # it has stopped
    shown = sum(1 for method, *_ in asked(page, server).cells if method in ("tlm", "dm"))
    until(lambda: numbers(page) == shown, 10)

    button(page, "compute").click()
    until(lambda: len(asked(page, server).cells) > there, 60)
    until(lambda: numbers(page) > shown, 60)
    button(page, "cancel").click()
    button(page, "compute").wait_for(timeout=10_000)
    assert kept.items() <= files(server.cache, "cells").items()  # nothing was computed again


def test_two_who_ask_the_same_compute_it_once(first: FirstVisit, server: Server, visit: Visit) -> None:
    link = (f"{server.address}/Compare?seed=2&recipe=quick&epochs=6&lr=0.03"
            "&front_layers=layer1.0&front_layers=layer3.1&end_layers=layer1.0&end_layers=layer2.0&end_layers=layer3.1")
    pages = [visit(link), visit(link)]
    for page in pages:
        settled(page)
    run, same = (asked(page, server) for page in pages)
    assert run.id == same.id
    assert not run.cells
    for page in pages:
        button(page, "compute").click()
    for page in pages:
        until(lambda page=page: numbers(page) == 12, 60)
    run = asked(pages[0], server)
    until(lambda: asked(pages[0], server).complete, 30)
    assert len({path.name.split(".")[0] for path in (server.cache / "progress").glob(f"{run.id}*.json")}) == 1
    for page in pages:
        assert [figure["z"] for figure in figures(page)] == [
            asked(page, server).matrix(method, "accuracy").tolist() for method in ("tlm", "dm")]


def test_closing_the_tab_loses_nothing(first: FirstVisit, server: Server, visit: Visit) -> None:
    link = (f"{server.address}/Compare?seed=3&recipe=quick&epochs=6&lr=0.03"
            "&front_layers=layer1.0&front_layers=layer3.1&end_layers=layer1.0&end_layers=layer3.1")
    page = visit(link)
    settled(page)
    run = asked(page, server)
    button(page, "compute").click()
    page.locator('[data-testid="stProgress"]').wait_for()
    page.context.close()
    until(lambda: Run.load(Store(server.cache), run.id).complete, 60)
    again = visit(f"{server.address}/Compare?run={run.id}")
    settled(again)
    assert numbers(again) == 8
