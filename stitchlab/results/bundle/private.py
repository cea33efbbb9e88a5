"""Leave out of a file where it was made: folders and names of machines, which often contain users' names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stitchlab.catalog.data_sets import FOLDER

_SEPARATORS = re.compile(r"[/\\]")
#: The folders before the last name of an absolute path; not those of an address (``https://…``), nor of ``a/b``.
_FOLDERS = re.compile(r"""(?<![\w./\\])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:;,'"()]+[/\\])+""")
_FILES = ("file", "path")  # names of fields that hold a path as a whole


def private(value: Any, field: str = "") -> Any:
    """Remove folders and names of machines from a JSON value; doing it twice changes nothing.

    >>> private({"data": "folder:/home/ada/CIFAR-10", "device": "cpu on ada-laptop"})
    {'data': 'folder:CIFAR-10', 'device': 'cpu'}
    """
    if isinstance(value, dict):
        return {key: private(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        made = [private(inner, field) for inner in value]
        return sorted(set(made)) if field == "devices" else made
    if not isinstance(value, str):
        return value
    if field in ("device", "devices"):  # `stitchlab.models.provenance`
        return value.partition(" on ")[0]
    if field in _FILES:
        return _SEPARATORS.split(value)[-1]
    if value.startswith(FOLDER):
        return FOLDER + _SEPARATORS.split(value.rstrip("/\\"))[-1].removeprefix(FOLDER)
    return text(value)


def text(value: str) -> str:
    """Remove the folders of absolute paths within a text.

    >>> text("compare a b --data folder:/home/ada/CIFAR-10, see https://example.org/a/b and TLM/DM")
    'compare a b --data folder:CIFAR-10, see https://example.org/a/b and TLM/DM'
    """
    if "/" not in value and "\\" not in value:
        return value
    home = str(Path.home())
    return _FOLDERS.sub("", value.replace(home, "~") if len(home) > 1 else value)
