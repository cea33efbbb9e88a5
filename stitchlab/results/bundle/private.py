"""Remove folders and names of machines from the texts of a file: they often contain users' names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stitchlab.catalog.data_sets import FOLDER

_SEPARATORS = re.compile(r"[/\\]")
#: The folders before the last name of an absolute path, but not the parts of an address (``https://…``) or of ``a/b``.
_FOLDERS = re.compile(r"""(?<![\w./\\])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:;,'"()]+[/\\])+""")
_PATH_FIELDS = ("file", "path")  # names of fields whose whole text is a path


def private(value: Any, field: str = "") -> Any:
    """Return a JSON value without folders and names of machines; a second call changes nothing.

    >>> private({"data": "folder:/home/ada/CIFAR-10", "device": "cpu on ada-laptop"})
    {'data': 'folder:CIFAR-10', 'device': 'cpu'}
    """
    if isinstance(value, dict):
        return {key: private(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        cleaned = [private(inner, field) for inner in value]
        return sorted(set(cleaned)) if field == "devices" else cleaned
    if not isinstance(value, str):
        return value
    if field in ("device", "devices"):  # `stitchlab.models.provenance`
        return value.partition(" on ")[0]
    if field in _PATH_FIELDS:
        return _SEPARATORS.split(value)[-1]
    if value.startswith(FOLDER):
        return FOLDER + _SEPARATORS.split(value.rstrip("/\\"))[-1].removeprefix(FOLDER)
    return text(value)


def text(value: str) -> str:
    """Return a text without the folders of its absolute paths.

    >>> text("compare a b --data folder:/home/ada/CIFAR-10, see https://example.org/a/b and TLM/DM")
    'compare a b --data folder:CIFAR-10, see https://example.org/a/b and TLM/DM'
    """
    if "/" not in value and "\\" not in value:
        return value
    home = str(Path.home())
    return _FOLDERS.sub("", value.replace(home, "~") if len(home) > 1 else value)
