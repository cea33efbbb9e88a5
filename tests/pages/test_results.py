"""Compare: a run on the screen, and links to it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from looks import (
    OWN,
    Notes,
    Open,
    all_numbers,
    charts,
    drawn,
    elements,
    fill,
    has,
    heading,
    layers_of,
    pickers,
    sound,
    tables,
    text,
    widget,
)

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.presets import preset
from stitchlab.grid.ask import ask, compare
from stitchlab.results import networks
from stitchlab.results.cleaning import delete_run
from stitchlab.results.keys import functional_key
from stitchlab.results.run import Run
from stitchlab.results.why_empty import BEFORE
from stitchlab.store import Store
from stitchlab.ui.results import SHOWN, VIEWS


def test_a_link_restores_every_picker_and_shows_the_run(opened: Open, jobs: Notes, done: Run) -> None:
    at = sound(opened(done.store, run=done.id))
    assert not at.warning
    for figure, method in zip(charts(at), ("tlm", "dm"), strict=True):
        assert (drawn(figure) == done.matrix(method, "accuracy")).all()
        assert layers_of(figure) == (list(done.request.front_layers), list(done.request.end_layers))
    assert not has(at, "button", "compute")
    assert not has(at, "selectbox", "front"), "the pickers are folded where a run is shown"
    said = text(at, "title", "caption")
    assert "digits-b → digits-a" in said
    assert "2×3 layers" in said
    sound(pickers(at))
    assert {key: widget(at, "selectbox", key).value for key in ("front", "end", "recipe", "targets", "init")} == {
        "front": "digits-b",
        "end": "digits-a",
        "recipe": "paper",
        "targets": "soft",
        "init": "dm",
    }
    assert {w.key: w.value for w in elements(at, "number_input")} == {
        "epochs": 1,
        "lr": 2e-3,
        "train_images": None,
        "dm_images": 50,
        "eval_images": 120,
        "null": None,
        "seed": 3,
    }
    assert widget(at, "multiselect", "front_layers").value == list(done.request.front_layers)
    assert widget(at, "multiselect", "end_layers").value == list(done.request.end_layers)
    assert widget(at, "button_group", "methods").value == ["tlm", "dm"]
    assert widget(at, "multiselect", "indices").value == ["cka", "opd"]
    assert dict(at.query_params.items()) in ({"run": done.id}, {"run": [done.id]}), "what is only opened writes nothing"
    assert not jobs.computed


def test_from_a_link_one_can_go_on(opened: Open, jobs: Notes, done: Run) -> None:
    at = pickers(opened(done.store, run=done.id))
    sound(widget(at, "number_input", "seed").set_value(4).run())
    sound(at.button(key="compute").click().run())
    assert not has(at, "selectbox", "front"), "what is computed is looked at"
    (other,) = jobs.computed
    assert at.query_params["run"] in (other.id, [other.id])
    assert (other.id, other.request.seed) != (done.id, 3)
    assert other.request.front_layers == done.request.front_layers
    sound(widget(pickers(at), "number_input", "seed").set_value(3).run())
    assert at.query_params["run"] in (done.id, [done.id])


@pytest.mark.parametrize("name", ["0123456789abcdef", "nonsense", "../../etc/passwd", "."])
def test_an_unknown_run_is_told_and_a_choice_is_shown(name: str, opened: Open, done: Run) -> None:
    at = sound(opened(done.store, run=name))
    assert len(at.warning) == 1
    assert "This link's run is not here" in text(at, "warning")
    assert not charts(at), "another run is not shown in its place"
    assert done.id[:8] in " ".join(link.proto.label for link in at.get("page_link"))
    assert len(charts(sound(pickers(at)))) == 2


NONSENSE: list[dict[str, Any]] = [
    {"front": "nonsense"},
    {"end": "nonsense"},
    {"front_layers": "nonsense"},
    {"end_layers": ["layer1.0", "nonsense"]},
    {"front_layer": "nonsense"},
    {"end_layer": "nonsense"},
    {"show": "nonsense"},
    {"view": "nonsense"},
    {"methods": "nonsense"},
    {"indices": "nonsense"},
    {"data": "nonsense"},
    {"data": "folder:/etc"},
    {"recipe": "nonsense"},
    {"targets": "nonsense"},
    {"init": "nonsense"},
    {"seed": "abc"},
    {"seed": "-5"},
    {"seed": "99999999999999999999"},
    {"dm_images": "0"},
    {"eval_images": "-1"},
    {"epochs": "0"},
    {"lr": "0"},
    {"lr": "nan"},
    {"lr": "1e999"},
    {"picture": "nonsense"},
    {"nonsense": "nonsense"},
]


@pytest.mark.parametrize("url", NONSENSE, ids=lambda url: "=".join(map(str, *url.items())))
def test_nonsense_in_the_url_crashes_nothing(url: dict[str, str], opened: Open, done: Run) -> None:
    at = sound(pickers(opened(done.store, **url)))
    assert widget(at, "selectbox", "front").value in ("digits-a", "digits-b")
    assert len(charts(at)) == 2 or len(at.error) == 1


def test_nonsense_beside_a_run_changes_nothing(opened: Open, done: Run) -> None:
    """A run's own id is the last word on what it is."""
    at = sound(opened(done.store, **{key: value for url in NONSENSE for key, value in url.items()}, run=done.id))
    assert at.query_params["run"] == done.id
    assert (drawn(charts(at)[0]) == done.matrix("tlm", "accuracy")).all()


@pytest.mark.parametrize("shown", [*METRICS, "indices"])
def test_the_switch_shows_every_quantity(shown: str, opened: Open, done: Run) -> None:
    at = opened(done.store, run=done.id)
    sound(widget(at, "selectbox", "show").set_value(shown).run())
    figures = charts(at)
    if shown == "indices":
        wanted = [done.matrix(name, INDICES[name].metric) for name in ("cka", "opd")]
    else:
        wanted = [done.matrix(method, shown) for method in ("tlm", "dm")]
        scales = [next((t["zmin"], t["zmax"]) for t in f["data"] if "zmin" in t) for f in figures]
        assert scales[0] == scales[1]  # one colour range
    assert len(figures) == len(wanted)
    for figure, values in zip(figures, wanted, strict=True):
        assert (drawn(figure) == values).all()


def test_the_difference(opened: Open, done: Run) -> None:
    at = opened(done.store, run=done.id)
    sound(widget(at, "button_group", "view").set_value("difference").run())
    (figure,) = charts(at)
    assert (drawn(figure) == done.matrix("tlm", "accuracy") - done.matrix("dm", "accuracy")).all()
    (scale,) = [(t["zmin"], t["zmax"]) for t in figure["data"] if "zmin" in t]
    assert scale[0] == -scale[1] < 0


def test_the_table_has_every_number(opened: Open, done: Run) -> None:
    at = opened(done.store, run=done.id)
    sound(widget(at, "button_group", "view").set_value("table").run())
    assert not charts(at)
    numbers = at.dataframe[0].value.select_dtypes("number").to_numpy(dtype=float)
    numbers = numbers[~np.isnan(numbers)]
    wanted = [row.value for row in done.rows()]
    assert sorted(numbers) == pytest.approx(sorted(value for value in wanted if value is not None))


def test_what_is_looked_at_comes_from_the_link(opened: Open, done: Run) -> None:
    at = sound(opened(done.store, run=done.id, show=SHOWN["distance"], view=VIEWS["difference"]))
    assert widget(at, "selectbox", "show").value == "distance"
    assert widget(at, "button_group", "view").value == "difference"
    (figure,) = charts(at)
    assert (drawn(figure) == done.matrix("tlm", "distance") - done.matrix("dm", "distance")).all()


def test_a_run_without_methods_or_without_indices_says_so(opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    widget(at, "multiselect", "indices").set_value([])
    sound(widget(at, "selectbox", "show").set_value("indices").run())
    assert at.info
    assert not charts(at)
    widget(at, "selectbox", "show").set_value("accuracy")
    sound(widget(at, "button_group", "methods").set_value(["dm"]).run())
    assert len(charts(at)) == 1
    sound(widget(at, "button_group", "view").set_value("difference").run())
    assert at.info
    assert not charts(at)


def test_the_selected_cell_shows_its_numbers(opened: Open, done: Run) -> None:
    at = sound(all_numbers(opened(done.store, run=done.id, front_layer="layer1.0", end_layer="layer2.0")))
    for cell in (("layer1.0", "layer2.0"), ("layer3.1", "layer3.1")):
        sound(widget(at, "selectbox", "front_layer").set_value(cell[0]).run())
        sound(widget(at, "selectbox", "end_layer").set_value(cell[1]).run())
        told = tables(at)
        for row in done.rows():
            if (row.front_layer, row.end_layer) == cell:
                assert f"{row.value:.4f}" in told, row
        assert f"{done.own_accuracy:.4f}" in text(at, "markdown", "caption")
        frames = [shape for figure in charts(at) for shape in figure["layout"]["shapes"]]
        y, x = done.request.front_layers.index(cell[0]), done.request.end_layers.index(cell[1])
        assert [((f["x0"] + f["x1"]) / 2, (f["y0"] + f["y1"]) / 2) for f in frames] == [(x, y)] * 4, (
            "a frame and what sets it off, in both heatmaps"
        )


def test_by_default_the_papers_cell_is_selected(opened: Open, done: Run) -> None:
    at = opened(done.store, run=done.id)
    assert widget(at, "selectbox", "front_layer").value == "layer3.1"
    assert widget(at, "selectbox", "end_layer").value == "relu"


def test_a_selected_cell_of_another_grid_is_forgotten(opened: Open, done: Run) -> None:
    at = pickers(opened(done.store, run=done.id, front_layer="layer3.1", end_layer="relu"))
    sound(widget(at, "multiselect", "front_layers").set_value(["layer1.0"]).run())
    assert widget(at, "selectbox", "front_layer").value == "layer1.0"
    assert not at.warning
    sound(widget(at, "selectbox", "front").set_value("vit").run())
    assert widget(at, "selectbox", "front_layer").value.startswith("blocks.")


def test_an_undefined_number_is_no_zero(opened: Open, asked: Run) -> None:
    run = fill(asked)
    assert run.value("tlm", "accuracy", "layer1.0", "layer1.0") is not None
    key = next(key for cell, key in run._keys().items() if cell == ("tlm", "layer1.0", "layer1.0"))
    kept = run.store.get("cells", key)
    assert kept is not None
    run.store.put("cells", key, kept | {"distance": None})
    at = sound(
        all_numbers(opened(run.store, run=run.id, show=SHOWN["distance"], front_layer="layer1.0", end_layer="layer1.0"))
    )
    (tlm, _) = charts(at)
    assert np.isnan(drawn(tlm)[0, 0])
    assert f"{OWN:.4f}" in text(at, "markdown", "caption")
    rows = [row for table in at.table for row in table.value.to_numpy().tolist()]
    assert any("–" in map(str, row) for row in rows)


def test_a_run_from_before_functional_metrics_says_so_and_offers_them(opened: Open, jobs: Notes, done: Run) -> None:
    for method in done.request.methods:
        for cell in done.request.cells:
            done.store.delete("cells", functional_key(done.request, method, *cell))
    at = sound(all_numbers(opened(done.store, run=done.id, show=SHOWN["error_consistency"])))
    assert all(np.isnan(drawn(figure)).all() for figure in charts(at))
    said = text(at, "caption")
    assert f"or {BEFORE}, as 12 cells are" in said
    assert (
        f"Not there, TLM agreement, TLM prediction divergence, TLM error consistency, DM agreement, DM prediction "
        f"divergence, DM error consistency: {BEFORE}." in said
    )
    assert "agreement, prediction divergence and error consistency of 12 cells to add, without training" in text(
        at, "markdown"
    )
    sound(at.button(key="compute").click().run())
    assert [run.id for run in jobs.computed] == [done.id]
    assert BEFORE not in text(sound(opened(done.store, run=done.id)), "caption"), "accuracies are as they were"


def test_a_link_outlives_its_networks(opened: Open, jobs: Notes, done: Run) -> None:
    networks.delete(done.store, "digits-b")
    at = sound(opened(done.store, run=done.id))
    for figure, method in zip(charts(at), ("tlm", "dm"), strict=True):
        assert (drawn(figure) == done.matrix(method, "accuracy")).all()
    sound(pickers(at))
    assert widget(at, "selectbox", "front").value == "digits-a"
    assert "run" not in at.query_params or not any(at.query_params["run"]), "the address says another run no longer"


def test_a_link_to_a_run_under_an_earlier_definition(opened: Open, jobs: Notes, asked: Run) -> None:
    """It keeps its id and its numbers; the pickers ask for the same under today's, which is another run."""
    quick = ask("digits-a", "digits-b", asked.store, tlm=preset("quick"))
    request = replace(quick.request, definitions={k: v for k, v in quick.request.definitions.items() if k != "soap"})
    asked.store.put("runs", request.id, quick.record | {"request": asdict(request)})
    old = fill(Run.load(request.id, asked.store))
    assert old.id != quick.id
    for link in (old.id, old.id[:8]):
        at = sound(opened(asked.store, run=link))
        assert (drawn(charts(at)[0]) == old.matrix("tlm", "accuracy")).all()
        assert at.query_params["run"] in (link, [link])
        assert "soap: version 1, today 2" in text(at, "info")
        assert "only its stored results are shown" in text(at, "info")
        assert "earlier definition" in heading(charts(at)[0])
        assert "earlier definition" not in heading(charts(at)[1]), "direct matching is as it was"
        assert not has(at, "button", "compute")
    sound(at.button(key="ask_again").click().run())
    assert at.query_params["run"] in (quick.id, [quick.id])
    sound(at.button(key="compute").click().run())
    assert [run.id for run in jobs.computed] == [quick.id]


def test_an_old_index_says_so_beside_its_number(opened: Open, done: Run) -> None:
    request = replace(done.request, definitions=done.request.definitions | {"opd": 1})
    done.store.put("runs", request.id, done.record | {"request": asdict(request)})
    old = fill(Run.load(request.id, done.store))
    at = sound(all_numbers(opened(done.store, run=old.id)))
    words = tables(at)
    assert "Orthogonal Procrustes (earlier definition)" in words
    assert "Linear CKA (earlier definition)" not in words
    assert f"{old.value('opd', 'distance', 'layer3.1', 'relu'):.4f}" in words
    sound(widget(at, "selectbox", "show").set_value("indices").run())
    assert ["earlier definition" in heading(chart) for chart in charts(at)] == [False, True]


def test_activations_of_an_old_run_are_not_judged(opened: Open, jobs: Notes, done: Run) -> None:
    request = replace(done.request, definitions=done.request.definitions | {"input": 1})
    done.store.put("runs", request.id, done.record | {"request": asdict(request)})
    fill(Run.load(request.id, done.store))
    at = sound(opened(done.store, "pages/2_Activations.py", run=request.id, front_layer="layer3.1", end_layer="relu"))
    assert "Definitions have changed since this run was requested (input: version 1, today 2)" in text(at, "info")
    assert not jobs.judged


def test_a_cell_that_an_old_run_lacks_is_not_computed(opened: Open, jobs: Notes, done: Run) -> None:
    request = replace(done.request, definitions=done.request.definitions | {"dm": 0})
    done.store.put("runs", request.id, done.record | {"request": asdict(request)})
    at = sound(opened(done.store, "pages/2_Activations.py", run=request.id, front_layer="layer3.1", end_layer="relu"))
    assert "definitions have changed" in text(at, "info")
    assert not any(button.label == "Compute this cell" for button in at.button)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_heatmaps_do_not_crowd(count: int, opened: Open, done: Run) -> None:
    names = list(INDICES)[:count]
    request = replace(
        done.request,
        indices=tuple(names),
        definitions=done.request.definitions | {name: INDICES[name].version for name in names},
    )
    done.store.put("runs", request.id, done.record | {"request": asdict(request)})
    fill(Run.load(request.id, done.store))
    at = sound(opened(done.store, run=request.id, show=SHOWN["indices"]))
    for chart, name in zip(charts(at), names, strict=True):
        assert heading(chart).startswith(INDICES[name].label + " ")


def test_a_link_outlives_its_data(opened: Open, done: Run) -> None:
    for key in done.store.keys("data"):
        done.store.delete("data", key)
    at = sound(opened(done.store, run=done.id))
    for figure, method in zip(charts(at), ("tlm", "dm"), strict=True):
        assert (drawn(figure) == done.matrix(method, "accuracy")).all()


def test_a_run_deleted_meanwhile(opened: Open, done: Run) -> None:
    at = opened(done.store, run=done.id)
    delete_run(done.store, done.id)
    sound(at.run())
    assert not charts(at)
    assert "This link's run is not here" in text(at, "warning")


def test_a_damaged_cell_is_shown_as_lacking(opened: Open, done: Run) -> None:
    key = done._keys()["dm", "layer1.0", "relu"]
    path = done.store.path("cells", key, ".json")
    path.write_bytes(path.read_bytes()[:-20])
    at = sound(opened(done.store, run=done.id))
    assert np.isnan(drawn(charts(at)[1])).sum() == 1
    assert has(at, "button", "compute")


def test_how_it_was_computed(opened: Open, done: Run) -> None:
    at = sound(opened(done.store, run=done.id))
    assert not at.get("download_button"), "files are made when the panel is open"
    at.session_state["figure"] = True
    assert len(sound(at.run()).get("download_button")) == 1
    assert len([e for e in at.get("expander")]) >= 2


def test_all_cells_in_one_picture(opened: Open, judged: Run) -> None:
    """A point for every cell and method, from what detectors kept; a click selects as one on a heatmap does."""
    at = sound(opened(judged.store, run=judged.id, view=VIEWS["cells"], front_layer="layer1.0", end_layer="relu"))
    (figure,) = charts(at)
    assert [t["name"][:3].strip() for t in figure["data"] if t["mode"] == "markers"] == ["TLM", "DM"]
    assert "selected" in [t["name"] for t in figure["data"]]
    assert not at.info


def test_cells_that_were_not_looked_at_say_so(opened: Open, jobs: Notes, done: Run) -> None:
    at = sound(opened(done.store, run=done.id, view=VIEWS["cells"]))
    assert not charts(at)
    assert "0 of 12 cells have a Fréchet ratio" in text(at, "info")
    assert not jobs.judged, "looking at Compare asks for nothing"


def test_how_the_two_distances_relate_is_said(opened: Open, judged: Run, done: Run) -> None:
    at = sound(all_numbers(opened(done.store, run=done.id)))
    assert "compares image by image" in text(at, "caption")


def test_indices_are_raw_or_calibrated(opened: Open, done: Run) -> None:
    """Asking for permutations keeps what is there; the heatmaps of both scales are the run's own numbers."""
    at = sound(opened(done.store, run=done.id, show="Similarity indices", scale="Calibrated"))
    assert "What the indices give by chance is not computed yet: 200 permutations" in text(at, "info")
    assert not charts(at)
    wanted = done.wanted() | {"tlm": done.request.tlm, "null": 75, "store": done.store, "device": "cpu"}
    run = compare(**wanted)
    at = sound(opened(done.store, run=run.id, show="Similarity indices"))
    for figure, (name, metric) in zip(charts(at), (("cka", "similarity"), ("opd", "distance")), strict=True):
        assert (drawn(figure) == run.matrix(name, metric)).all()
    assert "Columns whose ★ is beyond the best of 75 permutations" in text(at, "caption")
    at.session_state["scale"] = "calibrated"
    sound(at.run())
    for figure, name in zip(charts(at), ("cka", "opd"), strict=True):
        assert (drawn(figure) == run.matrix(name, "calibrated")).all()
    said = tables(sound(all_numbers(at)))
    i, j = run.request.front_layers[-1], run.request.end_layers[0]  # the cell that is looked at first
    for metric in ("similarity", "null95", "calibrated", "p"):
        assert f"{run.value('cka', metric, i, j):.4f}" in said
    sound(pickers(at))
    assert widget(at, "number_input", "null").value == 75
