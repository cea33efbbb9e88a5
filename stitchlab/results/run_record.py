"""Keep a run's record: the request, both networks, the data, and the date. It is written once, on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Self

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import Request
from stitchlab.results import definitions
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network
from stitchlab.results.records import RunJson, network_record, run_record
from stitchlab.store import Source, Store, store_or_default

ROOM = "runs"


class RunRecord:
    """Describe a run, without its numbers.

    Args:
        store: where the run's results are.
        record: the run's JSON record (`stitchlab.results.records.RunJson`).

    Raises StitchLabError for a request that this version cannot read.
    """

    def __init__(self, store: Store, record: Mapping[str, Any]) -> None:
        self.store = store
        self.request = Request.from_json(record.get("request"))
        self.record: RunJson = run_record(record)
        self.id = self.request.id if self.request.front else ""

    @classmethod
    def load(cls, name: str, store: Store | None = None) -> Self:
        """Read the run with this id, or with an id that begins with it (6 digits or more).

        Raises UnknownName, StitchLabError.
        """
        store = store_or_default(store)
        ids = store.keys(ROOM)
        matches = [key for key in ids if key == name] or [k for k in ids if len(name) >= 6 and k.startswith(name)]
        record = store.get(ROOM, matches[0]) if len(matches) == 1 else None
        if record is None:
            raise UnknownName("run", name, ids, "`runs` lists them all; `compare` makes one")
        return cls(store, record)

    @classmethod
    def of(cls, store: Store, request: Request, front: Network, end: Network, data: DataRecord) -> Self:
        """Return the run of this request, from the store or as `save` would write it.

        Args:
            store, request: where the run is looked up, and the request.
            front, end, data: the records of both networks and of the data, for a new run.
        """
        if stored := store.intact(ROOM, request.id):
            return cls(store, stored)
        record: RunJson = {
            "request": asdict(request),
            "front": network_record(front.record()),
            "end": network_record(end.record()),
            "data": {
                "name": data.name,
                "label": data.label,
                "fingerprint": data.fingerprint,
                "shape": list(data.shape),
                "classes": list(data.classes),
                "train": data.train,
                "test": data.test,
            },
            "created": _now(),
        }
        return cls(store, record)

    def under_todays_definitions(self) -> Self:
        """Return the run of the same request under today's definitions: this run if none has changed.

        Results that this run lacks are computed under the returned run's id. Both share the maps and accuracies whose
        definitions have not changed.
        """
        request = definitions.under_todays(self.request)
        if request is self.request:
            return self
        record = self.store.intact(ROOM, request.id)
        unnamed = {key: value for key, value in self.record.items() if key != "name"}
        return type(self)(self.store, record or unnamed | {"request": asdict(request), "created": _now()})

    @property
    def draft(self) -> bool:
        """Tell whether its front network is a control that is not made yet: then it has no id and no results."""
        return not self.request.front

    def save(self) -> Self:
        """Write its record, if the store lacks it: then the run counts as requested. Raises ValueError for a draft."""
        if self.draft:
            raise ValueError("a draft has no id: make its control first, by `stitchlab.grid.ask.ask`")
        if self.store.intact(ROOM, self.id) is None:
            self.store.put(ROOM, self.id, {**self.record})
        return self

    def wanted(self) -> dict[str, Any]:
        """Return the arguments of `stitchlab.grid.ask.ask`, as JSON, that lead to this run.

        The front network of a draft is given by the name of its control.
        """
        request = self.request
        return {
            "front": self.record["front"]["origin"]["control"] if self.draft else request.front,
            "end": request.end,
            "data": request.data,
            "front_layers": list(request.front_layers),
            "end_layers": list(request.end_layers),
            "methods": list(request.methods),
            "indices": list(request.indices),
            "tlm": asdict(request.tlm),
            "dm_images": request.dm.images,
            "eval_images": request.eval_images,
            "null": request.null,
            "seed": request.seed,
        }

    @property
    def source(self) -> Source | None:
        """Return the .stitch file that it was read from, and which makes it read-only; None if it was computed here."""
        return self.store.source

    def check_own(self) -> None:
        """Check that it was not opened from a file, since such a run is read-only. Raises StitchLabError."""
        if self.source is not None:
            raise StitchLabError(
                f"run {self.id} was opened from {self.source.file}, to be read: nothing of it is "
                "computed. Compare the same networks here to compute it yourself"
            )

    @property
    def name(self) -> str:
        """Return the name that a user gave it (`stitchlab.results.naming`); empty if it has none."""
        return str(self.record.get("name", ""))

    @property
    def title(self) -> str:
        """Describe it for people: ``digits-a → digits-b on Digits``."""
        return f"{self.record['front']['name']} → {self.record['end']['name']} on {self.record['data']['label']}"

    @property
    def front_scored(self) -> bool:
        """Tell whether the front network predicts the data's classes, so that its accuracy is defined."""
        return list(self.record["front"]["classes"]) == list(self.record["data"]["classes"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
