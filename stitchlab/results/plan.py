"""Plan the work that a run lacks, in units: sets of cells that are computed together. Nothing is computed here.

A unit has a few end layers and all front layers, or all results of similarity indices that the run lacks. Within a unit
the front network runs once per batch, for all cells. The rest of the end network is shorter for end layers near the
output, so that more of them fit into a unit: the last half of the end layers is one unit, then half of the others, and
so on (`columns`). The four corners of a grid come first, since they show its main result. Cells that were computed
before functional metrics existed lack only those: these units use the maps that the store has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.request import METHODS, Cell, Method, method_of

if TYPE_CHECKING:
    from stitchlab.results.run import Run


GridWork = Literal["dm", "tlm", "functional", "indices", "accuracy"]  #: accuracy: both networks' own accuracies


@dataclass(frozen=True)
class Unit:
    """Describe cells that are computed together.

    Attributes:
        work: the kind of work.
        names: the method (also of functional metrics), or the indices and nulls of indices (`Request.results`).
        cells: the cells; none for the networks' own accuracies.
    """

    work: GridWork
    names: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def method(self) -> Method:
        """Return the method of a unit of stitches or functional metrics. Raises UnknownName for a unit of indices."""
        (name,) = self.names
        return method_of(name)

    @property
    def label(self) -> str:
        """Describe what is computed, for people."""
        labels = {"indices": "similarity indices", "accuracy": "the networks' own accuracies"}
        ends = list(dict.fromkeys(j for _, j in self.cells))
        metrics = "functional metrics of " if self.work == "functional" else ""
        return labels.get(self.work) or f"{metrics}{self.names[0].upper()} into {layer_range(ends)}"

    def shares(self, other: Unit) -> bool:
        """Tell whether another unit computes some of the same results."""
        return self == other or (
            self.work == other.work
            and not set(self.names).isdisjoint(other.names)
            and not set(self.cells).isdisjoint(other.cells)
        )


def missing(run: Run) -> list[Unit]:
    """List the units that the store lacks of a run: quick ones first, task loss matching last, its corners first."""
    request = run.request

    def lacking(name: str, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        return tuple((i, j) for i, j in cells if (name, i, j) not in run.cells)

    corners = set(_corners(request.front_layers, request.end_layers))
    stitched = {
        m: [
            Unit(m, (m,), lacking(m, [(i, j) for j in part for i in request.front_layers]))
            for part in columns(request.end_layers)
        ]
        for m in request.methods
    }
    if "tlm" in stitched:  # direct matching takes no time worth dividing
        stitched["tlm"] = [
            Unit("tlm", ("tlm",), lacking("tlm", [c for c in request.cells if c in corners])),
            *(replace(u, cells=tuple(c for c in u.cells if c not in corners)) for u in stitched["tlm"]),
        ]
    names = tuple(name for name in request.results if name not in METHODS and lacking(name, request.cells))
    indices = Unit("indices", names, tuple(c for c in request.cells if any(lacking(name, [c]) for name in names)))
    older = set(run.without_functional)
    functional = [
        Unit("functional", (m,), tuple((i, j) for j in part for i in request.front_layers if (m, i, j) in older))
        for m in request.methods
        for part in columns(request.end_layers)
    ]
    units = [unit for unit in (*stitched.get("dm", []), *functional, indices, *stitched.get("tlm", [])) if unit.cells]
    return units if run.accuracies_measured else [Unit("accuracy"), *units]


def to_compute(run: Run) -> str:
    """Describe what the store lacks of a run, for people: results, and functional metrics of earlier cells."""
    lacking, older = run.total - len(run.cells), len(run.without_functional)
    parts = [f"{lacking} results to compute"] if lacking else []
    names = [METRICS[name].label.lower() for name in FUNCTIONAL]
    added = f"{', '.join(names[:-1])} and {names[-1]} of {older} cells to add, without training"
    parts += [added] if older else []
    return "; ".join(parts) or "the networks' own accuracies to compute"


def shared(unit: Unit, workers: int) -> list[Unit]:
    """Split a unit of task loss matching, which takes nearly all the time, by front layers, for several workers.

    Other units are not split.

    >>> [part.cells for part in shared(Unit("tlm", ("tlm",), (("a", "x"), ("b", "x"), ("c", "x"))), 2)]
    [(('a', 'x'), ('c', 'x')), (('b', 'x'),)]
    """
    if unit.work != "tlm":
        return [unit]
    fronts = list(dict.fromkeys(i for i, _ in unit.cells))
    parts = [set(fronts[k::workers]) for k in range(min(workers, len(fronts)))]
    return [Unit(unit.work, unit.names, tuple(c for c in unit.cells if c[0] in part)) for part in parts]


def of_cell(units: Sequence[Unit], cell: Cell) -> list[Unit]:
    """Select the units of the networks' own accuracies, and the part of the units of stitches that is in a cell."""
    stitched = [replace(unit, cells=(cell,)) for unit in units if unit.work in METHODS and cell in unit.cells]
    return [unit for unit in units if unit.work == "accuracy"] + stitched


def columns(end_layers: Sequence[str]) -> list[Sequence[str]]:
    """Split the end layers into the units in which they are computed, quickest first.

    >>> columns(["a", "b", "c", "d", "e"])
    [['d', 'e'], ['c'], ['b'], ['a']]
    """
    remaining, units = end_layers, []
    while remaining:
        first = len(remaining) - max(1, len(remaining) // 2)
        units.append(remaining[first:])
        remaining = remaining[:first]
    return units


def _corners(front_layers: Sequence[str], end_layers: Sequence[str]) -> list[Cell]:
    """Return the corners of a grid; none for a small grid, with fewer than 3 rows or 4 columns."""
    if len(front_layers) < 3 or len(end_layers) < 4:
        return []
    return [(i, j) for j in (end_layers[0], end_layers[-1]) for i in (front_layers[0], front_layers[-1])]


def layer_range(layers: Sequence[str]) -> str:
    """Name a range of layers in a few words, for people.

    >>> layer_range(["relu5", "relu6", "relu7"]), layer_range(["relu1"])
    ('relu5 … relu7', 'relu1')
    """
    return layers[0] if len(layers) == 1 else f"{layers[0]} … {layers[-1]}"
