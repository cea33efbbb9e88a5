"""Track whether a page still shows work that nobody asked for: it goes on while one does, and ends soon after.

A page that is left runs no script. So each of its looks renews a mark beside the job's progress, and whoever does the
work stops once the mark no longer changes; by its own clock, since that of another machine may be wrong.
"""

from __future__ import annotations

import time
from typing import Any

from stitchlab.store import Store

ROOM = "progress"
LEFT = 8.0  # seconds without a look after which a page counts as left; pages look every second, slow machines later


def look(store: Store, attempt: str) -> None:
    """Note that a page shows this attempt at a job now."""
    store.put(ROOM, _key(attempt), {"time": time.time()})


def leave(store: Store, attempt: str) -> None:
    """Stop an attempt because no page shows it any more."""
    store.put("cancel", attempt, {"left": True})


class Watch:
    """Watch, from the side of whoever does the work, whether any page still shows an attempt."""

    def __init__(self, store: Store, attempt: str) -> None:
        self._store, self._attempt = store, attempt
        self._mark: dict[str, Any] | None = None
        self._since = time.monotonic()  # whoever begins gives everybody time to look

    def left(self) -> bool:
        """Tell whether no page has shown the attempt for `LEFT` seconds."""
        mark = self._store.intact(ROOM, _key(self._attempt))
        if mark != self._mark:
            self._mark, self._since = mark, time.monotonic()
        return time.monotonic() - self._since > LEFT


def _key(attempt: str) -> str:
    return f"{attempt}.seen"
