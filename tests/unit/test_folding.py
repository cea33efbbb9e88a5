"""Batch norm folded into convolutions: the same function, and nothing that anybody looks at is gone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import fx, nn
from toys import fresh, noise, pair

from stitchlab.cutting.fuse_bn import fold_batch_norm
from stitchlab.cutting.layered import Layered
from stitchlab.models.store import LoadedNetwork

DATA = noise(channels=3, size=32)


def network(arch: str) -> LoadedNetwork:
    """In float64, with batch norm statistics that matter."""
    made = fresh(arch, DATA)
    made.module.double()
    return made


def norms(run: object) -> int:
    assert isinstance(run, fx.GraphModule)
    return sum(
        isinstance(run.get_submodule(str(node.target)), nn.BatchNorm2d)
        for node in run.graph.nodes
        if node.op == "call_module"
    )


@pytest.mark.parametrize("arch", ["tiny10", "resnet14", "torchvision/mobilenet_v3_small", "vit-tiny"])
def test_tails_and_fronts_are_the_same_function(arch: str) -> None:
    made = network(arch)
    before = copy.deepcopy(made.module.state_dict())
    cuts = Layered(made.module, made.input)
    names = cuts.defaults()
    images = torch.randn(3, *made.input, dtype=torch.float64)
    whole = cuts.up_to(names)(images)
    for ours, theirs in zip(fold_batch_norm(cuts.up_to(names))(images), whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    for name, activation in zip(names, whole, strict=True):
        tail = fold_batch_norm(cuts.after(name))
        torch.testing.assert_close(tail(activation), cuts.after(name)(activation), rtol=1e-9, atol=1e-10)
        if arch != "vit-tiny":
            assert norms(tail) == 0
    assert all(torch.equal(value, before[name]) for name, value in made.module.state_dict().items())
    assert not any(name.startswith("folded") for name, _ in made.module.named_modules())


def stored(*parts: object) -> int:
    """How many numbers lie in memory for these, each counted once."""
    modules = [part for part in parts if isinstance(part, nn.Module)]
    assert len(modules) == len(parts)
    return sum({t.data_ptr(): t.numel() for m in modules for t in (*m.parameters(), *m.buffers())}.values())


def test_all_tails_and_fronts_share_one_folded_copy() -> None:
    made = fresh("resnet18", DATA, width=8)
    both = pair(made, made, DATA)
    names = both.end_cuts.defaults()
    assert len(names) == 8
    tails = [both.tail(name) for name in names]
    fronts = [both.end_cuts.folded(both.end_cuts.up_to(names[:k])) for k in (3, 8)]
    assert stored(made.module, *tails, *fronts) < 2.05 * stored(made.module)
    alone = [fold_batch_norm(both.end_cuts.after(name)) for name in names]
    images = torch.randn(2, *made.input, generator=torch.Generator().manual_seed(0))
    for activation, tail, other in zip(fronts[1](images), tails, alone, strict=True):
        assert torch.equal(tail(activation), other(activation))


def test_what_is_asked_for_stays() -> None:
    made = network("tiny10")
    cuts = Layered(made.module, made.input)
    images = torch.randn(2, *made.input, dtype=torch.float64)
    run = fold_batch_norm(cuts.up_to(["conv2", "bn3", "relu4"]))
    for ours, theirs in zip(run(images), cuts.up_to(["conv2", "bn3", "relu4"])(images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    assert norms(run) == 1, "conv2 is looked at, so the norm behind it stays"
    tail = fold_batch_norm(cuts.after("conv1"))
    assert norms(tail) == 1, "its convolution came before the tail"


def test_what_cannot_be_folded_is_left_alone() -> None:
    def plain(x: torch.Tensor) -> torch.Tensor:
        return x

    assert fold_batch_norm(plain) is plain
    learning = fx.symbolic_trace(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train())
    assert norms(fold_batch_norm(learning)) == 1
    of_the_batch = nn.BatchNorm2d(2, track_running_stats=False)
    assert norms(fold_batch_norm(fx.symbolic_trace(nn.Sequential(nn.Conv2d(1, 2, 1), of_the_batch).eval()))) == 1
