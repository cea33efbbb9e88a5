"""Cut a network at its layers: run it up to a layer, or from a layer on without computing what comes before.

Where torch.fx can trace the network, its graph is cut (`stitchlab.cutting.fx_graph`). Where it cannot, hooks do the
same more slowly, with the same numbers (`stitchlab.cutting.hooks`).

Layers are named by module path. Where several modules share one output, its name is the outermost module that computed
it and is no Sequential or ModuleList. The output of a function is named `module:function`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from stitchlab.cutting.cuttable import CuttableNetwork
from stitchlab.cutting.fuse_bn import Folds, Part, fold_batch_norm
from stitchlab.cutting.fx_graph import TracedNetwork
from stitchlab.cutting.hooks import HookedNetwork
from stitchlab.cutting.tracing import Untraceable
from stitchlab.results.cut_points import CutPoint, Cuts

__all__ = ["CutPoint", "CuttableNetwork", "Layered"]


class Layered(Cuts):
    """Represent a network with its cut points.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        StitchLabError: images of this size do not fit it, or it can be cut nowhere.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        network = _cuttable(module, shape)
        super().__init__(network.points, network.flops, network.nodes, network.traced)
        self._network = network
        self._folds: Folds = {}

    def __repr__(self) -> str:
        """Say what it is: ``<Layered: 38 cut points of a traced network>``."""
        return f"<Layered: {len(self.points)} cut points of a {'traced' if self.traced else 'hooked'} network>"

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to its layers ``names``: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        return self._network.up_to([self.find(name).name for name in names], output=output)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network: activations of layer ``name`` (N, ...) to the network's output."""
        return self._network.after(self.find(name).name)

    def folded(self, part: Part) -> Part:
        """Fold batch norm into the convolutions of a part (`up_to`, `after`); all parts share the folded modules."""
        return fold_batch_norm(part, self._folds)


def _cuttable(module: nn.Module, shape: tuple[int, int, int]) -> CuttableNetwork:
    """Trace a network, or set hooks on it where torch.fx cannot trace it."""
    try:
        return TracedNetwork(module, shape)
    except Untraceable:
        return HookedNetwork(module, shape)
