"""Fold batch norm into the convolution before it: in a frozen network the two are one affine map.

Batch norm with fixed statistics scales and shifts every channel, and so does a convolution with other weights (Jacob et
al. 2018, "Quantization and Training of Neural Networks…", eq. 14). It saves a pass over the activations each way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_NORM: dict[type, type] = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}

#: Folded convolutions of one network, by the names of convolution and batch norm.
Folds = dict[tuple[str, str], nn.Module]
Run = TypeVar("Run", bound=Callable[..., object])


def folded(run: Run, known: Folds | None = None) -> Run:
    """Fold every batch norm into its convolution, where nothing else uses that convolution's output.

    A graph of torch.fx (in eval mode) is changed in place, its modules are not; anything else is returned as it came.
    Each fold is made once and kept in ``known``, so that all parts of one frozen network share it.
    """
    if not isinstance(run, fx.GraphModule):
        return run
    known = {} if known is None else known
    for node in list(run.graph.nodes):
        if (conv := _before(node, run)) is None:
            continue
        name, which = f"folded_{node.name}", (str(conv.target), str(node.target))
        if which not in known:
            one: Any = run.get_submodule(which[0])
            norm: Any = run.get_submodule(which[1])
            known[which] = fuse_conv_bn_eval(one, norm).requires_grad_(False)
        run.add_submodule(name, known[which])
        with run.graph.inserting_before(node):
            made = run.graph.call_module(name, conv.args, conv.kwargs)
        node.replace_all_uses_with(made)
        run.graph.erase_node(node)
        run.graph.erase_node(conv)
    run.recompile()
    return run


def _before(node: fx.Node, run: fx.GraphModule) -> fx.Node | None:
    """Return the convolution that this node normalises, if it is a batch norm that can be folded."""
    if node.op != "call_module" or not node.args or not isinstance(conv := node.args[0], fx.Node):
        return None
    if conv.op != "call_module" or len(conv.users) > 1:
        return None
    one, norm = run.get_submodule(str(conv.target)), run.get_submodule(str(node.target))
    fits = _NORM.get(type(one)) is type(norm) and getattr(norm, "running_mean", None) is not None
    return conv if fits and not (one.training or norm.training) else None
