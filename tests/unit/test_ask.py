"""Requests for a grid: what is resolved into their identity, and what is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, SMALL, folder, made

from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split
from stitchlab.errors import StitchLabError
from stitchlab.grid.ask import ask, compare
from stitchlab.models import create as making
from stitchlab.models.device import pick_device
from stitchlab.request import TaskLoss
from stitchlab.results import networks
from stitchlab.stitch.pair import load_pair
from stitchlab.store import Store


def test_names_are_resolved_before_anything_gets_its_identity(digits_store: Store, store: Store) -> None:
    front, end = networks.find(store, "digits-a"), networks.find(store, "digits-b")
    wanted = ask("digits-a", "digits-b", store, **SMALL).id
    for change in (
        {"front_layers": ["layer3", "layer1.0.relu2", "layer3.1"]},
        {"end_layers": COLUMNS[::-1]},
        {"data": "digits"},
        {"methods": ["dm", "tlm", "dm"]},
        {"indices": ["opd", "cka-debiased", "cka", "pwcca"]},
        {"seed": 0},
    ):
        assert ask("digits-a", "digits-b", store, **{**SMALL, **change}).id == wanted
    assert ask(front.id, end.short, store, **SMALL).id == wanted
    networks.rename(store, "digits-a", "renamed")
    assert ask("renamed", "digits-b", store, **SMALL).id == wanted
    everything = {**SMALL, "eval_images": None}
    assert (
        ask("renamed", "digits-b", store, **everything).id
        == ask("renamed", "digits-b", store, **{**SMALL, "eval_images": 540}).id
        != wanted
    )


def test_settings_that_nothing_uses_do_not_change_the_id(store: Store) -> None:
    def the_id(**change: Any) -> str:
        return ask("digits-a", "digits-b", store, **{**SMALL, **change}).id

    assert the_id(methods=["dm"], tlm=TaskLoss(epochs=3)) == the_id(methods=["dm"])
    assert the_id(methods=["tlm"], dm_images=7) == the_id(methods=["tlm"])
    started = TaskLoss(epochs=1, init="dm")
    assert the_id(methods=["tlm"], dm_images=7, tlm=started) != the_id(methods=["tlm"], tlm=started)


def test_all_layers_by_default(store: Store) -> None:
    request = ask("digits-a", "vit", store).request
    assert request.front_layers == tuple(f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1))
    assert request.end_layers == tuple(f"blocks.{b}" for b in range(6))
    assert (request.eval_images, request.dm.images, request.tlm) == (540, 100, TaskLoss())
    assert (request.methods, request.seed) == (("tlm", "dm"), 0)
    assert request.indices == ("cka", "cka-debiased", "pwcca", "opd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"front": "digit-a"}, "no network is called 'digit-a'; nearest: digits-a"),
        ({"end": "x"}, "no network is called 'x'"),
        ({"front_layers": ["layer1.4"]}, r"no layer is called 'layer1\.4'; nearest: .*layer1\.[01]"),
        ({"end_layers": ["flaten"]}, "nearest: flatten"),
        ({"front_layers": ["layer1.0.conv1"]}, "no layer is called"),
        ({"methods": ["dmm"]}, "no method is called 'dmm'; nearest: dm"),
        ({"indices": ["pcca"]}, "no similarity index is called 'pcca'; nearest: .*pwcca"),
        ({"null": 10}, "permutations of a null: expected 25 or more .*, or 0 for none"),
        ({"null": 200, "eval_images": 5}, "a null of 200 permutations needs 6 evaluation images or more; got 5"),
        ({"data": "digit"}, "no data set is called 'digit'; nearest: digits"),
        ({"data": "cifar10"}, "CIFAR-10 is not on this machine"),
        ({"dm_images": 1258}, "from 1 to 1,257 .*, got 1,258"),
        ({"dm_images": 0}, "got 0"),
        ({"eval_images": 541}, "from 1 to 540 .*, got 541"),
        ({"eval_images": 0}, "got 0"),
        ({"methods": [], "indices": []}, "nothing to compute"),
        ({"front_layers": []}, "at least one front layer"),
        ({"end_layers": []}, "at least one"),
        ({"seed": 10**30}, "seed"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(store: Store, change: dict[str, Any], message: str) -> None:
    wanted = {"front": "digits-a", "end": "digits-b", **SMALL, **change}
    with pytest.raises(StitchLabError, match=message) as raised:
        ask(wanted.pop("front"), wanted.pop("end"), store, **wanted)
    assert "\n" not in str(raised.value)
    assert not (store.root / "runs").exists()


def test_an_unknown_device_is_refused(store: Store) -> None:
    with pytest.raises(StitchLabError, match="no device is called 'gpu'"):
        compare("digits-a", "digits-b", store=store, device="gpu", **SMALL)


def test_other_classes_are_refused_for_the_end_and_not_for_the_front(store: Store, tmp_path: Path) -> None:
    letters = datasets.load(folder(tmp_path / "letters", "abc", colour=False), store)
    making.train("resnet14", letters, store, name="letters", epochs=1, device="cpu")
    with pytest.raises(StitchLabError, match=r"end network digits-b predicts 10 classes and letters has 3"):
        ask("letters", "digits-b", store, **{**SMALL, "data": letters.name})
    with pytest.raises(StitchLabError, match=r"end network letters predicts 3 classes and Digits has 10"):
        ask("digits-a", "letters", store, **{**SMALL, "data": "digits"})
    run = made(store, "letters", "digits-b")
    assert run.complete
    assert run.request.data == datasets.load("digits", store).fingerprint


def test_images_are_brought_to_other_channels_and_sizes(store: Store, tmp_path: Path) -> None:
    colours = datasets.load(folder(tmp_path / "colours", "0123456789", colour=True, size=12), store)
    making.train("resnet14", colours, store, name="colours", epochs=1, device="cpu")
    assert made(store, "colours", "digits-b").complete
    few = {"front_layers": ["blocks.1"], "end_layers": ["layer1.0"], "dm_images": 20, "eval_images": 10}
    assert made(store, "vit", "colours", data=colours.name, **few).complete


def test_k_matters_only_where_it_is_used(store: Store, tmp_path: Path) -> None:
    """A data set of thirty training images has no hundred for direct matching."""
    letters = datasets.load(folder(tmp_path / "letters", "abc", colour=False), store)
    making.train("resnet14", letters, store, name="letters", epochs=1, device="cpu")
    with pytest.raises(StitchLabError, match=r"from 1 to 30 .*, got 100"):
        ask("letters", "letters", store)
    assert ask("letters", "letters", store, methods=["tlm"]).total == 36 * 5
    assert ask("letters", "letters", store, methods=[]).total == 36 * 4
    with pytest.raises(StitchLabError, match=r"from 1 to 30 .*, got 100"):
        ask("letters", "letters", store, methods=["tlm"], tlm=TaskLoss(init="dm"))


def test_a_data_set_without_a_store_record_is_no_use(store: Store) -> None:
    """The request names data by its fingerprint; what was never loaded here cannot be named."""
    split = Split(np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, np.int64))
    strange = DataSet("strange", "Strange", ("a",), split, split, "0" * 64)
    request = replace(ask("digits-a", "digits-b", store, **SMALL).request, data=strange.fingerprint)
    with pytest.raises(StitchLabError, match="no data set's fingerprint is called"):
        load_pair(store, request, torch.device("cpu"))


def test_the_device_is_picked() -> None:
    picked: Callable[[str], torch.device] = pick_device
    assert picked("cpu").type == "cpu"
    assert picked("auto").type in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(StitchLabError, match="no cuda device"):
            picked("cuda")
