"""Implements SOAP for affine maps: Adam in the eigenbasis of Shampoo's preconditioner.

Vyas et al. 2024, arXiv 2409.11321. For the gradient G (D, C+1) of a map [W b], L and R are running means of G Gᵀ and
Gᵀ G; Adam's second moments are kept of Qᴸᵀ G Qᴿ, where Qᴸ and Qᴿ hold their eigenvectors, renewed now and then.
Channels of activations are strongly correlated, so the loss is steep along some of their combinations and flat along
others; in this basis each gets a step of its own. Maps are so small that it costs next to nothing.

All of it is computed in float64, and on a CPU map by map: near-equal eigenvalues amplify rounding, and a product of
several matrices at once rounds differently with their number, so that a cell would depend on its company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from stitchlab.stitch.numerics import exact, precise

FLOOR = 0.01  # of the mean gradient: what lies far below it is noise, and no direction for a step as long as any other
STATE = ("mean", "square", "left", "right", "left_basis", "right_basis")  # what is known of a map, beside its steps
EARLY = 10  # steps at the beginning of which each renews the eigenbases


class Soap(torch.optim.Optimizer):
    """Optimises some affine maps by SOAP.

    Args:
        maps: weights (D, C) with their biases (D,).
        lr: learning rate.
        weight_decay: L2, added to the gradient as in Adam.
        betas: decay of the mean gradient, and of all that is squared. Both are short, for runs of a few dozen steps.
        every: steps between two eigenbases.
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
            # A GPU takes the maps of one shape together: one by one, it would mostly wait for the next command.
            groups.setdefault(weight.shape if weight.is_cuda else len(groups), []).extend((weight, bias))
        settings = {"lr": lr, "weight_decay": weight_decay, "betas": betas, "every": every}
        super().__init__([{"params": parameters} for parameters in groups.values()], settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step. Gradients must be there; ``closure`` is not used.

        A map whose gradient is not finite is not a number from then on, as Adam would have it; no other map is touched.
        """
        for group in self.param_groups:
            weights, biases = group["params"][::2], group["params"][1::2]
            gradient = exact(_joined([w.grad for w in weights], [b.grad for b in biases]))
            if group["weight_decay"]:
                gradient = gradient + group["weight_decay"] * exact(_joined(weights, biases))
            fine = gradient.square().sum((1, 2)).isfinite()[:, None, None]  # (maps, 1, 1): no square of it overflows
            change = group["lr"] * _direction(self.state[weights[0]], gradient.where(fine, 0.0), group)
            moved = change.where(fine, torch.nan).to(weights[0])
            for weight, bias, change in zip(weights, biases, moved, strict=True):
                weight -= change[:, :-1]
                bias -= change[:, -1]

    def known(self, weight: Tensor) -> dict[str, Tensor]:
        """Give what has been learned of a map, by its weight: what `recall` takes."""
        (group,) = (group["params"][::2] for group in self.param_groups if any(p is weight for p in group["params"]))
        place = next(k for k, other in enumerate(group) if other is weight)
        state = self.state[group[0]]
        return {name: torch.tensor(value) if name == "step" else value[place] for name, value in state.items()}

    def recall(self, known: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
        """Go on with what was `known` of every map, by its weight, after equally many steps of all."""
        for group in self.param_groups:
            weights = group["params"][::2]
            parts = [known[weight] for weight in weights]
            for name in STATE:
                value = torch.stack([part[name] for part in parts]).to(precise(weights[0]))
                # Eigenvectors lie column by column, as eigh leaves them: else products with them round differently.
                self.state[weights[0]][name] = value.mT.contiguous().mT if name.endswith("basis") else value
            self.state[weights[0]]["step"] = int(parts[0]["step"])


def _joined(weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Join [W b] of some maps: (maps, D, C+1)."""
    return torch.cat([torch.stack(weights), torch.stack(biases)[:, :, None]], 2)


def _direction(state: dict[str, Any], gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """Compute where to go from here, (maps, D, C+1); the state takes the gradient in."""
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
    if state["step"] < EARLY or state["step"] % group["every"] == 0:
        state |= {f"{side}_basis": torch.linalg.eigh(state[side])[1] for side in ("left", "right")}
    left, right = state["left_basis"], state["right_basis"]
    state["step"] += 1
    state["mean"].lerp_(gradient, 1 - beta1)
    state["square"].lerp_((left.mT @ gradient @ right).square(), 1 - beta2)
    mean = left.mT @ state["mean"] @ right / (1 - beta1 ** state["step"])
    spread = (state["square"] / (1 - beta2 ** state["step"])).sqrt()
    spread = spread + FLOOR * spread.mean((1, 2), keepdim=True) + 1e-30
    direction: Tensor = left @ (mean / spread) @ right.mT
    return direction
