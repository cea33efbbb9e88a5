"""Keep a run's record: what was asked, of which networks and data, and when. It is written once, when asked for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Self

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import Request
from stitchlab.results import definitions
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network
from stitchlab.store import Source, Store, given

ROOM = "runs"


class RunRecord:
    """Describe a run, without its numbers."""

    def __init__(self, store: Store, record: dict[str, Any]) -> None:
        self.store, self.record = store, record
        self.request = Request.from_json(record.get("request"))
        self.id = self.request.id if self.request.front else ""

    @classmethod
    def load(cls, name: str, store: Store | None = None) -> Self:
        """Read the run with this id or its beginning (6 digits or more). Raises UnknownName, StitchLabError."""
        store = given(store)
        ids = store.keys(ROOM)
        found = [key for key in ids if key == name] or [k for k in ids if len(name) >= 6 and k.startswith(name)]
        record = store.get(ROOM, found[0]) if len(found) == 1 else None
        if record is None:
            raise UnknownName("run", name, ids, "`runs` lists them all; `compare` makes one")
        return cls(store, record)

    @classmethod
    def of(cls, store: Store, request: Request, front: Network, end: Network, data: DataRecord) -> Self:
        """Return the run of this request, from the store or as `save` would write it.

        Args:
            store, request: where the run is looked up, and what was asked.
            front, end, data: the records of both networks and of the data, for a new one.
        """
        kept = store.intact(ROOM, request.id)
        return cls(
            store,
            kept
            or {
                "request": asdict(request),
                "front": front.record(),
                "end": end.record(),
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
            },
        )

    def under_todays_definitions(self) -> Self:
        """Return the run of the same request under today's definitions: this one if none has changed.

        What this one lacks is computed under that one's id; maps and accuracies whose definitions stayed are shared.
        """
        request = definitions.under_todays(self.request)
        if request is self.request:
            return self
        record = self.store.intact(ROOM, request.id)
        here = {key: value for key, value in self.record.items() if key != "name"}
        return type(self)(self.store, record or here | {"request": asdict(request), "created": _now()})

    @property
    def draft(self) -> bool:
        """Tell whether its front network is not made yet: then it has no id, and nothing of it is computed."""
        return not self.request.front

    def save(self) -> Self:
        """Write its record, if it is new, so that it counts as asked for. Raises ValueError for a draft."""
        if self.draft:
            raise ValueError("a draft has no id: make its control first, by `stitchlab.grid.ask.ask`")
        if self.store.intact(ROOM, self.id) is None:
            self.store.put(ROOM, self.id, self.record)
        return self

    def wanted(self) -> dict[str, Any]:
        """Return the arguments of `stitchlab.grid.ask.ask`, as JSON, that lead to this run.

        The front network of a draft is a control, by its name.
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
        """Return the .stitch file that it was read from, None if it was computed here. Such a run is read-only."""
        return self.store.source

    def check_own(self) -> None:
        """Check that it was not opened from a file, since such a run is only read. Raises StitchLabError."""
        if self.source is not None:
            raise StitchLabError(
                f"run {self.id} was opened from {self.source.file}, to be read: nothing of it is "
                "computed. Compare the same networks here to compute it yourself"
            )

    @property
    def name(self) -> str:
        """Return the name that somebody gave it (`stitchlab.results.naming`); empty if there is none."""
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
