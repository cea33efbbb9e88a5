"""Name runs: a user's name for a run is kept in its record, but not in its request, so that its id stays the same."""

from __future__ import annotations

from stitchlab.errors import StitchLabError
from stitchlab.results.run import Run
from stitchlab.results.run_record import ROOM
from stitchlab.store import Store

LONGEST = 80  # characters of a name


def rename(store: Store, run_id: str, name: str) -> Run:
    """Give a run a name, or remove its name; its id, its links and its results stay.

    Args:
        store: where the run is.
        run_id: its id, or the beginning of it (6 digits or more).
        name: up to 80 characters; an empty text removes the name.

    Returns:
        the run with its new name.

    Raises:
        UnknownName: there is no such run.
        StitchLabError: the name is too long or not one line of text.
    """
    run, name = Run.load(run_id, store), " ".join(name.split())
    if len(name) > LONGEST or not name.isprintable():
        raise StitchLabError(
            f"a run's name is one line of up to {LONGEST} characters; got {len(name)}"
            + ("" if name.isprintable() else ", some of which cannot be printed")
        )
    record = {key: value for key, value in run.record.items() if key != "name"} | ({"name": name} if name else {})
    store.put(ROOM, run.id, record)
    return Run(store, record)
