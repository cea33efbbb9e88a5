"""SOAP against the formulas in NumPy, and what makes it worth having."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchlab.stitch import soap
from stitchlab.stitch.soap import Soap

Loss = Callable[[Tensor, Tensor], Tensor]


def trained(loss: Loss, weight: Tensor, bias: Tensor, steps: int, **how: Any) -> tuple[Tensor, Tensor]:
    w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    optimiser = Soap([(w, b)], **how)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(w, b).backward()
        optimiser.step()
    return w.detach(), b.detach()


def problem(seed: int = 0, rows: int = 60, spread: float = 30.0) -> tuple[Tensor, Tensor, Loss]:
    """Least squares onto 3 targets from 5 features that are shifted and of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))[0]
    sizes = torch.logspace(0, -np.log10(spread), 5, dtype=torch.float64)
    x = (torch.randn(rows, 5, generator=generator, dtype=torch.float64) * sizes) @ mixed + 1
    y = x @ torch.randn(5, 3, generator=generator, dtype=torch.float64) + 2
    return x, y, lambda w, b: (x @ w.T + b - y).square().mean()


def test_steps_are_those_of_the_formulas() -> None:
    _, _, loss = problem()
    weight, bias = torch.zeros(3, 5, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    ours = trained(loss, weight, bias, 25, lr=0.05, weight_decay=0.1)
    w = np.zeros((3, 6))
    mean, square, left, right = np.zeros((3, 6)), np.zeros((3, 6)), np.zeros((3, 3)), np.zeros((6, 6))
    for step in range(25):
        one, other = (torch.tensor(part, requires_grad=True) for part in (w[:, :5], w[:, 5]))
        loss(one, other).backward()
        assert one.grad is not None
        assert other.grad is not None
        g = np.column_stack([one.grad.numpy(), other.grad.numpy()]) + 0.1 * w
        left, right = 0.9 * left + 0.1 * g @ g.T, 0.9 * right + 0.1 * g.T @ g
        if step < soap.EARLY_STEPS or step % 10 == 0:
            ql, qr = np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]
        mean = 0.6 * mean + 0.4 * g
        square = 0.9 * square + 0.1 * (ql.T @ g @ qr) ** 2
        spread = np.sqrt(square / (1 - 0.9 ** (step + 1)))
        turned = ql.T @ (mean / (1 - 0.6 ** (step + 1))) @ qr / (spread + soap.GRADIENT_FLOOR * spread.mean())
        w = w - 0.05 * ql @ turned @ qr.T
    np.testing.assert_allclose(np.column_stack([ours[0].numpy(), ours[1].numpy()]), w, atol=1e-6)


def test_turning_the_channels_turns_the_map() -> None:
    """Its steps do not depend on the basis that channels are written in; Adam's do."""
    x, y, loss = problem()
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(9), dtype=torch.float64))[0]
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    bias = torch.zeros(3, dtype=torch.float64)
    straight = trained(loss, weight, bias, 15, lr=0.05)
    turned = trained(lambda w, b: (x @ turn.T @ w.T + b - y).square().mean(), weight @ turn.T, bias, 15, lr=0.05)
    torch.testing.assert_close(turned[0] @ turn, straight[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(turned[1], straight[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_it_gets_further_than_adam_where_channels_are_correlated(seed: int) -> None:
    _, _, loss = problem(seed)
    start = torch.zeros(3, 5, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    best = {}
    for name in ("soap", "adam"):
        best[name] = min(_left_over(name, loss, *start, lr) for lr in (0.01, 0.03, 0.1, 0.3))
    assert best["soap"] < best["adam"] / 2


def _left_over(name: str, loss: Loss, weight: Tensor, bias: Tensor, lr: float) -> float:
    w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    optimiser = Soap([(w, b)], lr) if name == "soap" else torch.optim.Adam([w, b], lr)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=101, cycle_momentum=name == "adam")
    for _ in range(100):
        optimiser.zero_grad()
        loss(w, b).backward()
        optimiser.step()
        cycle.step()
    return float(loss(w, b).detach())


def test_maps_of_many_shapes_step_together_as_alone() -> None:
    shapes = [(3, 5), (2, 5), (3, 5), (4, 1)]
    maps = [(torch.randn(*shape, dtype=torch.float64), torch.randn(shape[0], dtype=torch.float64)) for shape in shapes]
    goals = [torch.randn(shape[0], dtype=torch.float64) for shape in shapes]

    def loss(k: int) -> Loss:
        return lambda w, b: (w.sum(1) * (k + 1) + b - goals[k]).square().sum()

    together = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in maps]
    optimiser = Soap(together, 0.05)
    for _ in range(12):
        optimiser.zero_grad()
        torch.stack([loss(k)(*pair) for k, pair in enumerate(together)]).sum().backward()
        optimiser.step()
    for k, (start, made) in enumerate(zip(maps, together, strict=True)):
        alone = trained(loss(k), *start, 12, lr=0.05)
        assert torch.equal(made[0].detach(), alone[0])
        assert torch.equal(made[1].detach(), alone[1])


def test_directions_without_a_gradient_stay() -> None:
    """A dead channel's weights do not move on rounding errors."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 4, generator=generator)
    x[:, 2] = 0
    y = torch.randn(50, 2, generator=generator)
    weight = torch.randn(2, 4, generator=generator)
    made, _ = trained(lambda w, b: (x @ w.T + b - y).square().mean(), weight, torch.zeros(2), 40, lr=0.1)
    torch.testing.assert_close(made[:, 2], weight[:, 2], atol=1e-3, rtol=0)
    assert float((made - weight).abs().max()) > 0.1
