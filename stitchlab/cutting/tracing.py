"""Trace a network to a torch.fx graph that overwrites nothing, and find the modules that put out each value."""

from __future__ import annotations

import copy
import inspect
import operator
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from stitchlab.errors import StitchLabError

_OUT_OF_PLACE = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


#: Tracing, and counting operations, change what all modules do while they last: one thread at a time.
ALONE = threading.RLock()


class Untraceable(StitchLabError):
    """Report a network that torch.fx cannot trace."""


@dataclass(frozen=True)
class Outputs:
    """List the modules, by path, that put out one value.

    Attributes:
        made: those that computed it, inner ones first, since they return first.
        passed: those that only passed it on as it came, as an empty Sequential does in a shortcut.
    """

    made: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


class _Tracer(fx.Tracer):
    """Trace a network, noting which modules each value is the output of."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: defaultdict[fx.Node, Outputs] = defaultdict(Outputs)
        self._thread = threading.get_ident()

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Read an attribute as torch.fx does, but leave modules alone that run in other threads meanwhile."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        out = super().call_module(m, forward, args, kwargs)
        if isinstance(out, fx.Proxy):
            came = any(isinstance(given, fx.Proxy) and given.node is out.node for given in (*args, *kwargs.values()))
            of = self.outputs[out.node]
            (of.passed if came else of.made).append(self.path_of_module(m))
        return out

    def create_arg(self, a: Any) -> Any:
        """Return what a graph can hold of a value: of a model's own output object, its logits."""
        return super().create_arg(a.logits if not isinstance(a, fx.Proxy) and hasattr(a, "logits") else a)


def trace(module: nn.Module) -> tuple[fx.GraphModule, Mapping[fx.Node, Outputs]]:
    """Trace a network to a graph that shares its parameters but overwrites no activation.

    Returns:
        the traced network, and for each node of which modules it is the output.

    Raises Untraceable.
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(module, _options(module))
    except Exception as error:  # whatever a user's forward raises while it is being traced
        raise Untraceable(f"{type(module).__name__} cannot be traced by torch.fx: {error}") from error
    traced = fx.GraphModule(module, graph)
    for node in traced.graph.nodes:
        if _make_out_of_place(node, traced):
            _use_result(node)
    return traced, tracer.outputs


def _options(module: nn.Module) -> dict[str, Any]:
    """Return the arguments that forward takes besides the images, at their defaults."""
    taken = list(inspect.signature(module.forward).parameters.values())[1:]
    return {p.name: p.default for p in taken if p.default is not inspect.Parameter.empty}


def _make_out_of_place(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Make a node that overwrites its input return the result only; return False if it never did."""
    if node.op == "call_module":
        return _replace_module(node, traced)
    if node.op == "call_method":
        return _rename(node, str(node.target), lambda name: name)
    if node.op != "call_function" or not callable(node.target):
        return False
    if node.target in _OUT_OF_PLACE:
        node.target = _OUT_OF_PLACE[node.target]
        return True
    if node.target in vars(operator).values():  # and_, or_, not_ are called so for other reasons
        return False
    if _rename(node, getattr(node.target, "__name__", ""), lambda name: getattr(torch, name)):
        return True
    try:
        bound = inspect.signature(node.target).bind(*node.args, **node.kwargs)
    except (TypeError, ValueError):  # a builtin without a signature has no such option
        return False
    if not bound.arguments.get("inplace"):
        return False
    bound.arguments["inplace"] = False
    node.args, node.kwargs = bound.args, bound.kwargs
    return True


def _replace_module(node: fx.Node, traced: fx.GraphModule) -> bool:
    child: Any = traced.get_submodule(str(node.target))
    if not getattr(child, "inplace", False):
        return False
    fresh = copy.copy(child)
    fresh.inplace = False
    traced.set_submodule(str(node.target), fresh)
    return True


def _rename(node: fx.Node, name: str, find: Callable[[str], Any]) -> bool:
    """Replace an in-place operation, whose name ends in _, by the one without."""
    if not name.endswith("_") or name.endswith("__"):
        return False
    node.target = find(name[:-1])
    return True


def _use_result(node: fx.Node) -> None:
    """Replace later uses of the overwritten input by the result."""
    overwritten = node.args[0] if node.args else None
    if isinstance(overwritten, fx.Node):
        overwritten.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node and user > node)
