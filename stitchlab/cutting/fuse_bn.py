"""Fold batch norm into the convolution before it: in a frozen network the two are one affine map.

Batch norm with fixed statistics scales and shifts every channel, and a convolution with other weights can do the same
(Jacob et al. 2018, "Quantization and Training of Neural Networks…", eq. 14). This saves one pass over the activations
in the forward direction, and one in the backward direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_NORM_OF_CONVOLUTION: dict[type, type] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}

#: Folded convolutions of one network, by the names of convolution and batch norm.
Folds = dict[tuple[str, str], nn.Module]

#: What runs a part of a network: everything up to some layers, or everything after one.
Part = TypeVar("Part", bound=Callable[..., object])


def fold_batch_norm(part: Part, folds: Folds | None = None) -> Part:
    """Fold every batch norm into its convolution, where nothing else uses that convolution's output.

    A graph of torch.fx (in eval mode) is changed in place, its modules are not. Anything else is returned unchanged.
    Each fold is made once and kept in ``folds``, so that all parts of one frozen network share it.
    """
    if not isinstance(part, fx.GraphModule):
        return part
    folds = {} if folds is None else folds
    for node in list(part.graph.nodes):
        if (convolution := _convolution_before(node, part)) is None:
            continue
        name, names = f"folded_{node.name}", (str(convolution.target), str(node.target))
        if names not in folds:
            convolution_module: Any = part.get_submodule(names[0])
            norm_module: Any = part.get_submodule(names[1])
            folds[names] = fuse_conv_bn_eval(convolution_module, norm_module).requires_grad_(False)
        part.add_submodule(name, folds[names])
        with part.graph.inserting_before(node):
            replacement = part.graph.call_module(name, convolution.args, convolution.kwargs)
        node.replace_all_uses_with(replacement)
        part.graph.erase_node(node)
        part.graph.erase_node(convolution)
    part.recompile()
    return part


def _convolution_before(node: fx.Node, part: fx.GraphModule) -> fx.Node | None:
    """Return the convolution that this node normalises, if it is a batch norm that can be folded."""
    if node.op != "call_module" or not node.args or not isinstance(before := node.args[0], fx.Node):
        return None
    if before.op != "call_module" or len(before.users) > 1:
        return None
    convolution, norm = part.get_submodule(str(before.target)), part.get_submodule(str(node.target))
    is_its_norm = _NORM_OF_CONVOLUTION.get(type(convolution)) is type(norm)
    has_statistics = getattr(norm, "running_mean", None) is not None
    return before if is_its_norm and has_statistics and not (convolution.training or norm.training) else None
