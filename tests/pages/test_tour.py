"""The tour on Home and the logo."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from looks import Notes, Open, sound

from stitchlab import ui
from stitchlab.store import Store
from stitchlab.store.places import app
from stitchlab.ui import logo, tour


def test_the_tours_links_lead_to_pages_that_there_are(opened: Open, jobs: Notes, tmp_path: Path) -> None:
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    (drawn,) = [each for each in at.get("bidi_component") if each.proto.component_name == "stitchlab_tour"]
    told = json.loads(drawn.proto.json)
    assert [title for title, _ in told["cards"]] == [title for title, _ in tour.CARDS]
    pages = [link["page"] for link in told["links"]]
    assert {"pages/3_Checks.py", "pages/5_Networks.py"} <= set(pages) <= {page for page, _, _ in ui.PAGES}
    assert all((app() / page).is_file() for page in pages)
    assert "Networks?part=Import" in [link["address"] for link in told["links"]]
    assert not (tmp_path / "empty").exists(), "looking makes nothing"


@pytest.mark.parametrize("dark", [False, True])
def test_the_logo_is_svg_that_asks_nobody_for_anything(dark: bool) -> None:
    for drawn in (logo.MARK, logo.wordmark(dark=dark)):
        ElementTree.fromstring(drawn)
        assert drawn.count("http") == drawn.count('xmlns="http://www.w3.org/2000/svg"')
