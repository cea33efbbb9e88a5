"""A run: what was asked, and as much of the answer as is in the store by now. It reads; nothing here computes.

A run's record is written once, when it is asked for; its numbers are looked up cell by cell under their own keys, so
that two runs that share cells share their numbers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.errors import StitchLabError, UnknownName, check_names
from stitchlab.request import METHODS, Request, accuracy_key, functional_key
from stitchlab.results import chance, definitions, reasons
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.described import described
from stitchlab.results.keys import result_key
from stitchlab.results.networks import Network
from stitchlab.results.reasons import CHANCE, DERIVED
from stitchlab.store import Source, Store, given

ROOM = "runs"

#: What was said of a map that diverged while it still had an accuracy: that of argmax of NaN, which is none.
DIVERGED = "stitched or native activations are not finite: training may have diverged"


class Row(NamedTuple):
    """A line of cells.csv; ``value`` is None where it is undefined or not there yet."""

    front_layer: str
    end_layer: str
    method: str
    metric: str
    value: float | None


class Run:
    """A request with what the store has for it now. Make a new one to see what has come since.

    The public API gives it ``to_frame``, ``plot``, ``caption`` and ``export`` (`stitchlab/__init__.py`).
    """

    def __init__(self, store: Store, record: dict[str, Any]) -> None:
        self.store, self.record = store, record
        self.request = Request.from_json(record.get("request"))
        self.id = self.request.id if self.request.front else ""

    def __repr__(self) -> str:
        """Say what it is: ``<Run 3b5178d218de1b9a: digits-a → digits-b on Digits, 216 of 216 results>``."""
        return f"<Run {self.id or '(draft)'}: {self.title}, {len(self.cells):,} of {self.total:,} results>"

    @classmethod
    def load(cls, name: str, store: Store | None = None) -> Run:
        """The run with this id or its beginning (6 digits or more). Raises UnknownName; StitchLabError."""
        store = given(store)
        ids = store.keys(ROOM)
        found = [key for key in ids if key == name] or [k for k in ids if len(name) >= 6 and k.startswith(name)]
        record = store.get(ROOM, found[0]) if len(found) == 1 else None
        if record is None:
            raise UnknownName("run", name, ids, "`runs` lists them all; `compare` makes one")
        return cls(store, record)

    @classmethod
    def of(cls, store: Store, request: Request, front: Network, end: Network, data: DataRecord) -> Run:
        """Give the run of this request, as it is in the store, or as `save` would write it."""
        kept = store.intact(ROOM, request.id)
        return cls(store, kept or {
            "request": asdict(request), "front": front.record(), "end": end.record(),
            "data": {"name": data.name, "label": data.label, "fingerprint": data.fingerprint,
                     "shape": list(data.shape), "classes": list(data.classes), "train": data.train, "test": data.test},
            "created": _now(),
        })

    def under_todays_definitions(self) -> Run:
        """Give the run of the same request under today's definitions: this one, where none has changed since.

        What this one lacks is computed under that one's id; maps and accuracies whose definitions stayed are shared.
        """
        request = definitions.under_todays(self.request)
        if request is self.request:
            return self
        record = self.store.intact(ROOM, request.id)
        here = {key: value for key, value in self.record.items() if key != "name"}
        return Run(self.store, record or here | {"request": asdict(request), "created": _now()})

    @property
    def draft(self) -> bool:
        """Whether its front network is not made yet: then it has no id, and nothing of it is computed."""
        return not self.request.front

    def save(self) -> Run:
        """Write its record, if it is new: from now on it was asked for. Raises ValueError for a draft."""
        if self.draft:
            raise ValueError("a draft has no id: make its control first, by `stitchlab.grid.ask.ask`")
        if self.store.intact(ROOM, self.id) is None:
            self.store.put(ROOM, self.id, self.record)
        return self

    def wanted(self) -> dict[str, Any]:
        """Say what would be asked for to get this run, as JSON knows it: arguments of `stitchlab.grid.ask.ask`.

        The front network of a draft is a control, by its name.
        """
        request = self.request
        return {
            "front": self.record["front"]["origin"]["control"] if self.draft else request.front, "end": request.end,
            "data": request.data, "front_layers": list(request.front_layers), "end_layers": list(request.end_layers),
            "methods": list(request.methods), "indices": list(request.indices), "tlm": asdict(request.tlm),
            "dm_images": request.dm.images, "eval_images": request.eval_images, "null": request.null,
            "seed": request.seed,
        }

    @property
    def source(self) -> Source | None:
        """The .stitch file that it was read from; None where it was computed here. Such a run is only read."""
        return self.store.source

    def check_own(self) -> None:
        """Raises StitchLabError where it was opened from a file: nothing of such a run is computed."""
        if self.source is not None:
            raise StitchLabError(f"run {self.id} was opened from {self.source.file}, to be read: nothing of it is "
                                 "computed. Compare the same networks here to compute it yourself")

    @property
    def name(self) -> str:
        """What somebody called it (`stitchlab.results.naming`); empty where nobody did."""
        return str(self.record.get("name", ""))

    @property
    def title(self) -> str:
        """For people: ``digits-a → digits-b on Digits``."""
        return f"{self.record['front']['name']} → {self.record['end']['name']} on {self.record['data']['label']}"

    @cached_property
    def own_accuracy(self) -> float | None:
        """The end network's own accuracy on the evaluation images, 0..1; None before it is known, or if undefined."""
        return self._accuracy(self.request.end)

    @cached_property
    def front_accuracy(self) -> float | None:
        """The front network's own; None before it is known, and where it is not defined: it tells other classes."""
        return self._accuracy(self.request.front)

    @property
    def front_scored(self) -> bool:
        """Whether the front network tells the classes of the data, so that its own accuracy is defined."""
        return list(self.record["front"]["classes"]) == list(self.record["data"]["classes"])

    @property
    def measured(self) -> bool:
        """Whether both networks were measured, as far as that is defined; an accuracy may be undefined all the same."""
        networks = (self.request.end, *([self.request.front] if self.front_scored else []))
        return all(self._kept_accuracy(network) is not None for network in networks)

    def _kept_accuracy(self, network: str) -> dict[str, Any] | None:
        return self.store.intact("accuracies", accuracy_key(self.request, network))

    def _accuracy(self, network: str) -> float | None:
        kept = self._kept_accuracy(network)
        return kept["accuracy"] if kept else None

    @cached_property
    def cells(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What the store keeps of each (method or index, front layer, end layer) that is there."""
        kept = {cell: self.store.intact("cells", key) for cell, key in self._keys().items()}
        return {cell: value | ({"accuracy": None} if value.get("reason") == DIVERGED else {})
                for cell, value in kept.items() if value is not None}

    @cached_property
    def functional(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What the store keeps of the functional metrics of stitched cells that are there."""
        kept = {cell: self.store.intact("cells", functional_key(self.request, *cell))
                for cell in self.cells if cell[0] in METHODS}
        return {cell: value for cell, value in kept.items() if value is not None}

    @property
    def older(self) -> list[tuple[str, str, str]]:
        """Stitched cells that lack their functional metrics: they were computed before those were."""
        return [cell for cell in self.cells if cell[0] in METHODS and cell not in self.functional]

    def _keys(self) -> dict[tuple[str, str, str], str]:
        request = self.request
        return {(n, i, j): result_key(request, n, i, j) for n in request.results for i, j in request.cells}

    def there(self, kept: Container[str]) -> int:
        """Count the cells that are computed, given the keys of the store's room ``cells``; their files are not read."""
        return sum(key in kept for key in self._keys().values())

    @property
    def total(self) -> int:
        """How many cells there are to compute, each method, index and null counted."""
        return len(self.request.cells) * len(self.request.results)

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        return len(self.cells) == self.total

    def value(self, method: str, metric: str, front_layer: str, end_layer: str) -> float | None:
        """One number as in cells.csv; None where it is undefined, not there yet or not asked for.

        Raises UnknownName for a method or index, metric or layer that there is not.
        """
        check_names("method or similarity index", [method], (*METHODS, *INDICES))
        check_names(f"metric of {method}", [metric], (*self.metrics(method), *(CHANCE if method in INDICES else ())))
        check_names("front layer of this run", [front_layer], self.request.front_layers)
        check_names("end layer of this run", [end_layer], self.request.end_layers)
        return self._value(method, metric, front_layer, end_layer)

    def _value(self, method: str, metric: str, front_layer: str, end_layer: str) -> float | None:
        kept = (self.functional if metric in FUNCTIONAL else self.cells).get((method, front_layer, end_layer))
        if kept is None:
            return None
        if metric in CHANCE:
            return chance.number(self, method, metric, front_layer, end_layer)
        if metric in DERIVED:
            own, accuracy = self.own_accuracy, kept["accuracy"]
            if own is None or accuracy is None or (metric == "relative_accuracy" and not own):
                return None
            return float(accuracy / own if metric == "relative_accuracy" else own - accuracy)
        number: float | None = kept[metric]
        return number

    def reason(self, method: str, metric: str, front_layer: str, end_layer: str) -> str:
        """Why a number of a cell that was computed is empty; nothing where it is not, or the cell is not there yet."""
        return reasons.why(self, method, metric, front_layer, end_layer)

    def matrix(self, method: str, metric: str) -> npt.NDArray[np.float64]:
        """(front layers, end layers) of one number; NaN where it is undefined or not there yet.

        Raises UnknownName for what this run has not: `quantities` lists what it has.
        """
        check_names("method or similarity index of this run", [method], [name for name, _ in self.quantities()])
        check_names(f"metric of {method}", [metric], (*self.metrics(method), *(CHANCE if method in INDICES else ())))
        return np.array([
            [np.nan if (v := self._value(method, metric, i, j)) is None else v for j in self.request.end_layers]
            for i in self.request.front_layers
        ])

    def quantities(self) -> list[tuple[str, str]]:
        """Every (method, metric) that this run has, in the order of tables."""
        return [(name, metric) for name in (*self.request.methods, *self.request.indices)
                for metric in self.metrics(name)]

    def metrics(self, name: str) -> tuple[str, ...]:
        """Name the numbers that tables have of a method or an index; `value` knows those of `CHANCE`, too."""
        if name in METHODS:
            return tuple(METRICS)
        return (INDICES[name].metric, *(chance.IN_TABLES if self.request.null else ()))

    def rows(self) -> Iterator[Row]:
        """All lines of cells.csv, cell by cell."""
        for i in self.request.front_layers:
            for j in self.request.end_layers:
                for method, metric in self.quantities():
                    yield Row(i, j, method, metric, self._value(method, metric, i, j))

    def undefined(self) -> list[dict[str, str]]:
        """Why a number that was computed is empty, one entry each."""
        return [{**row._asdict(), "reason": reason} for row in self.rows()
                if (reason := self.reason(row.method, row.metric, row.front_layer, row.end_layer))]

    def provenance(self) -> dict[str, Any]:
        """run.json: the request and all that is needed to get the same numbers again."""
        return described(self)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def list_runs(store: Store | None = None) -> list[Run]:
    """All runs of the store, newest first; those that are damaged, or a newer version's, are left out."""
    store = given(store)
    found = []
    for record in (store.intact(ROOM, key) for key in store.keys(ROOM)):
        with contextlib.suppress(StitchLabError):
            found += [] if record is None else [Run(store, record)]
    return sorted(found, key=lambda run: str(run.record["created"]), reverse=True)
