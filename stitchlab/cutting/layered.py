"""Cut a network at its layers: run it up to a layer, or from a layer on without computing what comes before.

On the torch.fx graph where it can be traced (`stitchlab.cutting.fx_graph`); by hooks where it cannot
(`stitchlab.cutting.hooks`), with the same numbers, more slowly. Layers are named by module path; where several modules
share one output, by the outermost that made it and is no Sequential or ModuleList; a function's is `module:function`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from stitchlab.cutting.fuse_bn import Folds, Run, folded
from stitchlab.cutting.fx_graph import Graph
from stitchlab.cutting.hooks import Hooked
from stitchlab.cutting.tracing import Untraceable
from stitchlab.results.cut_points import CutPoint, Cuts

__all__ = ["CutPoint", "Layered"]


class Layered(Cuts):
    """Represent a network with its cut points.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        StitchLabError: images of this size do not fit it, or it can be cut nowhere.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        self._way: Graph | Hooked
        try:
            self._way = Graph(module, shape)
        except Untraceable:
            self._way = Hooked(module, shape)
        self._folds: Folds = {}
        way = self._way
        super().__init__(way.points, way.flops, way.nodes, isinstance(way, Graph))

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to its layers ``names``: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        return self._way.up_to([self.find(name).name for name in names], output=output)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network: activations of layer ``name`` (N, ...) to the network's output."""
        return self._way.after(self.find(name).name)

    def folded(self, part: Run) -> Run:
        """Fold batch norm into the convolutions of a part (`up_to`, `after`), once for all parts."""
        return folded(part, self._folds)
