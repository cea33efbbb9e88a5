"""Find where a torch.fx graph can be cut, and run it up to a place or from there on, without the rest.

Walk the nodes in order keeping the input-dependent values that are still needed: where that set is exactly the current
node, everything later follows from it alone, and the network can be cut there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from stitchlab.cutting.logits import logits_of
from stitchlab.cutting.points import defaults, does_not_fit, naming
from stitchlab.cutting.tracing import ALONE, Outputs, Untraceable, trace
from stitchlab.results.cut_points import CutPoint


class Graph:
    """Represent a network as a torch.fx graph with its cut points.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        Untraceable: torch.fx cannot trace it, or what it traces computes something else.
        StitchLabError: images of this size do not fit it.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        with ALONE:
            self._module, outputs = trace(module)
            seen = _measure(self._module, shape)
            _same(module, self._module, shape)
        self._nodes = list(self._module.graph.nodes)
        self._dependent = _dependent(self._nodes)
        cuts = [node for node in _cuts(self._nodes, self._dependent) if node in seen.shapes]
        self.points: list[CutPoint] = []
        self._node: dict[str, fx.Node] = {}
        known: dict[str, fx.Node] = {}
        of = [outputs.get(node, Outputs()) for node in cuts]
        for node, here, default in zip(cuts, of, defaults(module, [o.made + o.passed for o in of]), strict=True):
            name, aliases = _name(node, here, module, known)
            known |= {called: node for called in (name, *aliases)}
            self._node[name] = node
            self.points.append(
                CutPoint(name, aliases, seen.shapes[node], default, seen.flops[node], seen.parameters[node])
            )
        self.flops, self.nodes = seen.total, len(self._nodes)

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to these cut points: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        wanted = [self._node[name] for name in names]
        graph = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        for node in self._nodes:
            if node.op == "output":
                if output:
                    wanted.append(_only(node.args[0]))
            else:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output([copies[node] for node in wanted])
        return _compiled(self._module, graph)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network: activations of layer ``name`` (N, ...) to the network's output."""
        cut = self._node[name]
        graph, passed = fx.Graph(), False
        copies = {cut: graph.placeholder("activation")}
        for node in self._nodes:
            if node is cut:
                passed = True
            elif node.op == "output":
                graph.output(copies[_only(node.args[0])])
            elif passed or node not in self._dependent:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        return _compiled(self._module, graph)


def _dependent(nodes: list[fx.Node]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in nodes:
        if node.op == "placeholder" or any(source in found for source in node.all_input_nodes):
            found.add(node)
    return found


def _cuts(nodes: list[fx.Node], dependent: set[fx.Node]) -> list[fx.Node]:
    last_use = {source: k for k, node in enumerate(nodes) for source in node.all_input_nodes}
    live: set[fx.Node] = set()
    cuts = []
    for k, node in enumerate(nodes):
        if node in dependent:
            live.add(node)
        live = {value for value in live if last_use.get(value, -1) > k}
        if live == {node} and node.op != "placeholder":
            cuts.append(node)
    return cuts


#: Modules that count no operations and give back their input's shape. Without numbers, PyTorch works that out in
#: Python, through a dozen operations each, which took most of the time of looking at a network.
_ALIKE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid)


class _Measure(fx.Interpreter):
    """Run the graph once, noting each tensor's shape, and the operations and parameters up to it."""

    def __init__(self, module: fx.GraphModule, counter: FlopCounterMode) -> None:
        super().__init__(module)
        self._counter = counter
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.flops: dict[fx.Node, int] = {}
        self.parameters: dict[fx.Node, int] = {}
        self.total = 0
        self._learned: dict[int, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        out = super().run_node(n)
        self.total = self._counter.get_total_flops()
        if n.op == "call_module":
            self._learned |= {id(p): p.numel() for p in self.submodules[str(n.target)].parameters()}
        elif isinstance(out, nn.Parameter):
            self._learned[id(out)] = out.numel()
        if isinstance(out, Tensor) and out.dim() >= 2 and out.is_floating_point():
            self.shapes[n], self.flops[n] = tuple(out.shape[1:]), self.total
            self.parameters[n] = sum(self._learned.values())
        return out

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if isinstance(self.submodules[target], _ALIKE) and isinstance(args[0], Tensor) and args[0].is_meta:
            return torch.empty_like(args[0])
        return super().call_module(target, args, kwargs)


def _measure(module: fx.GraphModule, shape: tuple[int, int, int]) -> _Measure:
    counter = FlopCounterMode(display=False)
    measure = _Measure(module, counter)
    try:
        with torch.no_grad(), counter:
            measure.run(torch.zeros(1, *shape).to(_like(module)))
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        raise does_not_fit(shape, error) from error
    return measure


def _same(module: nn.Module, traced: fx.GraphModule, shape: tuple[int, int, int]) -> None:
    """Check that the traced network computes the same for other images, and for another number of them."""
    if (like := _like(module)).is_meta:
        return
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)).to(like)
    with torch.no_grad():
        one, other = (logits_of(network(images)) for network in (module, traced))
    if one.shape != other.shape or not torch.allclose(one, other, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise Untraceable(f"{type(module).__name__} computes something else when torch.fx traces it")


def _like(module: nn.Module) -> Tensor:
    """Return a tensor on the device and of the type that the module computes in."""
    return next(module.parameters(), torch.empty(0))


def _name(node: fx.Node, outputs: Outputs, module: nn.Module, taken: dict[str, fx.Node]) -> tuple[str, tuple[str, ...]]:
    if not (name := naming(module, outputs.made)):
        stack = list(node.meta.get("nn_module_stack", {}))
        place = stack[-1].partition("@")[0] if stack else ""  # torch.fx calls a module's second call `path@1`
        name = f"{place}:{getattr(node.target, '__name__', node.target)}"
    # A module or function that is called again gets a number behind.
    unique = next(n for n in chain([name], (f"{name}_{k}" for k in count(1))) if n not in taken)
    return unique, tuple(path for path in outputs.made + outputs.passed if path != name and path not in taken)


def _only(value: Any) -> fx.Node:
    found = logits_of(value)
    if not isinstance(found, fx.Node):
        raise Untraceable(f"its output is a {type(found).__name__}")
    return found


def _compiled(module: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    made = fx.GraphModule(module, graph)
    made.graph.eliminate_dead_code()
    made.recompile()
    return made
