"""Implement SOAP for affine maps: Adam in the eigenbasis of Shampoo's preconditioner.

Vyas et al. 2024, arXiv 2409.11321. For the gradient G (D, C+1) of a map [W b], L and R are running means of G Gᵀ and
Gᵀ G. Qᴸ and Qᴿ hold their eigenvectors, which are recomputed every few steps, and Adam's second moments are those of
Qᴸᵀ G Qᴿ. Channels of activations are strongly correlated, so the loss is steep along some of their combinations and
flat along others; in this basis each combination gets a step size of its own. The maps are so small that this costs
next to nothing.

Everything is computed in float64, and on a CPU map by map. Near-equal eigenvalues amplify rounding, and a product of
several matrices at once rounds differently with their number: a cell's numbers would depend on the other cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

import torch
from torch import Tensor

from stitchlab.stitch.numerics import float64_device, to_float64

GRADIENT_FLOOR = 0.01  # share of the mean gradient size; smaller gradients are noise and must not get full steps
STATE_TENSORS = ("mean", "square", "left", "right", "left_basis", "right_basis")  # kept of a map, beside its step count
EARLY_STEPS = 10  # each of the first so many steps recomputes the eigenbases


class Soap(torch.optim.Optimizer):
    """Optimise several affine maps by SOAP.

    Args:
        maps: weights (D, C) with their biases (D,).
        lr: learning rate.
        weight_decay: L2, added to the gradient as in Adam.
        betas: decay of the mean gradient, and of all squares. Both are small, for runs of a few dozen steps.
        every: number of steps from one computation of the eigenbases to the next.
    """

    def __init__(
        self,
        maps: Iterable[tuple[Tensor, Tensor]],
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.6, 0.9),
        every: int = 10,
    ) -> None:
        groups: dict[Any, list[Tensor]] = {}
        for weight, bias in maps:
            # On a GPU all maps of one shape are updated together: one by one, the GPU would mostly wait for commands.
            groups.setdefault(weight.shape if weight.is_cuda else len(groups), []).extend((weight, bias))
        settings = {"lr": lr, "weight_decay": weight_decay, "betas": betas, "every": every}
        super().__init__([{"params": parameters} for parameters in groups.values()], settings)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step on gradients that were computed before, or by ``closure``, whose loss is returned.

        A map whose gradient is not finite becomes NaN and stays so, as with Adam; no other map changes.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights, biases = group["params"][::2], group["params"][1::2]
            gradient = to_float64(_joined([w.grad for w in weights], [b.grad for b in biases]))
            if group["weight_decay"]:
                gradient = gradient + group["weight_decay"] * to_float64(_joined(weights, biases))
            # (maps, 1, 1); squares overflow before the gradient itself does
            is_finite = gradient.square().sum((1, 2)).isfinite()[:, None, None]
            changes = group["lr"] * _direction(self.state[weights[0]], gradient.where(is_finite, 0.0), group)
            changes = changes.where(is_finite, torch.nan).to(weights[0])
            for weight, bias, change in zip(weights, biases, changes, strict=True):
                weight -= change[:, :-1]
                bias -= change[:, -1]
        return loss

    def state_of(self, weight: Tensor) -> dict[str, Tensor]:
        """Return the state of the map with this weight, in the form that `restore` takes."""
        (weights,) = (group["params"][::2] for group in self.param_groups if any(p is weight for p in group["params"]))
        index = next(k for k, candidate in enumerate(weights) if candidate is weight)
        state = self.state[weights[0]]
        return {name: torch.tensor(value) if name == "step" else value[index] for name, value in state.items()}

    def restore(self, states: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
        """Continue from the states (`state_of`) of all maps, by their weights; all have taken equally many steps."""
        for group in self.param_groups:
            weights = group["params"][::2]
            group_states = [states[weight] for weight in weights]
            for name in STATE_TENSORS:
                value = torch.stack([state[name] for state in group_states]).to(float64_device(weights[0]))
                # Eigenvectors are stored column by column, as eigh returns them: otherwise their products would round
                # differently.
                self.state[weights[0]][name] = value.mT.contiguous().mT if name.endswith("basis") else value
            self.state[weights[0]]["step"] = int(group_states[0]["step"])


def _joined(weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Join weights and biases to [W b] (maps, D, C+1)."""
    return torch.cat([torch.stack(weights), torch.stack(biases)[:, :, None]], 2)


def _direction(state: dict[str, Any], gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """Update the state by the gradient, and compute the direction of the step from it, (maps, D, C+1)."""
    beta1, beta2 = group["betas"]
    if not state:
        rows, columns = gradient.shape[1:]
        state |= {
            "step": 0,
            "mean": torch.zeros_like(gradient),
            "square": torch.zeros_like(gradient),
            "left": gradient.new_zeros(len(gradient), rows, rows),
            "right": gradient.new_zeros(len(gradient), columns, columns),
        }
    state["left"].lerp_(gradient @ gradient.mT, 1 - beta2)
    state["right"].lerp_(gradient.mT @ gradient, 1 - beta2)
    if state["step"] < EARLY_STEPS or state["step"] % group["every"] == 0:
        state |= {f"{side}_basis": torch.linalg.eigh(state[side])[1] for side in ("left", "right")}
    left, right = state["left_basis"], state["right_basis"]
    state["step"] += 1
    state["mean"].lerp_(gradient, 1 - beta1)
    state["square"].lerp_((left.mT @ gradient @ right).square(), 1 - beta2)
    mean = left.mT @ state["mean"] @ right / (1 - beta1 ** state["step"])
    root_mean_square = (state["square"] / (1 - beta2 ** state["step"])).sqrt()
    root_mean_square = root_mean_square + GRADIENT_FLOOR * root_mean_square.mean((1, 2), keepdim=True) + 1e-30
    direction: Tensor = left @ (mean / root_mean_square) @ right.mT
    return direction
