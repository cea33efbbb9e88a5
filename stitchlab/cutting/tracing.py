"""Trace a network to a torch.fx graph that overwrites nothing, and find the modules that return each value."""

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


#: Held while a network is traced or its operations are counted: both change what all modules of the process do.
TRACING_LOCK = threading.RLock()


class Untraceable(StitchLabError):
    """Report a network that torch.fx cannot trace."""


@dataclass(frozen=True)
class Producers:
    """List the modules, by path, that return one value.

    Attributes:
        computing: those that computed it, inner ones first, since they return first.
        passing: those that only passed it on unchanged, as an empty Sequential does in a shortcut.
    """

    computing: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)


class _Tracer(fx.Tracer):
    """Trace a network, and note which modules return each value."""

    def __init__(self) -> None:
        super().__init__()
        self.producers: defaultdict[fx.Node, Producers] = defaultdict(Producers)
        self._thread = threading.get_ident()

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Read an attribute as torch.fx does; to modules that other threads run meanwhile, give it unchanged."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        out = super().call_module(m, forward, args, kwargs)
        if isinstance(out, fx.Proxy):
            inputs = (*args, *kwargs.values())
            unchanged = any(isinstance(value, fx.Proxy) and value.node is out.node for value in inputs)
            producers = self.producers[out.node]
            (producers.passing if unchanged else producers.computing).append(self.path_of_module(m))
        return out

    def create_arg(self, a: Any) -> Any:
        """Convert a value to what a graph can hold: a model's own output object is replaced by its logits."""
        return super().create_arg(a.logits if not isinstance(a, fx.Proxy) and hasattr(a, "logits") else a)


def trace(module: nn.Module) -> tuple[fx.GraphModule, Mapping[fx.Node, Producers]]:
    """Trace a network to a graph that shares its parameters but overwrites no activation.

    Returns:
        the traced network, and for each node the modules that return its value.

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
    return traced, tracer.producers


def _options(module: nn.Module) -> dict[str, Any]:
    """Return the arguments that forward takes besides the images, with their defaults."""
    options = list(inspect.signature(module.forward).parameters.values())[1:]
    return {p.name: p.default for p in options if p.default is not inspect.Parameter.empty}


def _make_out_of_place(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Make a node that overwrites its input only return the result; return False if it overwrites nothing."""
    if node.op == "call_module":
        return _replace_module(node, traced)
    if node.op == "call_method":
        return _rename(node, str(node.target), lambda name: name)
    if node.op != "call_function" or not callable(node.target):
        return False
    if node.target in _OUT_OF_PLACE:
        node.target = _OUT_OF_PLACE[node.target]
        return True
    if node.target in vars(operator).values():  # and_, or_, not_ end in _ although they overwrite nothing
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
    out_of_place = copy.copy(child)
    out_of_place.inplace = False
    traced.set_submodule(str(node.target), out_of_place)
    return True


def _rename(node: fx.Node, name: str, target_of: Callable[[str], Any]) -> bool:
    """Replace an in-place operation, whose name ends in _, by the operation of the same name without the _."""
    if not name.endswith("_") or name.endswith("__"):
        return False
    node.target = target_of(name[:-1])
    return True


def _use_result(node: fx.Node) -> None:
    """Replace later uses of the overwritten input by the result."""
    overwritten = node.args[0] if node.args else None
    if isinstance(overwritten, fx.Node):
        overwritten.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node and user > node)
