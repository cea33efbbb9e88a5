"""A name of a run's own, which people give it: it stands in the run's record, beside the request and not in it."""

from __future__ import annotations

from stitchlab.errors import StitchLabError
from stitchlab.results.run import ROOM, Run
from stitchlab.store import Store

LONGEST = 80  # characters


def rename(store: Store, run_id: str, name: str) -> Run:
    """Call a run by a name of its own, or by none; its id, its links and its results stay.

    Raises UnknownName; StitchLabError where the name is too long or is no line of text.
    """
    found, name = Run.load(run_id, store), " ".join(name.split())
    if len(name) > LONGEST or not name.isprintable():
        raise StitchLabError(f"a run's name is one line of up to {LONGEST} characters; {len(name)} came"
                             + ("" if name.isprintable() else ", some of which cannot be printed"))
    record = {key: value for key, value in found.record.items() if key != "name"} | ({"name": name} if name else {})
    store.put(ROOM, found.id, record)
    return Run(store, record)
