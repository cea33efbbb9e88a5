"""Controls: noise and untrained networks as fronts, which a good measure rates low; ViT and ResNet stitched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from stitchlab.cutting.layered import Layered
from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.grid.ask import ask, compare
from stitchlab.models import controls, zoo
from stitchlab.models import create as making
from stitchlab.models import store as model_store
from stitchlab.request import TaskLoss
from stitchlab.results import networks
from stitchlab.store import Store

SMALL: dict[str, Any] = {
    "end_layers": ["layer3.1"],
    "eval_images": 200,
    "tlm": TaskLoss(epochs=10),
    "indices": ["cka", "cka-debiased", "pwcca"],
}


def test_noise_is_noise() -> None:
    module = zoo.build("noise", classes=10, channels=1, size=8).eval()
    cuts = Layered(module, (1, 8, 8))
    images = torch.randint(0, 256, (400, 1, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
    every = cuts.up_to(cuts.defaults())(images)
    for activation in every:
        values = activation.flatten(1).double()
        assert abs(float(values.mean())) < 0.02
        assert float(values.var()) == pytest.approx(1, abs=0.02)
        assert stats.kstest(values[:, 0].numpy(), "norm").pvalue > 1e-3
        between = torch.corrcoef(values)  # images
        assert float((between - torch.eye(len(between))).abs().mean()) < 1.5 / values.shape[1] ** 0.5
        across = torch.corrcoef(values[:, :100].T)  # units
        assert float((across - torch.eye(100)).abs().max()) < 0.3
    joined = torch.corrcoef(torch.stack([every[0].flatten(), every[1].flatten()]))
    assert abs(float(joined[0, 1])) < 0.02


def test_noise_depends_on_the_image_alone() -> None:
    module = zoo.build("noise", classes=10, channels=1, size=8).eval()
    images = torch.randint(0, 256, (20, 1, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
    out = module.get_submodule("blocks")(images)
    assert torch.equal(module.get_submodule("blocks")(images[7:8]), out[7:8])
    rounded = torch.nextafter(images, torch.ones(()))
    assert torch.equal(module.get_submodule("blocks")(rounded), out), "the last bit may differ between machines"
    swapped = images.clone()
    swapped[:, :, 0, 0], swapped[:, :, 0, 1] = images[:, :, 0, 1], images[:, :, 0, 0]
    other = module.get_submodule("blocks")(swapped)
    moved = (swapped != images).flatten(1).any(1)
    assert moved.any()
    assert (other != out).flatten(1).any(1)[moved].all()


def test_a_noise_front_is_rated_low(store: Store) -> None:
    noise = compare("noise", "digits-b", store=store, device="cpu", front_layers=["blocks.5"], **SMALL)
    same = compare("digits-a", "digits-b", store=store, device="cpu", front_layers=["layer3.1"], **SMALL)
    assert noise.complete
    for method, metric, higher in (
        ("dm", "accuracy", True),
        ("tlm", "accuracy", True),
        ("cka", "similarity", True),
        ("cka-debiased", "similarity", True),
        ("dm", "distance", False),
        ("pwcca", "distance", False),
    ):
        low, high = (float(run.matrix(method, metric)[0, 0]) for run in (noise, same))
        assert (low < high) == higher, (method, metric, low, high)
    assert float(noise.matrix("dm", "accuracy")[0, 0]) < 0.3
    assert noise.front_accuracy is not None
    assert noise.front_accuracy < 0.25
    assert noise.record["front"]["origin"]["control"] == "noise"


def test_a_control_is_made_once_a_seed(store: Store) -> None:
    end = networks.find(store, "digits-b")
    before = len(networks.list_networks(store))
    first = controls.front(store, "random-init of digits-a", end, 0)
    assert controls.front(store, "random-init of digits-a", end, 0).id == first.id
    assert controls.front(store, "random-init of digits-a", end, 1).id != first.id
    assert len(networks.list_networks(store)) == before + 2
    trained = model_store.load("digits-a", store, device="cpu").module
    fresh = model_store.load(first.id, store, device="cpu").module
    assert trained is not None
    assert fresh is not None
    assert not torch.equal(trained.get_parameter("conv1.weight"), fresh.get_parameter("conv1.weight"))
    assert (first.architecture, first.mean, first.accuracy) == ("resnet14", networks.find(store, "digits-a").mean, None)
    noises = [controls.front(store, "noise", networks.find(store, name), 0).id for name in ("digits-b", "vit")]
    assert noises[0] == noises[1]
    assert controls.front(store, "digits-a", end, 5).name == "digits-a"


def test_the_same_request_is_the_same_run(store: Store, tmp_path: Path) -> None:
    run = ask("random-init of digits-a", "digits-b", store, **SMALL)
    assert ask("random-init of digits-a", "digits-b", store, **SMALL).id == run.id
    assert ask(run.record["front"]["name"], "digits-b", store, **SMALL).id == run.id
    assert ask("random-init of digits-a", "digits-b", store, **SMALL, seed=1).id != run.id


@pytest.mark.parametrize(
    ("front", "end", "message"),
    [
        ("random-init of digit-a", "digits-b", "no network is called 'digit-a'; nearest: digits-a"),
        ("random", "digits-b", "no network is called 'random'"),
        ("digits-a", "noise", "no network is called 'noise'"),
    ],
)
def test_controls_that_are_none(store: Store, front: str, end: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        ask(front, end, store, **SMALL)


def test_names_of_controls_are_reserved(store: Store) -> None:
    with pytest.raises(StitchLabError, match="'noise' names a control"):
        networks.rename(store, "vit", "noise")


def test_vit_and_resnet_are_stitched_both_ways(store: Store) -> None:
    digits = datasets.load("digits", store)
    making.train("vit-nano", digits, store, name="trained-vit", epochs=3, device="cpu")
    for front, end in (("trained-vit", "digits-b"), ("digits-a", "trained-vit")):
        run = compare(front, end, store=store, device="cpu", methods=["dm"], indices=["cka"], eval_images=200)
        assert run.complete
        assert run.matrix("dm", "accuracy").max() > 0.5
    deep = compare(
        "trained-vit",
        "trained-vit",
        store=store,
        device="cpu",
        methods=["dm"],
        indices=[],
        front_layers=["blocks.4"],
        end_layers=["blocks.4"],
    )
    own = deep.own_accuracy
    assert own is not None
    assert float(deep.matrix("dm", "accuracy")[0, 0]) > own - 0.03, "onto itself it is the network itself"


def test_a_front_of_other_classes_has_no_accuracy_there(store: Store) -> None:
    network = model_store.load("digits-a", store, device="cpu")
    assert network.module is not None
    model_store.save(store, replace(network, name="foreign", classes=("a",) * 10, accuracy=None, id=""), network.module)
    run = compare("foreign", "digits-b", store=store, device="cpu", front_layers=["layer3.1"], **SMALL)
    assert run.front_accuracy is None
    assert run.provenance()["front_accuracy"] == "not defined: it was trained on other classes"
    known = compare("digits-a", "digits-b", store=store, device="cpu", front_layers=["layer3.1"], **SMALL)
    assert known.front_accuracy is not None
    assert known.provenance()["front_accuracy"] == known.front_accuracy
    assert float(run.matrix("tlm", "accuracy")[0, 0]) == float(known.matrix("tlm", "accuracy")[0, 0])


def test_untrained_networks_of_one_architecture_are_one_control(store: Store) -> None:
    end = networks.find(store, "digits-b")
    one = controls.front(store, "random-init of digits-a", end, 0)
    assert controls.front(store, "random-init of digits-b", end, 0).id == one.id


def test_noise_is_no_end_network(store: Store) -> None:
    noise = controls.front(store, "noise", networks.find(store, "digits-b"), 0)
    with pytest.raises(StitchLabError, match="is noise, into which nothing can be stitched"):
        ask("digits-a", noise.id, store)


def test_a_control_is_measured_on_request(store: Store) -> None:
    made = controls.front(store, "random-init of digits-a", networks.find(store, "digits-b"), 0)
    assert (made.accuracy, made.unmeasured) == (None, "not measured")
    counts = making.measure(store, made.id, datasets.load("digits", store))
    assert networks.find(store, made.id).accuracy == int(counts.trace()) / 540
