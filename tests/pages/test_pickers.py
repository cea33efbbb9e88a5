"""Compare: what can be picked, what a wrong choice gets, and what Compute asks for."""

from __future__ import annotations

from typing import Any

import pytest
from looks import Notes, Open, charts, drawn, fill, has, sound, text, widget

from stitchlab.catalog.presets import preset
from stitchlab.grid.ask import ask
from stitchlab.jobs import Status
from stitchlab.results import networks
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store

RESNET = [f"layer{n}.{k}" for n in (1, 2, 3) for k in (0, 1)]
VIT = [f"blocks.{k}" for k in range(6)]


def test_the_pickers_offer_what_the_store_has(opened: Open, store: Store) -> None:
    at = sound(opened(store))
    names = [network.name for network in networks.list_networks(store)]
    for key in ("front", "end"):
        more = ["noise", *(f"random-init of {name}" for name in names)] if key == "front" else []
        assert widget(at, "selectbox", key).options == names + more
    said = text(at, "caption")
    for role in ("digits-a", "digits-b"):
        assert f"{100 * networks.find(store, role).accuracy:.1f}" in said
    for key in ("front_layers", "end_layers"):
        assert widget(at, "multiselect", key).value == RESNET
        assert {"relu", "flatten"} < set(widget(at, "multiselect", key).options)


def test_a_link_may_name_networks_and_layers(opened: Open, store: Store) -> None:
    at = sound(opened(store, front="digits-b", end="vit", end_layers=["blocks.1", "blocks.4"], seed="5"))
    assert widget(at, "selectbox", "front").value == "digits-b"
    assert widget(at, "selectbox", "end").value == "vit"
    assert widget(at, "multiselect", "front_layers").value == RESNET
    assert widget(at, "multiselect", "end_layers").value == ["blocks.1", "blocks.4"]
    assert widget(at, "number_input", "seed").value == 5


def test_swap_swaps_networks_and_layers(opened: Open, store: Store) -> None:
    at = opened(store, front="digits-a", end="vit", front_layers=["layer1.0", "layer2.1"], end_layers=["blocks.1"])
    before = at.query_params["run"]
    sound(at.button(key="swap").click().run())
    assert [widget(at, "selectbox", key).value for key in ("front", "end")] == ["vit", "digits-a"]
    assert widget(at, "multiselect", "front_layers").value == ["blocks.1"]
    assert widget(at, "multiselect", "end_layers").value == ["layer1.0", "layer2.1"]
    run = Run.load(store, at.query_params["run"])
    assert (run.record["front"]["name"], run.record["end"]["name"]) == ("vit", "digits-a")
    sound(at.button(key="swap").click().run())
    assert at.query_params["run"] == before


@pytest.mark.parametrize(("role", "other"), [("front", "end"), ("end", "front")])
def test_another_network_brings_its_own_layers(role: str, other: str, opened: Open, store: Store) -> None:
    at = opened(store)
    widget(at, "multiselect", f"{role}_layers").set_value(["layer2.0"])
    widget(at, "multiselect", f"{other}_layers").set_value(["layer3.0"])
    sound(at.run())
    sound(widget(at, "selectbox", role).set_value("vit").run())
    assert widget(at, "multiselect", f"{role}_layers").value == VIT
    assert widget(at, "multiselect", f"{other}_layers").value == ["layer3.0"]
    assert not at.error


@pytest.mark.parametrize(("kind", "key", "wrong", "right"), [
    ("number_input", "dm_images", 1_000_000, 100),
    ("number_input", "eval_images", 1_000_000, None),
    ("number_input", "lr", 0.0, 0.01),
    ("multiselect", "front_layers", [], RESNET),
    ("multiselect", "end_layers", [], RESNET[:2]),
])
def test_a_wrong_choice_gets_one_line_and_the_page_lives_on(
    kind: str, key: str, wrong: Any, right: Any, opened: Open, jobs: Notes, store: Store
) -> None:
    at = opened(store)
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
    at = opened(store)
    sound(widget(at, "number_input", "dm_images").set_value(1258).run())
    assert "1,257" in text(at, "error") or "1257" in text(at, "error")


def test_neither_methods_nor_indices(opened: Open, store: Store) -> None:
    at = opened(store)
    sound(widget(at, "button_group", "methods").set_value([]).run())
    assert not at.error  # indices alone are a run
    assert Run.load(store, at.query_params["run"]).request.methods == ()
    sound(widget(at, "button_group", "indices").set_value([]).run())
    assert len(at.error) == 1
    sound(widget(at, "button_group", "methods").set_value(["dm"]).run())
    assert not at.error
    assert len(charts(at)) == 1


def test_a_recipe_brings_its_settings(opened: Open, store: Store) -> None:
    at = opened(store)
    sound(widget(at, "selectbox", "recipe").set_value("quick").run())
    assert Run.load(store, at.query_params["run"]).request.tlm == preset("quick")
    sound(widget(at, "selectbox", "recipe").set_value("paper").run())
    assert Run.load(store, at.query_params["run"]).request.tlm == preset("paper")


def test_compute_asks_for_what_was_picked(opened: Open, jobs: Notes, store: Store) -> None:
    at = opened(store)
    widget(at, "multiselect", "front_layers").set_value(["layer3.1", "layer1.0"])
    widget(at, "multiselect", "end_layers").set_value(["flatten"])
    widget(at, "button_group", "indices").set_value(["cka"])
    widget(at, "selectbox", "targets").set_value("soft")
    widget(at, "selectbox", "init").set_value("dm")
    for key, value in (("seed", 7), ("dm_images", 60), ("eval_images", 200), ("epochs", 2), ("lr", 0.004)):
        widget(at, "number_input", key).set_value(value)
    sound(at.run())
    assert not jobs.computed
    sound(at.button(key="compute").click().run())
    wanted = ask(
        store, "digits-a", "digits-b", front_layers=["layer1.0", "layer3.1"], end_layers=["flatten"], indices=["cka"],
        tlm=preset("paper", epochs=2, lr=0.004, targets="soft", init="dm"), dm_images=60, eval_images=200, seed=7,
    )
    assert [run.id for run in jobs.computed] == [wanted.id] == [at.query_params["run"]]
    assert has(at, "button", "cancel")
    assert not has(at, "button", "compute")
    assert len(at.get("progress")) == 1
    sound(at.button(key="cancel").click().run())
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
def test_work_that_ended_early_says_what_to_do(state: str, opened: Open, jobs: Notes, asked: Run) -> None:
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


def test_controls_are_front_networks(opened: Open, store: Store) -> None:
    """Nothing in them was learned; the link says which, and the swap waits."""
    before = len(networks.list_networks(store))
    at = sound(opened(store, front="noise", end="digits-b"))
    assert not at.error
    assert at.query_params["front"] in ("noise", ["noise"])
    assert widget(at, "multiselect", "front_layers").value == [f"blocks.{k}" for k in range(6)]
    assert "nothing in its activations was learned" in text(at, "caption")
    assert widget(at, "button", "swap").disabled
    sound(widget(at, "selectbox", "front").set_value("random-init of digits-a").run())
    assert widget(at, "multiselect", "front_layers").value == RESNET
    sound(at.run())
    made = networks.list_networks(store)[before:]
    assert [n.origin["control"] for n in made] == ["noise", "random-init of digits-a"]
    assert not [o for o in widget(at, "selectbox", "front").options if o.startswith("random-init of noise")]
    linked = [run for run in list_runs(store) if run.request.front == made[1].id]
    again = sound(opened(store, run=linked[0].id))
    assert widget(again, "selectbox", "front").value == made[1].name
    assert again.query_params["run"] in (linked[0].id, [linked[0].id])


def test_looking_around_keeps_one_record_a_request(opened: Open, store: Store) -> None:
    at = opened(store)
    at.run()
    at.run()
    assert len(list_runs(store)) == 1
