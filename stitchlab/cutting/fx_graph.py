"""Find where a torch.fx graph can be cut, and run it up to a cut point, or from there on, without the rest.

The search goes through the nodes in order and keeps the set of input-dependent values that later nodes still need.
Where that set holds the current node alone, everything later follows from this node, and the network can be cut there.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from stitchlab.cutting.logits import logits_of
from stitchlab.cutting.points import defaults, does_not_fit, naming
from stitchlab.cutting.tracing import TRACING_LOCK, Producers, Untraceable, trace
from stitchlab.results.cut_points import CutPoint


class TracedNetwork:
    """Represent a network as a torch.fx graph with its cut points.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        Untraceable: torch.fx cannot trace it, or what it traces computes something else.
        StitchLabError: images of this size do not fit it.
    """

    traced = True

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        with TRACING_LOCK:
            self._module, producers = trace(module)
            measured = _measure(self._module, shape)
            _check_same_logits(module, self._module, shape)
        self._nodes = list(self._module.graph.nodes)
        self._dependent = _dependent(self._nodes)
        cuts = [node for node in _cuts(self._nodes, self._dependent) if node in measured.shapes]
        self.points: list[CutPoint] = []
        self._cut_nodes: dict[str, fx.Node] = {}
        taken_names: set[str] = set()
        of_cuts = [producers.get(node, Producers()) for node in cuts]
        are_default = defaults(module, [modules.computing + modules.passing for modules in of_cuts])
        for node, modules, default in zip(cuts, of_cuts, are_default, strict=True):
            name, aliases = _name(node, modules, module, taken_names)
            taken_names |= {name, *aliases}
            self._cut_nodes[name] = node
            self.points.append(
                CutPoint(name, aliases, measured.shapes[node], default, measured.flops[node], measured.parameters[node])
            )
        self.flops, self.nodes = measured.total, len(self._nodes)

    def __repr__(self) -> str:
        """Say what it is: ``<Graph: 38 cut points among 60 nodes>``."""
        return f"<Graph: {len(self.points)} cut points among {self.nodes} nodes>"

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """Return the network up to these cut points: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        outputs = [self._cut_nodes[name] for name in names]
        graph = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        for node in self._nodes:
            if node.op == "output":
                if output:
                    outputs.append(_logits_node(node.args[0]))
            else:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output([copies[node] for node in outputs])
        return _compiled(self._module, graph)

    def after(self, name: str) -> Callable[[Tensor], Tensor]:
        """Return the rest of the network: activations of layer ``name`` (N, ...) to the network's output."""
        cut = self._cut_nodes[name]
        graph, is_after = fx.Graph(), False
        copies = {cut: graph.placeholder("activation")}
        for node in self._nodes:
            if node is cut:
                is_after = True
            elif node.op == "output":
                graph.output(copies[_logits_node(node.args[0])])
            elif is_after or node not in self._dependent:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        return _compiled(self._module, graph)


def _dependent(nodes: list[fx.Node]) -> set[fx.Node]:
    """Return the nodes whose values depend on the images."""
    dependent: set[fx.Node] = set()
    for node in nodes:
        if node.op == "placeholder" or any(source in dependent for source in node.all_input_nodes):
            dependent.add(node)
    return dependent


def _cuts(nodes: list[fx.Node], dependent: set[fx.Node]) -> list[fx.Node]:
    """Return the nodes at which the network can be cut."""
    last_use = {source: k for k, node in enumerate(nodes) for source in node.all_input_nodes}
    still_needed: set[fx.Node] = set()
    cuts = []
    for k, node in enumerate(nodes):
        if node in dependent:
            still_needed.add(node)
        still_needed = {value for value in still_needed if last_use.get(value, -1) > k}
        if still_needed == {node} and node.op != "placeholder":
            cuts.append(node)
    return cuts


#: Modules without counted operations whose output has their input's shape. On tensors without data (meta), PyTorch
#: works this out in Python through a dozen operations each, which took most of the time that measuring a network takes.
_SHAPE_PRESERVING = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid)


class _Measure(fx.Interpreter):
    """Run the graph once, and note each tensor's shape, and how many operations and parameters lead up to it."""

    def __init__(self, module: fx.GraphModule, counter: FlopCounterMode) -> None:
        super().__init__(module)
        self._counter = counter
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.flops: dict[fx.Node, int] = {}
        self.parameters: dict[fx.Node, int] = {}
        self.total = 0
        self._numel: dict[int, int] = {}  # of each parameter seen so far, by id

    def run_node(self, n: fx.Node) -> Any:
        out = super().run_node(n)
        self.total = self._counter.get_total_flops()
        if n.op == "call_module":
            self._numel |= {id(p): p.numel() for p in self.submodules[str(n.target)].parameters()}
        elif isinstance(out, nn.Parameter):
            self._numel[id(out)] = out.numel()
        if isinstance(out, Tensor) and out.dim() >= 2 and out.is_floating_point():
            self.shapes[n], self.flops[n] = tuple(out.shape[1:]), self.total
            self.parameters[n] = sum(self._numel.values())
        return out

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if isinstance(self.submodules[target], _SHAPE_PRESERVING) and isinstance(args[0], Tensor) and args[0].is_meta:
            return torch.empty_like(args[0])
        return super().call_module(target, args, kwargs)


def _measure(module: fx.GraphModule, shape: tuple[int, int, int]) -> _Measure:
    counter = FlopCounterMode(display=False)
    measure = _Measure(module, counter)
    try:
        with torch.no_grad(), counter:
            measure.run(torch.zeros(1, *shape).to(_template(module)))
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        raise does_not_fit(shape, error) from error
    return measure


def _check_same_logits(module: nn.Module, traced: fx.GraphModule, shape: tuple[int, int, int]) -> None:
    """Check that the traced network computes the same logits, also of other images than one. Raises Untraceable."""
    if (template := _template(module)).is_meta:
        return
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)).to(template)
    with torch.no_grad():
        expected, logits = (logits_of(network(images)) for network in (module, traced))
    if expected.shape != logits.shape or not torch.allclose(expected, logits, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise Untraceable(f"{type(module).__name__} computes something else when torch.fx traces it")


def _template(module: nn.Module) -> Tensor:
    """Return a tensor on the device and of the type that the module computes in."""
    return next(module.parameters(), torch.empty(0))


def _name(node: fx.Node, producers: Producers, module: nn.Module, taken: Container[str]) -> tuple[str, tuple[str, ...]]:
    """Return a name that is not taken yet for the output of a node, and its aliases."""
    if not (name := naming(module, producers.computing)):
        stack = list(node.meta.get("nn_module_stack", {}))
        path = stack[-1].partition("@")[0] if stack else ""  # torch.fx calls a module's second call `path@1`
        name = f"{path}:{getattr(node.target, '__name__', node.target)}"
    # Further calls of the same module or function are numbered.
    unique = next(n for n in chain([name], (f"{name}_{k}" for k in count(1))) if n not in taken)
    return unique, tuple(p for p in producers.computing + producers.passing if p != name and p not in taken)


def _logits_node(output: Any) -> fx.Node:
    node = logits_of(output)
    if not isinstance(node, fx.Node):
        raise Untraceable(f"its output is a {type(node).__name__}")
    return node


def _compiled(module: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    compiled = fx.GraphModule(module, graph)
    compiled.graph.eliminate_dead_code()
    compiled.recompile()
    return compiled
