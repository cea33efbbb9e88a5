"""Read a run: its request, and the results that the store has of it so far. Nothing here computes.

Each cell's results are looked up under keys of their own, so that two runs with a common cell share its results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import METHODS
from stitchlab.results import chance
from stitchlab.results.described import described
from stitchlab.results.keys import accuracy_key, functional_key, result_key
from stitchlab.results.records import AccuracyEntry, CellEntry, accuracy_entry, cell_entry, number
from stitchlab.results.run_record import ROOM, RunRecord
from stitchlab.results.why_empty import why_empty
from stitchlab.store import Store, store_or_default

DERIVED = ("relative_accuracy", "penalty")  # numbers that follow from the accuracies

#: The reason that earlier versions gave where a map had diverged. They still kept an accuracy, which came from the
#: argmax of NaN and means nothing.
DIVERGED = "stitched or native activations are not finite: training may have diverged"

ResultCell = tuple[str, str, str]  #: (name of a method, an index or a null; front layer; end layer)


class Row(NamedTuple):
    """Hold a line of cells.csv; ``value`` is None if it is undefined or not computed yet."""

    front_layer: str
    end_layer: str
    method: str
    metric: str
    value: float | None


class Run(RunRecord):
    """Read a request's results, as far as the store has them now. Make a new instance to see later results.

    The public API adds ``to_frame``, ``plot``, ``caption`` and ``export`` (`stitchlab/__init__.py`).
    """

    def __repr__(self) -> str:
        """Say what it is: ``<Run 3b5178d218de1b9a: digits-a → digits-b on Digits, 216 of 216 results>``."""
        return f"<Run {self.id or '(draft)'}: {self.title}, {len(self.cells):,} of {self.total:,} results>"

    @cached_property
    def own_accuracy(self) -> float | None:
        """Return the end network's own accuracy on the evaluation images, 0..1; None if not known or undefined."""
        return self._accuracy(self.request.end)

    @cached_property
    def front_accuracy(self) -> float | None:
        """Return the front network's own accuracy, 0..1; None if not known, or if it predicts other classes."""
        return self._accuracy(self.request.front)

    @property
    def accuracies_measured(self) -> bool:
        """Tell whether the store has both networks' own accuracies, as far as they are defined.

        An accuracy that was measured may still be empty, where logits are not finite.
        """
        networks = (self.request.end, *([self.request.front] if self.front_scored else []))
        return all(self.own_accuracy_entry(network) is not None for network in networks)

    def own_accuracy_entry(self, network: str) -> AccuracyEntry | None:
        """Read the own accuracy of the front or the end network, by its id; None if it is not measured yet."""
        return accuracy_entry(self.store, accuracy_key(self.request, network))

    def _accuracy(self, network: str) -> float | None:
        entry = self.own_accuracy_entry(network)
        return entry["accuracy"] if entry else None

    @cached_property
    def cells(self) -> dict[ResultCell, CellEntry]:
        """Read the computed results, by (method, index or null, front layer, end layer)."""
        entries: dict[ResultCell, CellEntry] = {}
        for cell, key in self._keys().items():
            if (entry := cell_entry(self.store, key)) is not None:
                entries[cell] = {**entry, "accuracy": None} if entry.get("reason") == DIVERGED else entry
        return entries

    @cached_property
    def functional(self) -> dict[ResultCell, CellEntry]:
        """Read the computed functional metrics of stitched cells, by (method, front layer, end layer)."""
        entries = {
            (method, i, j): cell_entry(self.store, functional_key(self.request, method, i, j))
            for method, i, j in self.cells
            if method in METHODS
        }
        return {cell: entry for cell, entry in entries.items() if entry is not None}

    @property
    def without_functional(self) -> list[ResultCell]:
        """List the stitched cells without functional metrics: they were computed before these metrics existed."""
        return [cell for cell in self.cells if cell[0] in METHODS and cell not in self.functional]

    def _keys(self) -> dict[ResultCell, str]:
        request = self.request
        return {(n, i, j): result_key(request, n, i, j) for n in request.results for i, j in request.cells}

    def there(self, kept: Container[str]) -> int:
        """Count the computed results by the keys of the store's room ``cells``, without reading their files."""
        return sum(key in kept for key in self._keys().values())

    @property
    def total(self) -> int:
        """Return how many results the run has when it is complete: all methods, indices and nulls of all cells."""
        return len(self.request.cells) * len(self.request.results)

    @property
    def complete(self) -> bool:
        """Tell whether every result is computed."""
        return len(self.cells) == self.total

    def value(self, method: str, metric: str, front_layer: str, end_layer: str) -> float | None:
        """Return one number of a cell, as in cells.csv.

        Args:
            method: a method or index.
            metric: one of its `metrics`, or of `chance.NUMBERS` for an index.
            front_layer, end_layer: of the cell.

        Returns:
            None if it is undefined, not computed yet or not requested.

        Raises:
            UnknownName: there is no such method, index or metric, or the run has no such layer.
        """
        check_names("method or similarity index", [method], (*METHODS, *INDICES))
        index = method in INDICES
        check_names(f"metric of {method}", [metric], (*self.metrics(method), *(chance.NUMBERS if index else ())))
        check_names("front layer of this run", [front_layer], self.request.front_layers)
        check_names("end layer of this run", [end_layer], self.request.end_layers)
        return self._value(method, metric, front_layer, end_layer)

    def _value(self, method: str, metric: str, front_layer: str, end_layer: str) -> float | None:
        entry = self.entry(method, metric, front_layer, end_layer)
        if entry is None:
            return None
        if metric in chance.NUMBERS:
            return chance.number(self, method, metric, front_layer, end_layer)
        if metric in DERIVED:
            own, accuracy = self.own_accuracy, entry["accuracy"]
            if own is None or accuracy is None or (metric == "relative_accuracy" and not own):
                return None
            return float(accuracy / own if metric == "relative_accuracy" else own - accuracy)
        return number(entry, metric)

    def entry(self, method: str, metric: str, front_layer: str, end_layer: str) -> CellEntry | None:
        """Return the result that contains a number, or from which it follows.

        Args:
            method, metric, front_layer, end_layer: as in `value`.

        Returns:
            None if it is not computed yet.
        """
        return (self.functional if metric in FUNCTIONAL else self.cells).get((method, front_layer, end_layer))

    def reason(self, method: str, metric: str, front_layer: str, end_layer: str) -> str:
        """Say why a number of a computed cell is empty.

        Args:
            method, metric, front_layer, end_layer: as in `value`.

        Returns:
            an empty text if the number is not empty, or the cell is not computed yet.

        Raises:
            UnknownName: as `value`.
        """
        return why_empty(self, method, metric, front_layer, end_layer)

    def matrix(self, method: str, metric: str) -> npt.NDArray[np.float64]:
        """Return one number of all cells (front layers, end layers); NaN where undefined or not computed yet.

        Raises UnknownName for a number that this run does not have; `quantities` lists those that it has.
        """
        check_names("method or similarity index of this run", [method], [name for name, _ in self.quantities()])
        index = method in INDICES
        check_names(f"metric of {method}", [metric], (*self.metrics(method), *(chance.NUMBERS if index else ())))
        return np.array(
            [
                [np.nan if (v := self._value(method, metric, i, j)) is None else v for j in self.request.end_layers]
                for i in self.request.front_layers
            ]
        )

    def quantities(self) -> list[tuple[str, str]]:
        """List every (method or index, metric) of this run, in the order of tables."""
        return [
            (name, metric) for name in (*self.request.methods, *self.request.indices) for metric in self.metrics(name)
        ]

    def metrics(self, name: str) -> tuple[str, ...]:
        """Name the numbers that tables show of a method or an index; `value` also accepts those of `chance.NUMBERS`."""
        if name in METHODS:
            return tuple(METRICS)
        return (INDICES[name].metric, *(chance.IN_TABLES if self.request.null else ()))

    def rows(self) -> Iterator[Row]:
        """Yield all lines of cells.csv, cell by cell."""
        for i in self.request.front_layers:
            for j in self.request.end_layers:
                for method, metric in self.quantities():
                    yield Row(i, j, method, metric, self._value(method, metric, i, j))

    def undefined(self) -> list[dict[str, str]]:
        """List the numbers that were computed but are empty, each with its reason."""
        return [
            {**row._asdict(), "reason": reason}
            for row in self.rows()
            if (reason := self.reason(row.method, row.metric, row.front_layer, row.end_layer))
        ]

    def provenance(self) -> dict[str, Any]:
        """Describe the run as run.json: the request, and everything that is needed to get the same numbers again."""
        return described(self)


def list_runs(store: Store | None = None) -> list[Run]:
    """List all runs of the store, newest first, except those that are damaged or from a newer version."""
    store = store_or_default(store)
    runs = []
    for record in (store.intact(ROOM, key) for key in store.keys(ROOM)):
        with contextlib.suppress(StitchLabError):
            runs += [] if record is None else [Run(store, record)]
    return sorted(runs, key=lambda run: str(run.record["created"]), reverse=True)
