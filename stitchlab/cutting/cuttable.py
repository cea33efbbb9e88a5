"""Define what both ways to run a network up to a cut point, and from there on, have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from stitchlab.results.cut_points import CutPoint


class CuttableNetwork(Protocol):
    """Describe a network with its cut points, whichever way its parts are run.

    `stitchlab.cutting.fx_graph.TracedNetwork` runs parts of a traced graph,
    `stitchlab.cutting.hooks.HookedNetwork` runs modules with forward hooks.

    Attributes:
        points: all cut points, in network order.
        flops: floating point operations of one image through the whole network.
        nodes: how many places were looked at.
        traced: whether the parts are those of a torch.fx graph, which run faster.
    """

    points: list[CutPoint]
    flops: int
    nodes: int
    traced: bool

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to these cut points: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        ...

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network: activations of layer ``name`` (N, ...) to the network's output."""
        ...
