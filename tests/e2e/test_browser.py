"""The app as a person uses it: from an empty cache to two heatmaps, clicks, links, Cancel, narrow screens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pytest
import torch
from playwright.sync_api import Browser, Page, TimeoutError, expect

from e2e.driving import CANCEL, TEXTS, Scheme, click, enter, numbers, press, query, serving, settle, until
from stitchlab.models.store import load
from stitchlab.results.detection import DetectionResults
from stitchlab.results.networks import find, list_networks
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store


def test_from_nothing_to_the_finding(finished: Run) -> None:
    first, last = finished.request.front_layers[0], finished.request.front_layers[-1]
    into = finished.request.end_layers[0]
    tlm, dm = (finished.value(method, "accuracy", last, into) for method in ("tlm", "dm"))
    assert len(finished.request.front_layers) == len(finished.request.end_layers) == 6
    assert tlm is not None
    assert dm is not None
    assert tlm > dm + 0.2
    here = finished.value("tlm", "accuracy", first, into)
    assert here is not None
    assert tlm > here, "TLM rates last into first above first into first"


def test_home_says_what_the_numbers_say(finished: Run, server: str, page: Page) -> None:
    page.goto(server)
    tlm = finished.value("tlm", "accuracy", finished.request.front_layers[-1], finished.request.end_layers[0])
    expect(page.get_by_text(f"task loss matching rates it {tlm:.2f}").first).to_be_visible()


def test_a_click_selects_a_cell(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/Compare")
    page.get_by_role("link", name=finished.id[:8]).click()  # a run is the first thing, not an empty grid
    until(lambda: numbers(page) == [36, 36], 60)
    settle(page)
    i, j = click(page, finished, 1, row=1, column=2)
    assert query(page)["run"] == [finished.id]
    tlm, dm = (finished.value(method, "accuracy", i, j) for method in ("tlm", "dm"))
    expect(page.get_by_text(f"TLM {tlm:.4f} · DM {dm:.4f}").first).to_be_visible()


def test_a_deep_link_on_a_fresh_server(finished: Run, cache: Path, page: Page) -> None:
    before = sorted(path.name for path in (cache / "jobs").iterdir())
    with serving(cache) as fresh:
        page.goto(f"{fresh}/Compare?run={finished.id}&show=Distance+to+native&front_layer=layer2.0&end_layer=layer2.1")
        until(lambda: numbers(page) == [36, 36], 60)
        value = finished.value("dm", "distance", "layer2.0", "layer2.1")
        expect(page.get_by_text(f"DM {value:.4f}").first).to_be_visible()
        shown = page.evaluate(TEXTS)[1]
        expected = finished.matrix("dm", "distance").ravel()
        assert shown == [f"{value:.2f}" for value in expected]
        assert query(page)["run"] == [finished.id]
    assert sorted(path.name for path in (cache / "jobs").iterdir()) == before, "nothing was queued"


def test_cancel_keeps_what_is_done_and_compute_goes_on(
    finished: Run, server: str, cache: Path, browser: Browser, page: Page
) -> None:
    store = Store(cache)
    page.goto(f"{server}/Compare?seed=5&recipe=quick&epochs=6&lr=0.03&front_layers=layer1.0&front_layers=layer3.1")
    settle(page)
    page.locator(".st-key-compute button").click()
    page.locator(CANCEL).wait_for()
    run_id = query(page)["run"][0]
    assert run_id != finished.id
    until(lambda: Run.load(run_id, store).cells, 120)
    other = browser.new_page()  # a second session that asks the same sees the same job
    other.goto(f"{server}/Compare?run={run_id}")
    other.locator(CANCEL).wait_for()
    attempt = store.get("jobs", run_id)
    page.locator(CANCEL).click()
    page.locator(".st-key-compute button").wait_for(timeout=15_000)
    other.close()
    stopped = Run.load(run_id, store)
    assert stopped.cells
    assert not stopped.complete
    assert store.get("jobs", run_id) == attempt, "one job for two sessions"
    page.locator(".st-key-compute button").click()
    until(lambda: Run.load(run_id, store).complete, 240)
    assert {key: value["computed"] for key, value in stopped.cells.items()}.items() <= {
        key: value["computed"] for key, value in Run.load(run_id, store).cells.items()
    }.items(), "nothing that was done is done again"
    assert len(list_runs(store)) >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1440])
def test_nothing_overflows(finished: Run, server: str, browser: Browser, width: int, scheme: Scheme) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{server}/Compare?run={finished.id}")
    until(lambda: numbers(page) == [36, 36], 60)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate("""() => [...document.querySelectorAll('.js-plotly-plot')].filter(plot =>
        plot.querySelector('.gtitle').getBoundingClientRect().top < plot.getBoundingClientRect().top).length""")
    assert not cut, "titles are whole"
    boxes = [page.locator(".js-plotly-plot").nth(k).bounding_box() for k in range(2)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    below = boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    assert below == (width == 420), "stacked on narrow screens, side by side on wide ones"
    page.close()


def test_from_a_cell_of_compare_to_its_activations(finished: Run, server: str, cache: Path, page: Page) -> None:
    page.goto(f"{server}/Compare?run={finished.id}&front_layer=layer3.0&end_layer=layer1.1")
    until(lambda: numbers(page) == [36, 36], 60)
    settle(page)
    page.get_by_role("link", name="Its activations").click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Activations", 30)
    wanted = {"run": [finished.id], "front_layer": ["layer3.0"], "end_layer": ["layer1.1"]}
    until(lambda: wanted.items() <= query(page).items(), 30)  # pickers write theirs as soon as they are drawn
    accuracy = finished.value("tlm", "accuracy", "layer3.0", "layer1.1")
    # Unasked, the quick detectors come first, then the learned one, which decides once it is chosen and there.
    expect(page.get_by_text(f"Task loss matching: {accuracy:.2f} accurate").first).to_be_visible(timeout=60_000)
    page.get_by_text("Learned energy", exact=True).first.click()
    expect(page.get_by_text("Decided by: Learned energy").first).to_be_visible(timeout=180_000)
    page.locator(CANCEL).wait_for(state="detached")
    found = DetectionResults(Run.load(finished.id, Store(cache)))
    auroc = found.interval("energy", "tlm", "auroc", "layer3.0", "layer1.1")
    expect(page.get_by_text(f"AUROC {auroc.value:.2f} by Learned energy").first).to_be_visible()
    page.get_by_role("link", name="Its grid").click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Compare", 30)
    expect(page.get_by_text(f"{accuracy:.4f}").first).to_be_visible()


def test_a_link_to_a_cell_and_a_click_in_its_grid(finished: Run, server: str, page: Page) -> None:
    page.goto(
        f"{server}/Activations?run={finished.id}&front_layer=layer3.0&end_layer=layer1.1"
        "&detector=Nearest+neighbours&look=Whole+grid"
    )
    until(lambda: len(numbers(page)) == 2, 60)
    settle(page)
    page.get_by_text("Judge all cells").click()
    until(lambda: numbers(page) == [36, 36], 180)
    settle(page)
    i, j = click(page, finished, 0, row=4, column=3)
    accuracy = finished.value("tlm", "accuracy", i, j)
    expect(page.get_by_text(f"Task loss matching: {accuracy:.2f} accurate").first).to_be_visible()


def test_a_point_shows_its_image(finished: Run, server: str, page: Page) -> None:
    page.goto(f"{server}/Activations?run={finished.id}&front_layer=layer3.0&end_layer=layer1.1&look=Map+of+images")
    expect(page.get_by_text("test image 0:").first).to_be_visible(timeout=60_000)
    page.locator(".js-plotly-plot .nsewdrag").first.wait_for(state="attached")  # the picture may come before the map
    settle(page)
    lonely = """() => {
        const plot = document.querySelector('.js-plotly-plot'), box = plot.querySelector('.nsewdrag')
        const at = plot.getBoundingClientRect(), {xaxis, yaxis} = plot._fullLayout
        const places = plot.calcdata.slice(0, 4).map(set => set.map(p => [xaxis.d2p(p.x), yaxis.d2p(p.y)]))
        // The loneliest native point, so that the click is nobody else's.
        const points = places[0], others = places.flat()
        const alone = points.map(p => others.map(o => Math.hypot(o[0] - p[0], o[1] - p[1])).filter(d => d > 0)
            .reduce((a, b) => Math.min(a, b)))
        const k = alone.indexOf(Math.max(...alone.slice(1)))
        box.scrollIntoView({block: 'center'})
        const now = plot.getBoundingClientRect()
        return [k, now.x + xaxis._offset + points[k][0], now.y + yaxis._offset + points[k][1]]
    }"""

    def shown() -> bool:
        """Clicked where the point is now: the page may still be moving. A second click would let go of the point."""
        k, x, y = page.evaluate(lonely)
        page.mouse.click(x, y)
        try:
            page.get_by_text(f"test image {k}:").first.wait_for(timeout=20_000)
        except TimeoutError:
            return False
        return True

    until(shown, 90)


def test_the_epochs_play(finished: Run, server: str, page: Page) -> None:
    page.goto(
        f"{server}/Activations?run={finished.id}&front_layer=layer3.0&end_layer=layer1.1&look=TLM%27s+epochs"
        "&detector=Fr%C3%A9chet+ratio"
    )
    page.get_by_text("after epoch 0").wait_for(timeout=120_000)
    settle(page)
    page.locator(".updatemenu-button").first.click()
    page.get_by_text("after epoch 30").wait_for(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1440])
def test_no_view_of_activations_overflows(
    finished: Run, server: str, browser: Browser, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{server}/Activations?run={finished.id}&front_layer=layer3.0&end_layer=layer1.1")
    for look in ("Channels", "Map of images", "Feature maps", "Predictions", "TLM's epochs", "Whole grid", "All cells"):
        page.get_by_text(look, exact=True).first.click()
        page.wait_for_timeout(300)
        settle(page)
        page.locator(".js-plotly-plot").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.locator('[data-testid="stException"]').count()
    page.close()


def running(page: Page, store: Store, name: str, holds: Callable[[], object], seconds: float = 60) -> None:
    """Waits until it holds, or says what the page says instead."""
    end = time.monotonic() + seconds
    while not holds():
        failed = page.get_by_text(f"{name} could not be made").all_inner_texts()
        assert not failed, failed
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.3)


def known(store: Store) -> list[str]:
    return [network.name for network in list_networks(store)]


def test_train_two_epochs_on_digits(finished: Run, server: str, cache: Path, page: Page) -> None:
    store = Store(cache)
    page.goto(f"{server}/Networks?part=Train")
    page.get_by_text("6 blocks").wait_for()
    page.get_by_label("Name", exact=True).fill("two-epochs")
    page.get_by_label("Epochs", exact=True).fill("2")
    page.get_by_label("Epochs", exact=True).press("Enter")
    page.get_by_text("two-epochs: 2 epochs over 1,257 images").wait_for()
    page.locator(".st-key-train button").click()
    running(page, store, "two-epochs", lambda: "two-epochs" in known(store), 120)
    made = find(store, "two-epochs")
    assert made.accuracy is not None
    assert len(made.origin["curve"]) == 2
    page.locator(".st-key-cancel-making-two-epochs").wait_for(state="detached")
    page.goto(f"{server}/Networks?network=two-epochs&about=How+it+came+to+be")
    expect(page.get_by_text(f"{100 * made.accuracy:.1f} %").first).to_be_visible()
    page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_role("link", name="Compare it").click()
    until(lambda: urlparse(page.evaluate("location.href")).path == "/Compare", 30)
    expect(page.get_by_text("resnet14 · accuracy").first).to_be_visible()


def test_cancel_training(finished: Run, server: str, cache: Path, page: Page) -> None:
    page.goto(f"{server}/Networks?part=Train")
    page.get_by_text("6 blocks").wait_for()
    page.get_by_label("Name", exact=True).fill("never")
    page.get_by_label("Epochs", exact=True).fill("2000")
    page.get_by_label("Epochs", exact=True).press("Enter")
    page.get_by_text("never: 2000 epochs").wait_for()
    page.locator(".st-key-train button").click()
    page.get_by_text(re.compile(r"poch \d+ of 2000")).wait_for()
    page.locator(".js-plotly-plot").first.wait_for()  # the curve so far
    page.locator(".st-key-cancel-making-never button").click()
    page.get_by_text("never was cancelled; nothing was kept").wait_for(timeout=15_000)
    press(page.locator(".st-key-dismiss-never button"))
    page.locator(".st-key-dismiss-never").wait_for(state="detached")
    assert "never" not in known(Store(cache))


def test_upload_and_delete(finished: Run, server: str, cache: Path, page: Page, tmp_path: Path) -> None:
    store = Store(cache)
    module = load("digits-a", store, device="cpu").module
    assert module is not None
    torch.save({"state_dict": module.state_dict()}, tmp_path / "theirs.th")
    (tmp_path / "nonsense.pt").write_bytes(b"no weights")
    page.goto(f"{server}/Networks?part=Import")
    files = (("nonsense.pt", "broken", "could not be read as a state dict"), ("theirs.th", "theirs", ""))
    for file, name, problem in files:
        page.locator('input[type="file"]').set_input_files(tmp_path / file)
        page.get_by_placeholder(Path(file).stem, exact=True).wait_for()  # the page has the file, and drew its form
        enter(page.get_by_role("textbox", name="Name", exact=True), name)
        enter(page.get_by_role("textbox", name="Mean of its input"), "0.31")  # else it would be digits-a itself
        page.locator(".st-key-import button").click()
        if problem:
            page.get_by_text(f"could not be made: {file} {problem}").wait_for()
            press(page.locator(f".st-key-dismiss-{name} button"))
            page.locator(f".st-key-dismiss-{name}").wait_for(state="detached")
    running(page, store, "theirs", lambda: "theirs" in known(store))
    assert "broken" not in known(store)
    until(lambda: not list((cache / "uploads").glob("*")), 20)  # it goes once the network's layers are found too
    page.goto(f"{server}/Networks?network=theirs")
    page.get_by_text("18 layers").wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Delete theirs?").wait_for()
    assert "theirs" in known(store), "it asks first"
    page.locator(".st-key-delete button").click()
    until(lambda: "theirs" not in known(store), 20)
    page.get_by_text("18 layers").wait_for()  # of another network


@pytest.mark.parametrize(("width", "scheme"), [(420, "dark"), (420, "light"), (1440, "light")])
def test_no_part_of_networks_overflows(
    finished: Run, server: str, browser: Browser, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{server}/Networks")
    page.get_by_text("18 layers").wait_for()
    for look in ("Classes", "How it came to be", "Train", "Import", "Data sets"):
        page.get_by_text(look, exact=True).first.click()
        page.wait_for_timeout(300)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.locator('[data-testid="stException"]').count()
    page.close()
