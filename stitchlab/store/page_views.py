"""Track whether a page still shows work that no user asked for: such work goes on while a page shows it.

A page that the user has left runs no script, so it cannot say that it was left. Therefore a page that is shown renews a
mark beside the job's progress again and again. The process that does the work stops once the mark no longer changes. It
measures that by its own clock, since the clock of the machine that wrote the mark may be wrong.
"""

from __future__ import annotations

import time
from typing import Any

from stitchlab.store import Store

ROOM = "progress"
#: Seconds without a view after which a page counts as left. Pages renew the mark every second, slow machines later.
PAGE_LEFT_AFTER_S = 8.0


def record_view(store: Store, attempt: str) -> None:
    """Note that a page shows this attempt at a job now."""
    store.put(ROOM, _key(attempt), {"time": time.time()})


class ViewWatch:
    """Watch, in the process that does the work, whether any page still shows an attempt."""

    def __init__(self, store: Store, attempt: str) -> None:
        self._store, self._attempt = store, attempt
        self._mark: dict[str, Any] | None = None
        self._changed = time.monotonic()  # a page that opens just now has the whole time to renew the mark

    @property
    def page_left(self) -> bool:
        """Tell whether no page has shown the attempt for `PAGE_LEFT_AFTER_S` seconds."""
        mark = self._store.intact(ROOM, _key(self._attempt))
        if mark != self._mark:
            self._mark, self._changed = mark, time.monotonic()
        return time.monotonic() - self._changed > PAGE_LEFT_AFTER_S


def _key(attempt: str) -> str:
    return f"{attempt}.seen"
