"""Activations: a cell's verdict on the screen, its views, and links to it."""

from __future__ import annotations

import json
import re

import pytest
from looks import Notes, Open, charts, drawn, fill, has, sound, tables, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.catalog.detectors import DETECTORS, QUICK, Detector
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.words import IMAGES_AND_SETS, conclusions
from stitchlab.jobs import Status, detection_job, trajectory_job
from stitchlab.request import METHODS, Detection
from stitchlab.results.channel_statistics import negatives
from stitchlab.results.cleaning import delete_run
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults, MethodCell
from stitchlab.results.keys import map_key
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.results.similarity import accuracy_of
from stitchlab.store import Store
from stitchlab.ui import links, material
from stitchlab.ui.views import VIEWS

PAGE = "pages/2_Activations.py"
CELL = {"front_layer": "layer3.1", "end_layer": "relu"}


def cells(run: Run, i: str = "layer3.1", j: str = "relu") -> list[MethodCell]:
    return [("tlm", i, j), ("dm", i, j)]


def concluded(at: AppTest) -> str:
    """What is said of both methods, in boxes."""
    return "\n".join(box for box in text(at, "success", "warning", "info").splitlines() if "accurate" in box)


def test_what_is_kept_is_there_at_once(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, **CELL))
    assert not jobs.judged
    found = DetectionResults(judged)
    for method in ("tlm", "dm"):
        conclusion = conclusions(found, "frechet", *CELL.values())[method].sentence
        assert f"**{METHOD_LABELS[method]}:** {conclusion}" in concluded(at)
        ratio = found.interval("frechet", method, "ratio", *CELL.values()).value
        assert f"{judged.value(method, 'accuracy', *CELL.values()):.2f} accurate" in conclusion
        assert f"Fréchet ratio {ratio:.2f}" in conclusion
    for name in QUICK:
        number = found.interval(name, "tlm", DETECTORS[name].metrics[0], *CELL.values())
        assert f"**{number.value:.2f}**" in tables(at)


def test_plain_evidence_comes_before_detectors(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, **CELL))
    evidence, detectors = (table.value for table in at.table)
    assert list(evidence.iloc[:, 0]) == ["Native", "Task loss matching", "Direct matching"]
    by_set = material.statistics(DetectionResults(judged), *CELL.values())
    for line, method in ((1, "tlm"), (2, "dm")):
        assert evidence["Distance to native"].iloc[line] == f"{judged.value(method, 'distance', *CELL.values()):.2f}"
        assert evidence["Negative where native has none"].iloc[line] == (
            f"{negatives(by_set['native'], by_set[method]):.1%}"
        )
    assert list(detectors.columns)[1] == "Believe it?"
    assert set(detectors["Believe it?"]) <= {":green[yes]", "no", ":gray[no]", "–"}, "short: reasons are in a tooltip"
    (figure,) = charts(at)
    assert {trace["type"] for trace in figure["data"]} == {"heatmap"}, "feature maps are the first view"
    assert "negative" in at.caption[0].help.lower()
    assert IMAGES_AND_SETS in at.caption[0].help


def test_headings_are_in_order(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, **CELL))
    levels = [int(heading.tag[1:]) for heading in (*at.title, *at.header, *at.subheader)]
    assert levels == [1, 2]
    assert "#" not in text(at, "markdown")


def test_a_detector_that_is_not_believed_is_grey_and_does_not_decide(opened: Open, jobs: Notes, judged: Run) -> None:
    found = DetectionResults(judged)
    doubtful = [name for name in DETECTORS if found.reliability(name, "relu").holds is False]
    assert doubtful, "this small grid has one"
    label, why = DETECTORS[doubtful[0]].label, found.reliability(doubtful[0], "relu").why
    at = sound(opened(judged.store, PAGE, run=judged.id, detector=label, **CELL))
    assert f"**{label} does not deserve belief at relu**: {why}" in text(at, "warning")
    assert "Fréchet ratio decides instead" in text(at, "warning")
    assert label not in concluded(at)
    assert "Fréchet ratio" in concluded(at)
    rows = [row for table in at.table for row in table.value.to_numpy().tolist() if str(row[0]).startswith(":gray[")]
    assert len(rows) == len(doubtful)
    assert all(str(entry).startswith(":gray[") for row in rows for entry in row if entry)
    (doubts,) = [caption for caption in at.caption if caption.value.startswith("Not believed at relu")]
    for name in doubtful:
        assert DETECTORS[name].label in doubts.value
        assert found.reliability(name, "relu").why in doubts.help


def test_a_chosen_detector_decides_where_it_is_believed(opened: Open, jobs: Notes, judged: Run) -> None:
    found = DetectionResults(judged)
    name = next(n for n in DETECTORS if not DETECTORS[n].compares and found.reliability(n, "relu").holds)
    at = sound(opened(judged.store, PAGE, run=judged.id, detector=DETECTORS[name].label, **CELL))
    auroc = found.interval(name, "tlm", "auroc", *CELL.values()).value
    accuracy = judged.value("tlm", "accuracy", *CELL.values())
    if accuracy_of(judged, "tlm", *CELL.values()) is not None:
        assert f"(AUROC {auroc:.2f} by {DETECTORS[name].label})" in concluded(at)
    assert f"{accuracy:.2f} accurate" in concluded(at)


def test_pictures_are_in_the_page_and_have_alternative_texts(opened: Open, jobs: Notes, judged: Run) -> None:
    """The server keeps no file of them, which a page that is drawn again while it loads would miss."""
    for look in ("Feature maps", "Map of images", "Predictions"):
        at = sound(opened(judged.store, PAGE, run=judged.id, look=look, **CELL))
        images = [image for element in at.get("image") for image in element.proto.imgs]
        assert images or look == "Predictions"
        for image in images:
            assert image.url.startswith("data:image/png;base64,")
            assert image.alt.startswith("test image ")


def test_what_is_lacking_is_queued_once_and_nothing_else(opened: Open, jobs: Notes, done: Run) -> None:
    at = sound(opened(done.store, PAGE, run=done.id, **CELL))
    assert jobs.judged == [(Detection(), [*QUICK, "energy"], cells(done))]
    assert at.get("progress")
    sound(at.run())
    assert len(jobs.judged) == 1
    sound(widget(at, "button", f"cancel-{detection_job(done, Detection(), cells(done))}").click().run())
    assert jobs.cancelled == [detection_job(done, Detection(), cells(done))]
    assert len(jobs.judged) == 1, "after a cancel it is the visitor's choice"
    (again,) = [b for b in at.button if b.label == "Try again"]
    sound(again.click().run())
    assert len(jobs.judged) == 2


def test_on_large_data_the_learned_detector_waits_for_a_click(opened: Open, jobs: Notes, judged: Run) -> None:
    record = judged.store.get("data", judged.request.data)
    assert record is not None
    judged.store.put("data", judged.request.data, {**record, "train": 50_000})
    found = DetectionResults(judged)
    for method, i, j in cells(judged):
        judged.store.delete("ood", found.key("energy", method, i, j))
    judged.store.delete("ood", found.key("energy", NATIVE, "", "relu"))
    at = sound(opened(judged.store, PAGE, run=judged.id, **CELL))
    assert not jobs.judged
    at = sound(opened(judged.store, PAGE, run=judged.id, detector="Learned energy", **CELL))
    assert "Learned energy has not judged this cell yet. Fréchet ratio decides instead" in text(at, "caption")
    (train,) = [b for b in at.button if b.label == "Train it"]
    sound(train.click().run())
    assert jobs.judged == [(Detection(), ["energy"], cells(judged))]


def test_a_failure_is_one_line(opened: Open, jobs: Notes, done: Run) -> None:
    jobs.states[detection_job(done, Detection(), cells(done))] = Status("failed", message="the disk is full")
    at = sound(opened(done.store, PAGE, run=done.id, **CELL))
    assert "the disk is full" in text(at, "error")
    assert not jobs.judged


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=lambda detector: detector.name)
@pytest.mark.parametrize("look", [label for label, _ in VIEWS.values()])
def test_every_view_with_every_detector(look: str, detector: Detector, opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, look=look, detector=detector.label, **CELL))
    assert charts(at)
    assert not at.error
    for figure in charts(at):
        assert sum(len(trace.get("x", [])) for trace in figure["data"] if isinstance(trace.get("x"), list)) < 10_000


def test_the_grid_shows_the_numbers(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Whole grid", detector="Nearest neighbours", **CELL))
    found = DetectionResults(judged)
    for figure, method in zip(charts(at), METHODS, strict=True):
        assert (drawn(figure) == found.matrix("knn", method, "auroc")).all()
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Whole grid", detector="Fréchet ratio", **CELL))
    for figure, method in zip(charts(at), METHODS, strict=True):
        assert abs(10 ** drawn(figure) - found.matrix("frechet", method, "ratio")).max() < 1e-9, "on one log scale"
    ranges = {str([t["zmin"], t["zmax"]]) for f in charts(at) for t in f["data"] if "zmin" in t}
    assert len(ranges) == 1


def test_the_whole_grid_is_looked_at_on_a_click(opened: Open, jobs: Notes, judged: Run) -> None:
    found = DetectionResults(judged)
    for method, i, j in found.cells:
        if i == "layer1.0":
            judged.store.delete("ood", found.key("knn", method, i, j))
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Whole grid", detector="Nearest neighbours", **CELL))
    assert "has not judged **6 of 12 cells** yet" in text(at, "markdown")
    (everything,) = [b for b in at.button if b.label == "Judge all cells"]
    sound(everything.click().run())
    assert jobs.judged == [(Detection(), list(QUICK), found.cells)]


def test_epochs_are_followed_when_looked_at(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, look="TLM's epochs", **CELL))
    assert not jobs.walked
    (figure,) = charts(at)
    assert len(figure["frames"]) == judged.request.tlm.epochs + 1
    other = {**CELL, "end_layer": "layer2.0"}
    at = sound(opened(judged.store, PAGE, run=judged.id, look="TLM's epochs", **other))
    assert jobs.walked == [("layer3.1", "layer2.0")]
    assert jobs.status(trajectory_job(judged, "layer3.1", "layer2.0")) is not None
    judged.store.delete("epochs", map_key(judged.request, "tlm", "layer3.1", "layer3.1"))
    at = sound(opened(judged.store, PAGE, run=judged.id, look="TLM's epochs", **{**CELL, "end_layer": "layer3.1"}))
    assert "not kept" in text(at, "info")


def test_other_outliers_change_what_is_believed_only(opened: Open, jobs: Notes, judged: Run) -> None:
    sound(opened(judged.store, PAGE, run=judged.id, outliers="Strong blur", **CELL))
    (asked,) = jobs.judged
    assert asked == (Detection(outliers="blur"), [*QUICK, "energy"], cells(judged))


@pytest.mark.parametrize("look", [label for label, _ in VIEWS.values()])
def test_views_wait_for_what_other_outliers_need(look: str, opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, outliers="Strong blur", look=look, **CELL))
    assert at.get("progress")
    if look not in ("Feature maps", "Whole grid", "All cells"):  # which need no native statistics
        assert "not computed yet" in text(at, "info")


def test_known_outliers_are_not_called_test_images(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Map of images", **CELL))
    (figure,) = charts(at)
    texts = {trace["name"]: set(trace["text"]) for trace in figure["data"] if trace.get("text")}
    assert all(words.startswith("test image") for name in texts if name != "Known outliers" for words in texts[name])
    assert texts["Known outliers"] == {"a known outlier, not a test image"}


def test_pictures_are_called_by_what_they_show(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Whole grid", detector="Fréchet ratio", **CELL))
    names = [json.loads(chart.proto.config)["toImageButtonOptions"]["filename"] for chart in at.get("plotly_chart")]
    assert names == [f"stitchlab-{judged.id}-{method}-matching-fréchet-ratio" for method in ("task-loss", "direct")]
    at = sound(opened(judged.store, PAGE, run=judged.id, look="Channels", **CELL))
    names = [json.loads(chart.proto.config)["toImageButtonOptions"]["filename"] for chart in at.get("plotly_chart")]
    assert names[0] == f"stitchlab-{judged.id}-layer3.1-into-relu-channels"


def test_a_cell_that_is_not_computed_has_a_button(opened: Open, jobs: Notes, asked: Run) -> None:
    run = fill(asked, lacking=1)
    at = sound(opened(run.store, PAGE, run=run.id, front_layer="layer1.0", end_layer="layer3.1"))
    assert "is not computed yet" in text(at, "info")
    assert not jobs.judged
    (button,) = [b for b in at.button if b.label == "Compute this cell"]
    sound(button.click().run())
    assert [r.id for r in jobs.computed] == [run.id]
    assert jobs.cells == [("layer1.0", "layer3.1")]
    assert at.get("progress")


STALE = [
    ({"front_layer": "layer9.9"}, "no front layer layer9.9; layer1.0 is shown instead|layer3.1 is shown"),
    ({"end_layer": "rel"}, "no end layer rel; relu is shown"),
    ({"look": "nonsense"}, ""),
    ({"detector": "nonsense"}, ""),
    ({"outliers": "folder:/etc"}, ""),
    ({"image": "-4"}, ""),
    ({"image": "99999999"}, ""),
    ({"metric": "nonsense", "look": "Whole grid"}, ""),
]


@pytest.mark.parametrize(("url", "word"), STALE, ids=lambda part: str(part)[:40])
def test_stale_links_lead_to_what_is_nearest(
    url: dict[str, str], word: str, opened: Open, jobs: Notes, judged: Run
) -> None:
    at = sound(opened(judged.store, PAGE, **{"run": judged.id, **CELL, **url}))
    warned = "\n".join(w for w in text(at, "warning").splitlines() if "belief" not in w and "accurate" not in w)
    assert re.search(word, warned)
    assert bool(warned) == bool(word)
    assert at.query_params["run"] == judged.id
    assert concluded(at)


@pytest.mark.parametrize("run", ["0123456789abcdef", "../../etc", "![x](http://nowhere/x.png) :smile: $a$"])
def test_a_link_whose_run_is_missing_gets_a_choice(run: str, opened: Open, jobs: Notes, judged: Run) -> None:
    """Another run is not shown in its place, and what stands in the link is shown as text."""
    at = sound(opened(judged.store, PAGE, run=run, **CELL))
    assert f"no run is called '{run}'" in text(at, "warning")
    assert not re.search(r"!\[|(?<!\\)\$|:smile:|://", at.warning[0].value)
    assert not has(at, "selectbox", "front_layer")
    (link,) = [link.proto for link in at.main.get("page_link") if judged.id[:8] in link.proto.label]
    assert f"run={judged.id}" in link.query_string
    assert not jobs.judged


def test_without_anything_stitched_it_leads_to_compare(opened: Open, jobs: Notes, store: Store) -> None:
    at = sound(opened(store, PAGE))
    assert "Nothing is stitched yet" in text(at, "info")
    assert not has(at, "selectbox", "front_layer")


def test_a_deleted_run_takes_along_what_detectors_say_of_it(judged: Run) -> None:
    found = DetectionResults(judged)
    keys = [found.key(name, *cell) for name in (*DETECTORS, STATISTICS) for cell in found.cells]
    assert all(judged.store.has("ood", key) for key in keys)
    delete_run(judged.store, judged.id)
    assert not any(judged.store.path("ood", key, end).exists() for key in keys for end in (".json", ".safetensors"))


def test_cells_of_a_run_that_was_never_asked_for(opened: Open, jobs: Notes, judged: Run) -> None:
    """They came with another run: the link's own keys lead to them, and nothing is written."""
    request, store = judged.request, judged.store
    run = resolve(
        store,
        request.front,
        request.end,
        front_layers=["layer3.1"],
        end_layers=["relu"],
        indices=[],
        tlm=request.tlm,
        dm_images=request.dm.images,
        eval_images=request.eval_images,
        seed=request.seed,
    )
    assert run.complete
    assert store.keys("runs") == [judged.id]
    link: dict[str, list[str]] = {}
    for key, value in links.query(run, **CELL):
        link.setdefault(key, []).append(value)
    for look in ("scores", "maps"):
        at = sound(opened(store, PAGE, look=VIEWS[look][0], **link))
        assert at.query_params["run"] in (run.id, [run.id])
        assert not [w.value for w in at.warning if "link" in w.value]
        assert charts(at)
    assert ("feature_maps", run, 0, *CELL.values(), 2) in [(q[0], run, *q[2:]) for q in jobs.asked]
    assert store.keys("runs") == [judged.id]
