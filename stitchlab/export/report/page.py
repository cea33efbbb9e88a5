"""Writes the report's HTML: a page that stands by itself, with its style, its data and its script inside."""

from __future__ import annotations

import html as markup
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

#: In the order of the page; only what runs at once has to stand before its use.
SCRIPTS = ("base.js", "heatmap.js", "charts.js", "cell.js", "figures.js", "report.js")


def html(title: str, data: dict[str, Any]) -> bytes:
    """Write the page. Data cannot end its element, whatever it says: its JSON has no ``<``."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {"TITLE": markup.escape(title), "STYLE": part("report.css"), "DATA": text, "SCRIPT": _script()}
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda place: parts[place[1]], part("report.html")).encode("utf-8", "replace")


@cache
def part(name: str) -> str:
    """Read a file that lies beside this one."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    return "(() => {\n'use strict';\n" + "\n".join(map(part, SCRIPTS)) + "\n})();"
