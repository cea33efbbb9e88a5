"""Names exported files by what is in them, in letters that every file system takes, whatever networks are called."""

from __future__ import annotations

import re
import unicodedata

from stitchlab.catalog.methods import METRICS
from stitchlab.export.options import Options
from stitchlab.export.shown import shown
from stitchlab.results.run import Run

LONGEST = 120  # letters, the suffix among them
NAME, DATA = 24, 16  # letters of a network's name, and of a data set's; what is shown gets what is left
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(?=$|[._-])", re.IGNORECASE)  # devices, on Windows


def file_name(run: Run, suffix: str, options: Options | None = None, *, drawn: bool = True) -> str:
    """Name a file of a run: both networks, the data, what is shown, its size, the run's id.

    Args:
        run: what the file is of.
        suffix: without its dot.
        options: what is shown, and how; None: the usual.
        drawn: whether it is a figure; a file of numbers has no size.

    Raises UnknownName for what the run does not have, where it is a figure.
    """
    options = options or Options()
    record = run.record
    networks = f"{plain(record['front']['name'], NAME)}--{plain(record['end']['name'], NAME)}"
    first = f"{networks}_{plain(record['data']['label'], DATA)}_"
    looks = "_".join([options.size, *(["dark"] if options.dark else []), ""]) if drawn else ""
    last = f"{looks}{(run.id or 'draft')[:8]}.{suffix}"
    what = f"{plain('-'.join(_shown(run, options)), LONGEST - len(first) - len(last) - 1)}_" if drawn else ""
    return first + what + last


def _shown(run: Run, options: Options) -> list[str]:
    """List what a figure shows; a metric of both methods is named with them."""
    return ["-".join([*run.request.methods, item]) if item in METRICS else item for item in shown(run, options)]


def plain(text: str, most: int) -> str:
    """Write a text with letters that every file system takes, at most so many.

    >>> plain("own/ré-seau: 網 2", 30), plain("..", 30), plain("CON", 30), plain("x" * 300, 8)
    ('own-re-seau-2', 'unnamed', 'CON-', 'xxxxxxxx')
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    safe = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9.+]+", "-", letters))[:most].strip("-.")
    return RESERVED.sub(r"\1-", safe) or "unnamed"
