"""Read the results of a suite's checks: for each check and measure the statistics, and the evidence to draw.

Evidence is data for figures, as plain JSON: ``figures``, each of a ``kind``, and ``runs``, each with its ``id``,
``title`` and ``value``. The kinds are

- ``matrix``: front_layers, end_layers, values (rows are front layers, None where undefined), low, high, better, marks
  (places [row, column] of the cells that count);
- ``lines``: x_label, y_label, lines with name, role (``probe``, ``measure``, ``method`` or ``level``), x and y (None
  where undefined);
- ``points``: x_label, y_label, groups with name and points [x, y, label], and diagonal (whether to draw the line
  y = x);
- ``intervals``: x_label, rows with label, value, low and high, and reference (a value to compare them with, or None);

all with title and subtitle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError
from stitchlab.results.checks.suite import Checking, Suite, suite_of, wanted
from stitchlab.results.records import AnswerJson, CheckEntry, SuiteRecord
from stitchlab.store import Store

if TYPE_CHECKING:
    from stitchlab.results.checks.table import CheckRow

ROOM = "checks"  # the room of answers, by the suite's id and the check's name
SUITES = "suites"  # the room of suites that were requested


class Number(NamedTuple):
    """Hold a statistic, its interval and p-value if it has them, and the ``reason`` if it is undefined or limited.

    ``bound`` is the value that the statistic is compared with, if it comes from the data; ``least_p`` is the smallest
    possible p-value.
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
    """Hold a check's answer for one measure: statistics by name, and the evidence (see above)."""

    statistics: dict[str, Number]
    evidence: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Convert it to JSON."""
        return {
            "statistics": {name: number._asdict() for name, number in self.statistics.items()},
            "evidence": self.evidence,
        }

    @classmethod
    def of(cls, record: AnswerJson) -> Answer:
        """Rebuild the answer from `record`'s JSON."""
        return cls({name: Number(**number) for name, number in record["statistics"].items()}, record["evidence"])


class Answers:
    """Read the answers of a suite's checks, as far as the store has them now. Make a new instance to see later ones."""

    def __init__(self, checking: Checking) -> None:
        self.checking, self.suite, self.store = checking, checking.suite, checking.store

    def __repr__(self) -> str:
        """Say what they are: ``<Answers 3b5178d218de1b9a: 10 checks of digits-a, digits-b>``."""
        return f"<Answers {self.suite.id}: {len(self.kept)} checks of {self.checking.title}>"

    @cached_property
    def kept(self) -> dict[str, CheckEntry]:
        """Read the entry of each check that is computed: ``answers`` by measure, and how they were computed."""
        entries = {name: self.store.intact(ROOM, key(self.suite.id, name)) for name in CHECKS}
        return {name: cast("CheckEntry", entry) for name, entry in entries.items() if entry is not None}

    def lacking(self, names: Sequence[str] = tuple(CHECKS)) -> list[str]:
        """List those of these checks that are not computed yet."""
        return [name for name in CHECKS if name in names and name not in self.kept]

    def rows(self, names: Sequence[str] = tuple(CHECKS)) -> list[CheckRow]:
        """List the computed statistics of these checks, for every measure that each check applies to."""
        from stitchlab.results.checks.table import rows

        return rows(self, names)

    def answer(self, check: str, subject: str) -> Answer | None:
        """Return a check's answer for a measure; None if it is not computed yet or does not apply."""
        entry = self.kept.get(check)
        record = entry["answers"].get(subject) if entry else None
        return None if record is None else Answer.of(record)


def key(suite: str, check: str) -> str:
    """Return the key of a check's answers in the store."""
    return f"{suite}-{check}"


def save(checking: Checking) -> None:
    """Record that a suite was requested, unless the store has that record already."""
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


def suites(store: Store) -> list[SuiteRecord]:
    """List the suites that were requested, newest first.

    Those of a .stitch file have the ``suite`` itself in their records, since it cannot be made again from a file alone.
    """
    records = [
        cast("SuiteRecord", record | {"id": suite_id})
        for suite_id in store.keys(SUITES)
        if (record := store.intact(SUITES, suite_id)) is not None
    ]
    return sorted(records, key=lambda record: str(record["created"]), reverse=True)


def answers_of(store: Store, record: SuiteRecord) -> Answers | None:
    """Read the answers of a suite that `suites` lists; None if it is no longer the same suite.

    A suite that was computed here is made again from its arguments. It has another id if definitions have changed
    since, and cannot be made if a network was deleted.
    """
    with contextlib.suppress(StitchLabError):
        checking = (
            Checking(store, Suite.from_json(record["suite"]), record["networks"])
            if "suite" in record
            else suite_of(store, record["wanted"])
        )
        return Answers(checking) if checking.suite.id == record["id"] else None
    return None
