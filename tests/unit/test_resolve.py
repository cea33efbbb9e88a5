"""From what is wanted to a run: read off the store's records alone, and nothing is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grids import COLUMNS, ROWS, SMALL, made

from stitchlab.catalog.presets import preset
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.grid.ask import ask
from stitchlab.models.controls import cut_points_of
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.request import TaskLoss
from stitchlab.results import controls, cut_points, networks, plan
from stitchlab.results.cut_points import Cuts
from stitchlab.results.resolve import NotFoundYet, resolve
from stitchlab.results.run import Run
from stitchlab.results.run_record import ROOM
from stitchlab.store import Store

RANDOM = "random-init of digits-a"
BLOCKS = tuple(f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1))
WITHOUT_ROWS = {key: value for key, value in SMALL.items() if key != "front_layers"}


def files(store: Store) -> dict[Path, bytes]:
    """Everything in the store's folder, hidden files too."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in store.root.rglob("*")}


def cuts_of(store: Store, front: str) -> Cuts | None:
    """What whoever computes says about noise, which has no record yet."""
    return cut_points_of(store, front, networks.find(store, "digits-b"), 0) if front == controls.NOISE else None


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"seed": 3},
        {"front_layers": ["layer1.0.relu2"], "methods": ["dm"]},
        {"methods": [], "indices": ["opd"]},
        {"tlm": TaskLoss(epochs=2)},
        {"tlm": preset("quick", augment="crop", images=9)},
        {"eval_images": None, "front_layers": None, "end_layers": None},
        {"data": "digits"},
    ],
)
def test_looking_writes_nothing_and_says_what_asking_says(
    digits_store: Store, store: Store, change: dict[str, Any]
) -> None:
    wanted, before = {**SMALL, **change}, files(store)
    looked = resolve(store, "digits-a", "digits-b", **wanted)
    assert files(store) == before
    asked = ask("digits-a", "digits-b", store, **wanted)
    assert (looked.id, looked.request) == (asked.id, asked.request)
    assert store.keys(ROOM) == [asked.id]
    assert looked.record | {"created": ""} == asked.record | {"created": ""}
    before = files(store)
    again = resolve(store, "digits-a", "digits-b", **wanted)
    assert again.record == json.loads(json.dumps(asked.record)), "as it was asked for"
    assert files(store) == before


def test_what_is_there_is_seen_before_it_is_asked_for(done: Store) -> None:
    run = resolve(done, "digits-a", "digits-b", **{**SMALL, "front_layers": ROWS[:1]})
    assert run.complete
    assert plan.missing(run) == []
    assert not done.has(ROOM, run.id)
    assert run.save().id in done.keys(ROOM)


@pytest.mark.parametrize("front", [controls.NOISE, RANDOM])
def test_a_control_that_is_not_made_yet_gives_a_draft(store: Store, front: str) -> None:
    cuts, before = cuts_of(store, front), files(store)
    draft = resolve(store, front, "digits-b", front_cuts=cuts, **WITHOUT_ROWS)
    assert (draft.draft, draft.id, draft.request.front) == (True, "", "")
    assert draft.title.startswith(f"{front.replace(' ', '-')}-s0 → digits-b on ")
    assert (draft.cells, draft.complete, draft.own_accuracy) == ({}, False, None)
    assert {unit.work for unit in plan.missing(draft)} == {"accuracy", "dm", "tlm", "indices"}
    with pytest.raises(ValueError, match="a draft has no id"):
        draft.save()
    assert files(store) == before
    rows = tuple(cuts.defaults()) if cuts else BLOCKS
    assert draft.request.front_layers == rows, "noise has cut points of its own, a fresh network those of X"

    asked = ask(front, "digits-b", store, **WITHOUT_ROWS)
    before = files(store)
    for name in (front, asked.record["front"]["name"]):
        again = resolve(store, name, "digits-b", **WITHOUT_ROWS)
        assert (again.draft, again.id) == (False, asked.id)
        assert again.request == replace(draft.request, front=asked.request.front)
    assert files(store) == before
    assert resolve(store, front, "digits-b", seed=1, front_cuts=cuts, **WITHOUT_ROWS).draft, "another seed's"


def test_a_draft_of_a_control_has_the_layers_that_are_wanted(store: Store) -> None:
    draft = resolve(store, RANDOM, "digits-b", **{**SMALL, "front_layers": ["layer3", "layer1.0.relu2"]})
    assert draft.request.front_layers == ("layer1.0", "layer3.1")
    assert draft.matrix("dm", "accuracy").shape == (2, 2)
    with pytest.raises(UnknownName, match=r"no layer is called 'layer1\.4'"):
        resolve(store, RANDOM, "digits-b", **{**SMALL, "front_layers": ["layer1.4"]})


@pytest.mark.parametrize("front", [controls.NOISE, RANDOM])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"front_layers": ["nope"]}, "no layer is called 'nope'"),
        ({"end_layers": ["flaten"]}, "nearest: flatten"),
        ({"end_layers": []}, "at least one"),
        ({"methods": ["dmm"]}, "no method is called"),
        ({"indices": ["pcca"]}, "no similarity index"),
        ({"methods": [], "indices": []}, "nothing to compute"),
        ({"dm_images": 1258}, "got 1,258"),
        ({"eval_images": 0}, "got 0"),
        ({"seed": -1}, "seed"),
        ({"data": "digit"}, "no data set is called"),
    ],
)
def test_wrong_input_makes_no_control(store: Store, front: str, change: dict[str, Any], message: str) -> None:
    before = files(store)
    with pytest.raises(StitchLabError, match=message):
        resolve(store, front, "digits-b", front_cuts=cuts_of(store, front), **{**WITHOUT_ROWS, **change})
    with pytest.raises(StitchLabError, match=message):
        ask(front, "digits-b", store, **{**WITHOUT_ROWS, **change})
    assert [network.name for network in networks.list_networks(store)] == ["digits-a", "digits-b", "vit"]
    assert {path for path in files(store) if path.parent.name != "data"} == {
        p for p in before if p.parent.name != "data"
    }


def test_cut_points_that_are_not_kept_are_found_by_whoever_computes(store: Store) -> None:
    vit = networks.find(store, "vit")
    cut_points.delete(store, vit.id)
    before = files(store)
    for front, end in (("vit", "digits-b"), ("digits-a", "vit"), ("random-init of vit", "digits-b")):
        with pytest.raises(NotFoundYet, match=r"`layers .*` finds it") as raised:
            resolve(store, front, end)
        assert raised.value.network == vit.id
        assert "`layers vit`" in str(raised.value)
    with pytest.raises(NotFoundYet):
        resolve(store, controls.NOISE, "digits-b")
    assert files(store) == before
    assert resolve(store, "vit", "digits-b", front_cuts=cut_points_of_any(Store(store.root / "aside"), vit)).id
    cut_points_of_any(store, vit)
    assert resolve(store, "vit", "digits-b").request.front_layers == tuple(f"blocks.{b}" for b in range(6))
    cut_points.delete(store, vit.id)
    with pytest.raises(NotFoundYet):
        resolve(store, "vit", "digits-b")


def test_data_that_was_never_loaded_here_is_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="no data set is called 'cifar10'"):
        resolve(store, "digits-a", "digits-b", data="cifar10")
    for key in store.keys("data"):
        store.delete("data", key)
    before = files(store)
    with pytest.raises(UnknownName, match="fingerprint"):
        resolve(store, "digits-a", "digits-b")
    assert files(store) == before


def test_a_run_of_another_store_is_the_same_run(done: Store, store: Store) -> None:
    (run,) = (Run.load(key, done) for key in done.keys(ROOM))
    assert resolve(store, "digits-a", "digits-b", **SMALL).id == run.id
    assert not resolve(store, "digits-a", "digits-b", **SMALL).cells
    assert made(store, methods=["dm"], indices=[]).request.end_layers == tuple(sorted(COLUMNS, reverse=True))


def test_the_augmentation_is_named_when_a_request_is_made(store: Store) -> None:
    """`auto` is what the data set usually has; on digits that is none, so that paper and plain are one request."""
    plain = resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": preset("plain")})
    assert plain.request.tlm == TaskLoss()
    assert resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": preset("paper")}).id == plain.id
    kept = store.get("data", plain.request.data)
    assert kept is not None
    store.put("data", plain.request.data, kept | {"name": "folder:/birds", "shape": [3, 224, 224]})
    made = resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": preset("paper")})
    assert (made.request.tlm.augment, made.id == plain.id) == ("resized-crop", False)


def test_all_training_images_and_no_number_are_one_request(store: Store) -> None:
    every, few = (resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": TaskLoss(images=n)}) for n in (1257, 1256))
    assert every.request.tlm.images is None
    assert few.request.tlm.images == 1256
    with pytest.raises(
        StitchLabError, match="training images for task loss matching: expected a number from 1 to 1,257"
    ):
        resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": TaskLoss(images=1258)})
    without = SMALL | {"methods": ["dm"], "tlm": TaskLoss(images=1258)}
    assert resolve(store, "digits-a", "digits-b", **without).request.tlm == TaskLoss()  # nothing uses it


def test_a_rate_that_soap_would_cap_is_refused(store: Store) -> None:
    with pytest.raises(StitchLabError, match=r"expected at most 0.1, got 0.2"):
        resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": preset("quick", lr=0.2)})
    assert resolve(store, "digits-a", "digits-b", **SMALL | {"tlm": preset("paper", lr=0.2)}).request.tlm.lr == 0.2
