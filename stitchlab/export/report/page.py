"""Writes the report's HTML: one page that contains its style, its data and its script."""

from __future__ import annotations

import html as markup
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

#: In this order they become one script; constants have to come before the code that uses them at once.
SCRIPTS = ("base.js", "heatmap.js", "charts.js", "cell.js", "figures.js", "report.js")


def html(title: str, data: dict[str, Any]) -> bytes:
    """Write the page. The JSON has no ``<``, so no text in the data can close the element that holds it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {"TITLE": markup.escape(title), "STYLE": part("report.css"), "DATA": text, "SCRIPT": _script()}
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], part("report.html")).encode("utf-8", "replace")


@cache
def part(name: str) -> str:
    """Read a file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    return "(() => {\n'use strict';\n" + "\n".join(map(part, SCRIPTS)) + "\n})();"
