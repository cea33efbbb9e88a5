"""Where a network can be cut, and running it up to a layer or from a layer on without computing the rest.

On the torch.fx graph, walk the nodes in order keeping the input-dependent values that are still needed: where that set
is exactly the current node, everything later follows from it alone, and the network can be cut there. Layers are named
by module path; where several modules share one output, by the outermost that is no Sequential or ModuleList.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.tracing import trace

_CONTAINERS = (nn.Sequential, nn.ModuleList)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.Tanh, nn.Sigmoid)


@dataclass(frozen=True)
class CutPoint:
    """A place where the network can be cut.

    Attributes:
        name: module path, or ``module:function`` for a function's node.
        aliases: other modules that have the same output.
        shape: of one image's activation, as the network makes it, e.g. (C, H, W), (T, D), (D,).
        default: whether a grid offers it unasked: outputs of blocks (modules with children in a Sequential or
            ModuleList); where there are none, of any modules with children; else of activation functions; else all.
        flops: floating point operations of one image up to here.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    default: bool
    flops: int


class Layered:
    """A network with its cut points.

    Args:
        module: the network, in eval mode. It is not changed.
        shape: (C, H, W) of its input.

    Raises:
        StitchLabError: torch.fx cannot trace it, or images of this size do not fit it.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int]) -> None:
        self._module, paths = trace(module)
        self._nodes = list(self._module.graph.nodes)
        self._dependent = _dependent(self._nodes)
        shapes, flops = _measure(self._module, shape)
        cuts = [node for node in _cuts(self._nodes, self._dependent) if node in shapes]
        defaults = next(
            chosen for rule in (_is_block, _is_composite, _is_activation, _is_anything)
            if (chosen := [n for n in cuts if any(rule(module, path) for path in paths.get(n, [""]))]) or not cuts
        )
        self.points: list[CutPoint] = []
        self._node: dict[str, fx.Node] = {}
        for node in cuts:
            name, aliases = _name(node, paths.get(node, []), module, self._node)
            self._node |= {known: node for known in (name, *aliases)}
            self.points.append(CutPoint(name, aliases, shapes[node], node in defaults, flops[node]))
        self.flops: int = max(flops.values())

    def find(self, name: str) -> CutPoint:
        """The cut point of this name or alias. Raises UnknownName."""
        if name not in self._node:
            raise UnknownName("layer", name, [p.name for p in self.points], "`layers NETWORK` lists them all")
        return next(p for p in self.points if self._node[p.name] is self._node[name])

    def defaults(self) -> list[str]:
        """Names of the layers that a grid offers unasked, in network order."""
        return [p.name for p in self.points if p.default]

    def in_order(self, names: Iterable[str]) -> list[str]:
        """These layers by their names (not aliases), each once, in network order. Raises UnknownName."""
        wanted = {self.find(name).name for name in names}
        return [p.name for p in self.points if p.name in wanted]

    def up_to(self, names: Sequence[str], *, output: bool = False) -> Callable[[Tensor], list[Tensor]]:
        """The network up to its layers ``names``: images (N, C, H, W) to the list of their activations.

        With ``output`` the network's own output comes last; without it, nothing after the last layer is computed.
        """
        wanted = [self._node[self.find(name).name] for name in names]
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
        """The tail of the network: activations of layer ``name`` (N, ...) to the network's output, and only that."""
        cut = self._node[self.find(name).name]
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


class _Measure(fx.Interpreter):
    """Runs the graph once, noting each tensor's shape and the operations spent so far."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.flops: dict[fx.Node, int] = {}
        self.total = 0

    def run_node(self, n: fx.Node) -> Any:
        with FlopCounterMode(display=False) as counter:
            out = super().run_node(n)
        self.total += counter.get_total_flops()
        if isinstance(out, Tensor) and out.dim() >= 2:
            self.shapes[n], self.flops[n] = tuple(out.shape[1:]), self.total
        return out


def _measure(
    module: fx.GraphModule, shape: tuple[int, int, int]
) -> tuple[dict[fx.Node, tuple[int, ...]], dict[fx.Node, int]]:
    measure = _Measure(module)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            measure.run(torch.zeros(1, *shape, device=device))
    except (RuntimeError, IndexError, ValueError) as error:
        size = "×".join(map(str, shape))
        raise StitchLabError(f"images of {size} do not fit this network: {str(error).splitlines()[0]}") from error
    return measure.shapes, measure.flops


def _name(
    node: fx.Node, paths: list[str], module: nn.Module, taken: dict[str, fx.Node]
) -> tuple[str, tuple[str, ...]]:
    plain = [path for path in paths if not isinstance(module.get_submodule(path), _CONTAINERS)]
    if plain or paths:
        name = (plain or paths)[-1]
    else:
        stack = list(node.meta.get("nn_module_stack", {}))
        place = stack[-1].partition("@")[0] if stack else ""  # torch.fx calls a module's second call `path@1`
        name = f"{place}:{getattr(node.target, '__name__', node.target)}"
    # A module or function that is called again gets a number behind.
    unique = next(n for n in chain([name], (f"{name}_{k}" for k in count(1))) if n not in taken)
    return unique, tuple(path for path in paths if path != name and path not in taken)


def _is_composite(module: nn.Module, path: str) -> bool:
    here = module.get_submodule(path)
    return here is not module and not isinstance(here, _CONTAINERS) and any(here.children())


def _is_block(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path.rpartition(".")[0]), _CONTAINERS) and _is_composite(module, path)


def _is_activation(module: nn.Module, path: str) -> bool:
    return isinstance(module.get_submodule(path), _ACTIVATIONS)


def _is_anything(module: nn.Module, path: str) -> bool:
    return True


def _only(value: Any) -> fx.Node:
    if not isinstance(value, fx.Node):
        raise StitchLabError(f"the network must return one tensor of logits (N, classes); it returns a {type(value)}")
    return value


def _compiled(module: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    made = fx.GraphModule(module, graph)
    made.graph.eliminate_dead_code()
    made.recompile()
    return made
