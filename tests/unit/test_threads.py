"""Threads side by side, as in a notebook: the same weights as alone, captures undisturbed, no generator of others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from toys import noise, seeded

from stitchlab.cutting.hooks import HookedNetwork
from stitchlab.models import create as making
from stitchlab.models import seeded as drawing
from stitchlab.models import store as model_store
from stitchlab.models import zoo
from stitchlab.models.zoo.base import Architecture
from stitchlab.results.networks import Network
from stitchlab.store import Store
from unit.test_networks import toy

SECONDS = 60.0  # that one thread waits for the other at most


class Gate:
    """Where another thread stops until it is told to go on; this one passes."""

    def __init__(self) -> None:
        self.reached, self.opened, self._main = threading.Event(), threading.Event(), threading.get_ident()

    def pass_through(self) -> None:
        if threading.get_ident() != self._main:
            self.reached.set()
            assert self.opened.wait(SECONDS)


def beside(gate: Gate, held_up: Callable[[], Any], meanwhile: Callable[[], object]) -> Any:
    """What ``held_up`` returns in a thread of its own, all of ``meanwhile`` being done while it waits at the gate."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(held_up()))
    thread.start()
    try:
        assert gate.reached.wait(SECONDS)
        meanwhile()
    finally:
        gate.opened.set()
        thread.join(SECONDS)
    assert made, "it raised"
    return made[0]


@pytest.fixture
def gate() -> Gate:
    return Gate()


def of_two_parts(gate: Gate) -> tuple[Architecture, Network]:
    """An architecture that waits between its layers while it is built."""

    def build(classes: int, channels: int, size: int) -> nn.Module:
        first = nn.Linear(channels * size**2, 5)
        gate.pass_through()
        return nn.Sequential(nn.Flatten(), first, nn.Linear(5, classes))

    data = noise()
    network = Network(
        name="n",
        architecture="two",
        options={},
        classes=data.classes,
        channels=1,
        size=8,
        mean=(0.0,),
        std=(1.0,),
        data="noise",
        data_fingerprint="f",
        origin={},
    )
    return Architecture(name="two", label="two", build=build, reference="", optimiser="sgd"), network


def test_weights_are_those_of_the_seed_whatever_other_threads_draw(gate: Gate) -> None:
    found, network = of_two_parts(gate)
    alone = {seed: model_store.build_fresh(network, found, seed).state_dict() for seed in (1, 2)}
    made: list[nn.Module] = []

    def meanwhile() -> None:
        torch.rand(7)
        made.append(model_store.build_fresh(network, found, 2))

    theirs = beside(gate, lambda: model_store.build_fresh(network, found, 1), meanwhile)
    for seed, module in ((1, theirs), (2, made[0])):
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, alone[seed][name]), (seed, name)


def test_what_others_draw_is_theirs(gate: Gate) -> None:
    found, network = of_two_parts(gate)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    theirs: list[Tensor] = []
    beside(gate, lambda: model_store.build_fresh(network, found, 1), lambda: theirs.append(torch.rand(3)))
    assert torch.equal(theirs[0], wanted)
    assert not torch.equal(torch.rand(3), wanted), "a seed of theirs was set back"


@pytest.mark.parametrize("arch", ["tiny10", "resnet14", "vit-nano", "torchvision/swin_t", "torchvision/resnet18"])
def test_a_seed_stands_for_the_weights_it_always_stood_for(arch: str) -> None:
    size = 32 if "/" in arch or arch == "tiny10" else 8
    old = seeded(lambda: zoo.build(arch, classes=4, channels=3, size=size), 11).state_dict()
    with drawing.Seeded(11):
        new = zoo.build(arch, classes=4, channels=3, size=size).state_dict()
    assert all(torch.equal(tensor, new[name]) for name, tensor in old.items())


DRAWS: dict[str, Callable[[], Tensor]] = {
    "xavier": lambda: nn.init.xavier_uniform_(torch.empty(3, 4)),
    "sparse": lambda: nn.init.sparse_(torch.empty(4, 3), 0.5),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(3, 4)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(5)),
    "method": lambda: torch.empty(4).exponential_(),
    "like": lambda: torch.randn_like(torch.empty(4)),
    "integers": lambda: torch.randint(0, 9, (4,)),
    "order": lambda: torch.randperm(9),
    "choice": lambda: torch.multinomial(torch.ones(5), 3),
    "normal": lambda: torch.normal(torch.zeros(3), 1.0),
    "gamma": lambda: torch.distributions.Beta(1.0, 2.0).sample((3,)),
    "recurrent": lambda: nn.GRU(2, 3).get_parameter("weight_hh_l0"),
    "parametrised": lambda: cast(Tensor, nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)).weight),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_every_way_to_draw_takes_the_seeds_generator(draw: str) -> None:
    state = torch.get_rng_state()
    made = []
    for seed in (3, 3, 4):
        with drawing.Seeded(seed):
            made.append(DRAWS[draw]())
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


OWN = """from torch import nn
def plain(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(8, classes))
"""


def test_making_and_loading_networks_draws_nothing_from_the_default_generator(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    store, state = Store(tmp_path / "cache"), torch.get_rng_state()
    for arch in ("resnet14", "vit-nano", f"{tmp_path / 'own.py'}:plain"):
        made = making.untrained(arch, toy(), store, seed=1, device="cpu")
        model_store._module.cache_clear()
        model_store.load(made.id, store, device="cpu")
    assert torch.equal(state, torch.get_rng_state())


class Waits(nn.Module):
    """Waits at the gate within a forward pass."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = [gate]  # not to be copied
        self.conv, self.act, self.fc = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Linear(3 * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.gate[0].pass_through()
        logits: Tensor = self.fc(self.act(x).flatten(1))
        return logits


def test_captures_of_two_threads_and_plain_passes_do_not_meet(gate: Gate) -> None:
    module = seeded(lambda: Waits(gate))
    hooked, one = HookedNetwork(module, (1, 8, 8)), torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    other = one.flip(0) + 1
    with torch.no_grad():
        wanted = {id(x): (hooked.up_to(["act"])(x)[0], module(x)) for x in (one, other)}

    @torch.no_grad()
    def capture(x: Tensor) -> tuple[Tensor, Tensor]:
        (activation,) = hooked.up_to(["act"])(x)
        return activation, hooked.after("act")(activation)

    @torch.no_grad()
    def meanwhile() -> None:
        activation, logits = capture(other)
        assert torch.equal(activation, wanted[id(other)][0])
        torch.testing.assert_close(logits, wanted[id(other)][1])
        assert torch.equal(module(other), wanted[id(other)][1]), "a hook of the other thread"

    activation, logits = beside(gate, lambda: capture(one), meanwhile)
    assert torch.equal(activation, wanted[id(one)][0])
    torch.testing.assert_close(logits, wanted[id(one)][1])
    assert not module.get_submodule("act")._forward_hooks
