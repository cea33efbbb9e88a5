"""Names exported files by their content, with characters that every file system accepts."""

from __future__ import annotations

import re
import unicodedata

from stitchlab.catalog.methods import METRICS
from stitchlab.export.options import Options
from stitchlab.export.shown import shown_names
from stitchlab.results.run import Run

# Lengths in characters; what a figure shows gets those that are left.
MAX_FILE_NAME = 120  # with the suffix
MAX_NETWORK_NAME = 24
MAX_DATA_NAME = 16
RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(?=$|[._-])", re.IGNORECASE)  # devices, on Windows


def file_name(run: Run, suffix: str, options: Options | None = None, *, drawn: bool = True) -> str:
    """Name a file of a run: both networks, the data, what is shown, its size, the run's id.

    Args:
        run: the run that is exported.
        suffix: without its dot.
        options: what is shown, and how; None: the defaults.
        drawn: whether it is a figure; a file of numbers has no size.

    Raises UnknownName if a figure shows something that the run does not have.
    """
    options = options or Options()
    record = run.record
    networks = f"{plain(record['front']['name'], MAX_NETWORK_NAME)}--{plain(record['end']['name'], MAX_NETWORK_NAME)}"
    start = f"{networks}_{plain(record['data']['label'], MAX_DATA_NAME)}_"
    style = "_".join([options.size, *(["dark"] if options.dark else []), ""]) if drawn else ""
    end = f"{style}{(run.id or 'draft')[:8]}.{suffix}"
    room = MAX_FILE_NAME - len(start) - len(end) - 1
    content = f"{plain('-'.join(_shown(run, options)), room)}_" if drawn else ""
    return start + content + end


def _shown(run: Run, options: Options) -> list[str]:
    """List what a figure shows; a metric that stands for both methods gets their names."""
    return ["-".join([*run.request.methods, item]) if item in METRICS else item for item in shown_names(run, options)]


def plain(text: str, max_length: int) -> str:
    """Write a text with characters that every file system accepts, and cut it to this length.

    >>> plain("own/ré-seau: 網 2", 30), plain("..", 30), plain("CON", 30), plain("x" * 300, 8)
    ('own-re-seau-2', 'unnamed', 'CON-', 'xxxxxxxx')
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    safe = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9.+]+", "-", letters))[:max_length].strip("-.")
    return RESERVED_NAMES.sub(r"\1-", safe) or "unnamed"
