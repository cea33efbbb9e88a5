"""Every page runs in a process in which importing torch, torchvision, scipy and scikit-learn fails."""

from __future__ import annotations

import json
from typing import Any

from blocked import python
from looks import PAGES

from stitchlab.results.run import Run
from stitchlab.ui.views import VIEWS

LOOK = """
import json, sys
from looks import Notes
from streamlit.testing.v1 import AppTest
from stitchlab import ui
from stitchlab.jobs import Answer

class Waiting(Notes):
    def ask(self, name, *arguments, wait=0.0):
        return Answer("waiting")

def waiting(store):
    jobs = Waiting()
    jobs.store = store
    return jobs

ui.Jobs = waiting
shown = []
for page, link in json.loads(sys.argv[1]):
    at = AppTest.from_file("app.py", default_timeout=60)
    if page != "app.py":
        at.switch_page(page)
    at.query_params.update(link)
    at.run()
    shown.append({"raised": [e.message for e in at.exception], "titles": [t.value for t in at.title],
                  "charts": len(at.get("plotly_chart")), "errors": [e.value for e in at.error],
                  "loaded": sorted({name.partition(".")[0] for name in sys.modules} & set(blocked.COMPUTES))})
print(json.dumps(shown))
"""


def look(of: Run, *links: tuple[str, dict[str, str]]) -> list[dict[str, Any]]:
    """What pages, each with the words of its link, show of this run's store where nothing computes, in one process."""
    told = python(LOOK, json.dumps(links), STITCHLAB_CACHE=str(of.store.root))
    assert told.returncode == 0, told.stderr[-2000:]
    shown: list[dict[str, Any]] = json.loads(told.stdout.splitlines()[-1])
    assert [one["raised"] for one in shown] == [[] for _ in links]
    return shown


def test_every_page_needs_nothing_that_computes(judged: Run) -> None:
    for page, shown in zip(PAGES, look(judged, *((page, {}) for page in PAGES)), strict=True):
        assert shown["titles"], page
        assert (shown["loaded"], shown["errors"]) == ([], []), page


def test_what_is_there_is_shown_without_it(judged: Run) -> None:
    cell = {"run": judged.id, "front_layer": "layer3.1", "end_layer": "relu"}
    views = sorted(set(VIEWS) - {"maps"})  # feature maps are made when they are looked at
    parts = ["Networks", "Train", "Import", "Data sets"]
    compared, *others = look(
        judged,
        ("pages/1_Compare.py", {"run": judged.id}),
        *(("pages/2_Activations.py", {"look": VIEWS[view][0], **cell}) for view in views),
        *(("pages/5_Networks.py", {"part": part}) for part in parts),
    )
    assert compared["charts"] == 2
    for view, shown in zip(views, others[: len(views)], strict=True):
        assert shown["charts"], view
    for part, shown in zip(parts, others[len(views) :], strict=True):
        assert shown["errors"] == [], part
