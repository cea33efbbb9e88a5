"""Every page runs in a process in which importing torch, torchvision, scipy and scikit-learn fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
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

ui.Jobs = lambda store: Waiting()
page, link = sys.argv[1], json.loads(sys.argv[2])
at = AppTest.from_file("app.py", default_timeout=60)
if page != "app.py":
    at.switch_page(page)
at.query_params.update(link)
at.run()
assert not at.exception, [error.message for error in at.exception]
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "scipy", "sklearn"})
print(json.dumps({"titles": [t.value for t in at.title], "charts": len(at.get("plotly_chart")), "loaded": loaded,
                  "errors": [e.value for e in at.error]}))
"""


def look(of: Run, page: str, **link: str) -> dict[str, object]:
    """What a page shows of this run's store where nothing computes."""
    told = python(LOOK, page, json.dumps(link), folders=[Path(__file__).parent], STITCHLAB_CACHE=str(of.store.root))
    assert told.returncode == 0, told.stderr[-2000:]
    shown: dict[str, object] = json.loads(told.stdout.splitlines()[-1])
    return shown


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_nothing_that_computes(page: str, judged: Run) -> None:
    shown = look(judged, page)
    assert shown["titles"]
    assert shown["loaded"] == []
    assert shown["errors"] == []


def test_what_is_there_is_shown_without_it(judged: Run) -> None:
    assert look(judged, "pages/1_Compare.py", run=judged.id)["charts"] == 2
    cell = {"run": judged.id, "front_layer": "layer3.1", "end_layer": "relu"}
    for view in set(VIEWS) - {"maps"}:  # feature maps are made when they are looked at
        assert look(judged, "pages/2_Activations.py", look=VIEWS[view][0], **cell)["charts"], view
    for part in ("Networks", "Train", "Import", "Data sets"):
        shown = look(judged, "pages/5_Networks.py", part=part)
        assert shown["errors"] == [], part
