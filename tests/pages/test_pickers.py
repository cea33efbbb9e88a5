"""Compare: what can be picked, what a wrong choice gets, and what Compute asks for."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from handy import sure
from looks import PAGES, Notes, Open, charts, drawn, fill, has, pickers, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab import ui
from stitchlab.catalog.presets import preset
from stitchlab.grid.ask import ask
from stitchlab.jobs import Answer, Status, preparation_job
from stitchlab.jobs.status import State
from stitchlab.request import TaskLoss
from stitchlab.results import networks
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links
from stitchlab.ui.request import OWN

RESNET = [f"layer{n}.{k}" for n in (1, 2, 3) for k in (0, 1)]
VIT = [f"blocks.{k}" for k in range(6)]


def test_the_pickers_offer_what_the_store_has(opened: Open, store: Store) -> None:
    at = sound(pickers(opened(store)))
    names = [network.name for network in networks.list_networks(store)]
    for key in ("front", "end"):
        more = ["noise", *(f"random-init of {name}" for name in names)] if key == "front" else []
        assert widget(at, "selectbox", key).options == names + more
    said = text(at, "caption")
    for role in ("digits-a", "digits-b"):
        assert f"{100 * sure(networks.find(store, role).accuracy):.1f}" in said
    for key in ("front_layers", "end_layers"):
        assert widget(at, "multiselect", key).value == RESNET
        assert {"relu", "flatten"} < set(widget(at, "multiselect", key).options)


def test_a_link_may_name_networks_and_layers(opened: Open, store: Store) -> None:
    at = sound(pickers(opened(store, front="digits-b", end="vit", end_layers=["blocks.1", "blocks.4"], seed="5")))
    assert widget(at, "selectbox", "front").value == "digits-b"
    assert widget(at, "selectbox", "end").value == "vit"
    assert widget(at, "multiselect", "front_layers").value == RESNET
    assert widget(at, "multiselect", "end_layers").value == ["blocks.1", "blocks.4"]
    assert widget(at, "number_input", "seed").value == 5


def test_swap_swaps_networks_and_layers(opened: Open, store: Store) -> None:
    at = pickers(
        opened(store, front="digits-a", end="vit", front_layers=["layer1.0", "layer2.1"], end_layers=["blocks.1"])
    )
    before = shown(store, at)
    sound(at.button(key="swap").click().run())
    assert [widget(at, "selectbox", key).value for key in ("front", "end")] == ["vit", "digits-a"]
    assert widget(at, "multiselect", "front_layers").value == ["blocks.1"]
    assert widget(at, "multiselect", "end_layers").value == ["layer1.0", "layer2.1"]
    run = shown(store, at)
    assert (run.record["front"]["name"], run.record["end"]["name"]) == ("vit", "digits-a")
    sound(at.button(key="swap").click().run())
    assert shown(store, at).id == before.id


@pytest.mark.parametrize(("role", "other"), [("front", "end"), ("end", "front")])
def test_another_network_brings_its_own_layers(role: str, other: str, opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    widget(at, "multiselect", f"{role}_layers").set_value(["layer2.0"])
    widget(at, "multiselect", f"{other}_layers").set_value(["layer3.0"])
    sound(at.run())
    sound(widget(at, "selectbox", role).set_value("vit").run())
    assert widget(at, "multiselect", f"{role}_layers").value == VIT
    assert widget(at, "multiselect", f"{other}_layers").value == ["layer3.0"]
    assert not at.error


@pytest.mark.parametrize(
    ("kind", "key", "wrong", "right"),
    [
        ("number_input", "dm_images", 1_000_000, 100),
        ("number_input", "eval_images", 1_000_000, None),
        ("number_input", "lr", 0.0, 0.01),
        ("multiselect", "front_layers", [], RESNET),
        ("multiselect", "end_layers", [], RESNET[:2]),
    ],
)
def test_a_wrong_choice_gets_one_line_and_the_page_lives_on(
    kind: str, key: str, wrong: Any, right: Any, opened: Open, jobs: Notes, store: Store
) -> None:
    at = pickers(opened(store))
    sound(widget(at, kind, key).set_value(wrong).run())
    assert len(at.error) == 1
    assert "\n" not in at.error[0].value.strip()
    assert not charts(at)
    assert not has(at, "button", "compute")
    assert widget(at, kind, key).value == wrong  # nothing is lost
    sound(widget(at, kind, key).set_value(right).run())
    assert not at.error
    assert len(charts(at)) == 2
    assert not jobs.computed


def test_too_many_images_are_told_how_many_there_are(opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    sound(widget(at, "number_input", "dm_images").set_value(1258).run())
    assert "1,257" in text(at, "error") or "1257" in text(at, "error")


def test_neither_methods_nor_indices(opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    sound(widget(at, "button_group", "methods").set_value([]).run())
    assert not at.error  # indices alone are a run
    assert shown(store, at).request.methods == ()
    sound(widget(at, "multiselect", "indices").set_value([]).run())
    assert len(at.error) == 1
    sound(widget(at, "button_group", "methods").set_value(["dm"]).run())
    assert not at.error
    assert len(charts(at)) == 1


def test_a_recipe_brings_its_settings(opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    sound(widget(at, "selectbox", "recipe").set_value("quick").run())
    assert shown(store, at).request.tlm == preset("quick")
    sound(widget(at, "selectbox", "recipe").set_value("paper").run())
    assert shown(store, at).request.tlm == preset("plain")
    sound(widget(at, "selectbox", "augment").set_value("crop").run())
    sound(widget(at, "number_input", "train_images").set_value(500).run())
    assert shown(store, at).request.tlm == preset("paper", augment="crop", images=500)
    title = charts(at)[0]["layout"]["title"]["text"].replace("<br>", " ")  # long ones go over two lines
    assert "own recipe, 30 epochs, lr 0.001, crops, 500 training images" in title
    sound(widget(at, "selectbox", "recipe").set_value("plain").run())
    assert shown(store, at).request.tlm == preset("plain", images=500)
    sound(widget(at, "number_input", "train_images").set_value(1258).run())
    assert "training images for task loss matching: expected a number from 1 to 1,257" in at.error[0].value


def test_links_say_augmentation_and_training_images(opened: Open, store: Store) -> None:
    for tlm in (preset("plain"), preset("quick", augment="affine", images=300), preset("paper", augment="crop")):
        run = ask("digits-a", "digits-b", store, tlm=tlm)
        at = sound(opened(store, run=run.id))
        assert not at.warning
        assert shown(store, at).id == run.id
        read = links.read(
            store,
            {
                key: [value]
                for key, value in links.query(run)
                if key not in ("run", "front_layers", "end_layers", "methods", "indices")
            },
        )
        assert read is not None
        assert read.request.tlm == tlm


def test_compute_asks_for_what_was_picked(opened: Open, jobs: Notes, store: Store) -> None:
    at = pickers(opened(store))
    widget(at, "multiselect", "front_layers").set_value(["layer3.1", "layer1.0"])
    widget(at, "multiselect", "end_layers").set_value(["flatten"])
    widget(at, "multiselect", "indices").set_value(["cka"])
    widget(at, "selectbox", "targets").set_value("soft")
    widget(at, "selectbox", "init").set_value("dm")
    for key, value in (("seed", 7), ("dm_images", 60), ("eval_images", 200), ("epochs", 2), ("lr", 0.004)):
        widget(at, "number_input", key).set_value(value)
    sound(at.run())
    assert not jobs.computed
    sound(at.button(key="compute").click().run())
    wanted = ask(
        "digits-a",
        "digits-b",
        store,
        front_layers=["layer1.0", "layer3.1"],
        end_layers=["flatten"],
        indices=["cka"],
        tlm=preset("paper", epochs=2, lr=0.004, targets="soft", init="dm"),
        dm_images=60,
        eval_images=200,
        seed=7,
    )
    assert [run.id for run in jobs.computed] == [wanted.id]
    assert at.query_params["run"] in (wanted.id, [wanted.id])
    assert has(at, "button", f"cancel-{wanted.id}")
    assert not has(at, "button", "compute")
    assert len(at.get("progress")) == 1
    sound(at.button(key=f"cancel-{wanted.id}").click().run())
    assert jobs.cancelled == [wanted.id]
    assert has(at, "button", "compute")


def test_a_partial_run_says_what_is_there_and_computes_the_rest(opened: Open, jobs: Notes, asked: Run) -> None:
    run = fill(asked, lacking=2)
    at = sound(opened(run.store, run=run.id))
    for figure, method in zip(charts(at), ("tlm", "dm"), strict=True):
        assert ((drawn(figure) == run.matrix(method, "accuracy")) | (drawn(figure) != drawn(figure))).all()
        assert (drawn(figure) != drawn(figure)).sum() == 12
    said = text(at, "markdown", "caption")
    assert str(len(run.cells)) in said
    assert str(run.total) in said
    sound(at.button(key="compute").click().run())
    assert [run.id for run in jobs.computed] == [asked.id]


@pytest.mark.parametrize("state", ["failed", "cancelled", "interrupted"])
def test_work_that_ended_early_says_what_to_do(state: State, opened: Open, jobs: Notes, asked: Run) -> None:
    jobs.states[asked.id] = Status(state, message="no space is left" if state == "failed" else "")
    at = sound(opened(asked.store, run=asked.id))
    said = text(at, "error" if state == "failed" else "info")
    assert "Compute" in said
    assert ("no space is left" if state == "failed" else state) in said
    sound(at.button(key="compute").click().run())
    assert [run.id for run in jobs.computed] == [asked.id]


def test_a_queue_that_does_not_answer_is_one_line(
    opened: Open, jobs: Notes, asked: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stitchlab.errors import StitchLabError

    def refuse(run: Run) -> None:
        raise StitchLabError("no Dask scheduler answers")

    monkeypatch.setattr(jobs, "compute", refuse)
    at = opened(asked.store, run=asked.id)
    sound(at.button(key="compute").click().run())
    assert "no Dask scheduler answers" in text(at, "error")
    assert has(at, "button", "compute")


def test_networks_that_do_not_fit_are_one_line(opened: Open, store: Store) -> None:
    """An end network of other classes."""
    record = store.get("networks", networks.find(store, "vit").id)
    assert record is not None
    store.put("networks", networks.find(store, "vit").id, record | {"classes": list("abcdefghij")})
    at = sound(opened(store, end="vit"))
    assert len(at.error) == 1
    sound(widget(at, "selectbox", "end").set_value("digits-b").run())
    assert not at.error


@pytest.mark.parametrize(
    ("name", "layers"), [("noise", [f"blocks.{k}" for k in range(6)]), ("random-init of digits-a", RESNET)]
)
def test_controls_are_made_when_work_is_asked_for(
    name: str, layers: list[str], opened: Open, jobs: Notes, store: Store
) -> None:
    """Nothing in them was learned; the link says which, and the swap waits. Looking at one makes nothing."""
    before = files(store)
    at = sound(pickers(opened(store, front=name, end="digits-b")))
    assert not at.error
    assert at.query_params["front"] in (name, [name])
    assert "run" not in at.query_params, "what is not made yet has no id"
    assert widget(at, "multiselect", "front_layers").value == layers
    assert "nothing was learned" in text(at, "caption")
    assert widget(at, "button", "swap").disabled
    assert np.isnan(drawn(charts(at)[0])).all()
    assert files(store) == before
    sound(at.button(key="compute").click().run())
    (wanted,) = jobs.prepared
    assert not jobs.computed
    assert has(at, "button", f"cancel-{preparation_job(wanted)}")
    made = ask(store=store, **{**wanted, "tlm": TaskLoss(**wanted["tlm"])})  # what the worker does
    assert (wanted["front"], made.record["front"]["origin"]["control"]) == (name, name)
    jobs.states[preparation_job(wanted)] = Status("done", result={"run": made.id})
    sound(at.run())
    assert [run.id for run in jobs.computed] == [made.id]
    assert at.query_params["run"] in (made.id, [made.id])
    assert widget(sound(pickers(at)), "selectbox", "front").value == made.record["front"]["name"]
    again = sound(pickers(opened(store, run=made.id)))
    assert widget(again, "selectbox", "front").value == made.record["front"]["name"]
    assert not [o for o in widget(at, "selectbox", "front").options if o.startswith("random-init of noise")]


def test_looking_around_keeps_nothing(opened: Open, store: Store) -> None:
    before = files(store)
    at = pickers(opened(store))
    for kind, key, value in (
        ("selectbox", "recipe", "quick"),
        ("number_input", "seed", 3),
        ("selectbox", "end", "vit"),
        ("selectbox", "front", "noise"),
        ("number_input", "eval_images", 7),
    ):
        sound(widget(at, kind, key).set_value(value).run())
    for page in PAGES:
        if page != "app.py":  # Home has the demo computed
            sound(opened(store, page))
    assert files(store) == before


def test_a_link_restores_a_run_that_was_never_asked_for(opened: Open, jobs: Notes, store: Store) -> None:
    at = opened(
        store,
        front="digits-b",
        end="vit",
        end_layers=["blocks.1", "blocks.4"],
        recipe="quick",
        epochs="2",
        seed="5",
        eval_images="99",
        methods=["dm", "tlm"],
    )
    sound(widget(pickers(at), "number_input", "seed").set_value(6).run())
    (name,) = [at.query_params["run"]] if isinstance(at.query_params["run"], str) else at.query_params["run"]
    assert not store.keys("runs")
    again = sound(opened(store, **dict(at.query_params.items())))
    assert not again.warning
    assert again.query_params["run"] in (name, [name])
    read = links.read(store, {k: v if isinstance(v, list) else [v] for k, v in at.query_params.items()})
    assert read is not None
    assert read.id == name == shown(store, again).id
    told = links.read(
        store,
        {k: [v] for k, v in links.query(read) if k != "end_layers"}
        | {
            "end_layers": list(read.request.end_layers),
            "front_layers": list(read.request.front_layers),
            "methods": ["dm", "tlm"],
            "indices": list(read.request.indices),
        },
    )
    assert sure(told).id == name
    gone = sound(opened(store, run="0" * 16, front="digits-b", end="vit"))
    assert "0" * 16 in text(gone, "warning")


def test_cut_points_that_are_not_kept_are_asked_for(opened: Open, jobs: Notes, store: Store) -> None:
    """A store from before they were kept under the network's id; the answer takes its time, and fails once."""
    for path in (store.root / "layers").glob("*"):
        path.unlink()
    jobs.answers["cut_points"] = Answer("waiting")
    at = sound(pickers(opened(store)))
    assert "Looking for the layers of digits-a" in text(at, "caption")
    assert not charts(at)
    jobs.answers["cut_points"] = Answer("failed", message="The worker that answers pages ended. Ask again.")
    at = sound(pickers(opened(store)))
    assert "The worker that answers pages ended" in text(at, "error")
    sound(next(b for b in at.button if b.label == "Ask again").click().run())
    assert widget(at, "multiselect", "front_layers").value == RESNET
    assert len(charts(at)) == 2


def files(store: Store) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


def shown(store: Store, at: AppTest) -> Run:
    """The run that the page shows: Compute asks for it."""
    jobs = cast(Notes, ui._jobs(str(store.root)))  # the fixture `jobs` put it there
    sound(at.button(key="compute").click().run())
    run = jobs.computed[-1]
    assert at.query_params["run"] in (run.id, [run.id])
    del jobs.states[run.id]
    sound(pickers(at))
    return run


def test_layers_are_chosen_by_the_choices_that_are_usual(opened: Open, store: Store) -> None:
    at = pickers(opened(store))
    choice = widget(at, "selectbox", "front_layers_by")
    assert choice.value == f"All blocks ({len(RESNET)})"
    assert {"The last block of each stage (3)", "Stage layer2 (2)"} <= set(choice.options)
    sound(choice.set_value("The last block of each stage (3)").run())
    assert widget(at, "multiselect", "front_layers").value == ["layer1.1", "layer2.1", "layer3.1"]
    assert shown(store, at).request.front_layers == ("layer1.1", "layer2.1", "layer3.1")
    assert widget(at, "selectbox", "front_layers_by").value == "The last block of each stage (3)"
    sound(widget(at, "multiselect", "front_layers").set_value(["layer1.1", "relu"]).run())
    assert widget(at, "selectbox", "front_layers_by").value == OWN
    assert shown(store, at).request.front_layers == ("relu", "layer1.1")


def test_many_layers_are_not_shown_one_by_one(opened: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty tags are no picker; single layers are still searched and chosen where somebody asks for that."""
    monkeypatch.setattr("stitchlab.ui.request.MAX_LAYERS_LISTED", 4)
    at = sound(pickers(opened(store)))
    assert not has(at, "multiselect", "front_layers")
    assert "layer1.0 … layer3.1" in text(at, "caption")
    assert shown(store, at).request.front_layers == tuple(RESNET)
    sound(widget(at, "selectbox", "front_layers_by").set_value(OWN).run())
    sound(widget(at, "multiselect", "front_layers").set_value([*RESNET, "flatten"]).run())
    assert has(at, "multiselect", "front_layers"), "it stays while layers are added"
    assert shown(store, at).request.front_layers == (*RESNET, "flatten")


def test_networks_of_a_link_that_asks_for_no_run_open_the_pickers(opened: Open, store: Store) -> None:
    """The page Networks leads here with a front network alone."""
    at = sound(opened(store, front="digits-b"))
    assert widget(at, "selectbox", "front").value == "digits-b"
    assert widget(at, "selectbox", "end").value == "digits-a", "with another network, not with itself"
    assert at.button(key="pick").label == "Close"
    assert "run" not in at.query_params
    other = sound(opened(store, front="digits-a"))
    assert widget(other, "selectbox", "end").value != "digits-a"


def test_a_run_is_the_first_thing_where_there_are_runs(opened: Open, store: Store) -> None:
    older = fill(ask("digits-a", "digits-b", store, seed=1))
    at = sound(opened(store))
    assert not charts(at), "no grid that nobody asked for"
    assert not has(at, "selectbox", "front")
    (link,) = [link.proto for link in at.main.get("page_link")]
    assert f"run={older.id}" in link.query_string
    assert "digits\\-a" in link.label or "digits-a" in link.label
    assert at.button(key="pick").label == "New comparison"


def test_names_are_shown_as_text(opened: Open, store: Store) -> None:
    """Whoever names a network does not write the page."""
    networks.rename(store, networks.find(store, "digits-a").id, "__a__")
    at = sound(opened(store, front="__a__", end="digits-b"))
    assert at.title[0].value.startswith("\\_\\_a\\_\\_ → digits-b")
    assert ui.literal("1. :smile: [x](http://y) $a$ www.z me@w") == (
        "1\\. \\:⁠smile: \\[x\\](http\\:⁠//y) \\$a\\$ www⁠.z me@⁠w"
    )


def test_a_run_whose_layers_are_not_kept_can_be_changed(opened: Open, jobs: Notes, done: Run) -> None:
    """A store from before cut points were kept by network: they are asked for when the pickers open, not before."""
    for path in (done.store.root / "layers").glob("*"):
        path.unlink()
    at = sound(opened(done.store, run=done.id))
    assert not at.info
    assert at.button(key="pick").label == "Change"
    assert len(charts(at)) == 2
    sound(pickers(at))
    assert widget(at, "multiselect", "front_layers").value == list(done.request.front_layers)


@pytest.mark.parametrize("key", ["dm_images", "eval_images", "epochs", "train_images", "seed", "lr"])
@pytest.mark.parametrize("number", ["9" * 20, "9" * 400, "9" * 6000, "-1", "1e999", "nan", "٣x"])
def test_numbers_that_no_picker_holds_are_left_out(key: str, number: str, opened: Open, store: Store) -> None:
    at = sound(opened(store, front="digits-a", **{key: number}))
    default = {"dm_images": 100, "epochs": 30, "seed": 0, "lr": 1e-3}.get(key)
    held = float(number) if (key, len(number)) == ("lr", 20) else default  # a rate may be as large as that
    assert widget(at, "number_input", key).value == held


def test_swap_while_layers_are_looked_for(opened: Open, jobs: Notes, store: Store) -> None:
    for path in (store.root / "layers").glob("*"):
        path.unlink()
    jobs.answers["cut_points"] = Answer("waiting")
    at = pickers(opened(store))
    sound(at.button(key="swap").click().run())
    assert [widget(at, "selectbox", key).value for key in ("front", "end")] == ["digits-b", "digits-a"]
