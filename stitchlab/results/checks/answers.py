"""Read what the store has of a suite: for each check and measure the statistics, and the evidence to draw.

Evidence is data for figures, as JSON knows it: ``figures``, each of a ``kind``, and ``runs``, each with its ``id``,
``title`` and ``value``. Kinds are

- ``matrix``: front_layers, end_layers, values (rows are front layers, None where undefined), low, high, better, marks
  (places [row, column] of the cells that count);
- ``lines``: x_label, y_label, lines with name, role (``probe``, ``measure``, ``method`` or ``level``), x and y (None
  where undefined);
- ``points``: x_label, y_label, groups with name and points [x, y, label], and diagonal (whether the line y = x says
  something);
- ``intervals``: x_label, rows with label, value, low and high, and reference (a value to hold them against, or None);

all with title and subtitle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError
from stitchlab.results.checks.suite import Checking, Suite, asked, wanted
from stitchlab.store import Store

if TYPE_CHECKING:
    from stitchlab.results.checks.table import CheckRow

ROOM = "checks"  # answers, by the suite's id and the check's name
SUITES = "suites"  # what was asked for


class Number(NamedTuple):
    """Hold a statistic, its interval and p-value if it has them, and the ``reason`` if it is undefined or limited.

    ``bound`` is what it is held against where that lies in the data, ``least_p`` the smallest p-value that there
    can be.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""
    bound: float | None = None
    least_p: float | None = None


@dataclass(frozen=True)
class Answer:
    """Hold what a check found for a measure: statistics by name, and the evidence (see above)."""

    statistics: dict[str, Number]
    evidence: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Convert it to JSON."""
        return {
            "statistics": {name: number._asdict() for name, number in self.statistics.items()},
            "evidence": self.evidence,
        }

    @classmethod
    def of(cls, record: dict[str, Any]) -> Answer:
        """Rebuild the answer from what `record` returned."""
        return cls({name: Number(**number) for name, number in record["statistics"].items()}, record["evidence"])


class Answers:
    """Read what the store has of a suite's checks now. Make a new one to see what has come since."""

    def __init__(self, checking: Checking) -> None:
        self.checking, self.suite, self.store = checking, checking.suite, checking.store

    @cached_property
    def kept(self) -> dict[str, dict[str, Any]]:
        """Read the results of each check that was computed: ``answers`` by measure, and how it was computed."""
        found = {name: self.store.intact(ROOM, key(self.suite.id, name)) for name in CHECKS}
        return {name: record for name, record in found.items() if record is not None}

    def lacking(self, names: Sequence[str] = tuple(CHECKS)) -> list[str]:
        """List those of these checks that are not computed yet."""
        return [name for name in CHECKS if name in names and name not in self.kept]

    def rows(self, names: Sequence[str] = tuple(CHECKS)) -> list[CheckRow]:
        """List the statistics of these checks, as far as they are computed, for every measure they apply to."""
        from stitchlab.results.checks.table import rows

        return rows(self, names)

    def answer(self, check: str, subject: str) -> Answer | None:
        """Return what a check found for a measure; None if it is not computed yet or does not apply."""
        record = self.kept.get(check, {}).get("answers", {}).get(subject)
        return None if record is None else Answer.of(record)


def key(suite: str, check: str) -> str:
    """Return the key of a check's answers in the store."""
    return f"{suite}-{check}"


def save(checking: Checking) -> None:
    """Record that a suite was asked for, unless it was before."""
    store, suite = checking.store, checking.suite
    if store.intact(SUITES, suite.id) is None:
        store.put(
            SUITES,
            suite.id,
            {
                "wanted": wanted(checking),
                "networks": [network.name for network in checking.networks],
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def suites(store: Store) -> list[dict[str, Any]]:
    """List the suites that were asked for, newest first: ``id``, ``wanted``, ``networks`` by name, ``created``.

    Those of a .stitch file have the ``suite`` itself beside them, since the file lacks what it was made from.
    """
    found = [record | {"id": name} for name in store.keys(SUITES) if (record := store.intact(SUITES, name)) is not None]
    return sorted(found, key=lambda record: str(record["created"]), reverse=True)


def answers_of(store: Store, record: dict[str, Any]) -> Answers | None:
    """Read the results of a suite that `suites` lists; None if it is no longer the same suite.

    One's own is asked for again, and is another where definitions have changed, or none where a network is gone.
    """
    with contextlib.suppress(StitchLabError):
        made = (
            Checking(store, Suite.from_json(record["suite"]), record["networks"])
            if "suite" in record
            else asked(store, record["wanted"])
        )
        return Answers(made) if made.suite.id == record["id"] else None
    return None
