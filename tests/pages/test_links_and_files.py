"""A page shown in another one, links that are copied, and the Figure panel."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from looks import Notes, Open, charts, drawn, has, heading, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.export.formats import FORMATS, file_name
from stitchlab.results.run import Run
from stitchlab.ui import embedding

CONTROLS = (
    "button",
    "selectbox",
    "button_group",
    "multiselect",
    "number_input",
    "text_input",
    "toggle",
    "expander",
    "page_link",
    "title",
    "header",
    "markdown",
    "caption",
)


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is shown in another one."""
    monkeypatch.setattr(embedding, "embedded", lambda: True)


@pytest.mark.parametrize(
    ("page", "link", "titles"),
    [
        ("pages/1_Compare.py", {}, ["Task loss matching: accuracy", "Direct matching: accuracy"]),
        ("pages/1_Compare.py", {"view": "Difference", "show": "Distance to native"}, ["TLM − DM: distance"]),
        ("pages/1_Compare.py", {"show": "Similarity indices"}, ["Linear CKA", "Procrustes"]),
        ("pages/2_Activations.py", {"look": "Scores", "front_layer": "layer3.1", "end_layer": "relu"}, [""]),
        ("pages/2_Activations.py", {"look": "Whole grid"}, ["Task loss matching", "Direct matching"]),
    ],
)
def test_an_embedded_page_shows_figures_alone(
    page: str, link: dict[str, str], titles: list[str], opened: Open, jobs: Notes, judged: Run, within: None
) -> None:
    at = sound(opened(judged.store, page, run=judged.id, **link))
    assert len(charts(at)) == len(titles)
    for figure, title in zip(charts(at), titles, strict=True):
        assert title in heading(figure)
    assert not {kind: len(at.get(kind)) for kind in CONTROLS if at.get(kind)}


@pytest.mark.parametrize(
    "page", ["pages/1_Compare.py", "pages/2_Activations.py", "pages/3_Checks.py", "pages/4_Runs.py"]
)
def test_an_embedded_page_without_a_figure_says_so(page: str, opened: Open, judged: Run, within: None) -> None:
    at = sound(opened(judged.store, page, run="nonsense", runs="nonsense"))
    assert "shows no figure" in text(at, "info")
    assert not has(at, "selectbox", "front")


def panel(at: AppTest, **state: Any) -> AppTest:
    """The page with its Figure panel open."""
    at.session_state["figure"] = True
    for key, value in state.items():
        at.session_state[key] = value
    return sound(at.run())


def test_the_preview_is_the_file_and_the_caption_stands_beside_it(opened: Open, judged: Run) -> None:
    at = panel(opened(judged.store, run=judged.id))
    (shown,) = at.get("image")
    url = shown.proto.imgs[0].url
    svg = base64.b64decode(url.partition(",")[2]).decode()
    assert svg.count("layer3.1") >= 3
    assert at.code[0].value.endswith(f"run {judged.id}.")
    assert "2 train" not in at.code[0].value
    assert file_name(judged, "svg") in text(at, "caption")
    assert "1.9" not in re.findall(r"viewBox=\"([^\"]*)", svg)[0].split()


@pytest.mark.parametrize("kind", list(FORMATS))
def test_every_kind_of_file_is_made(kind: str, opened: Open, judged: Run) -> None:
    at = panel(opened(judged.store, run=judged.id), kind=kind)
    assert not at.error
    (button,) = at.get("download_button")
    assert button.proto.label == f"Download .{kind}"
    assert bool(at.get("image")) == (kind in ("svg", "pdf", "png"))


def test_the_panel_shows_what_the_page_shows_and_what_is_chosen(opened: Open, judged: Run) -> None:
    at = panel(opened(judged.store, run=judged.id, view="Difference", show="Distance to native"))
    chosen = next(w for w in at.multiselect if w.label == "Panels")
    assert chosen.value == ["difference/distance"]
    at = sound(chosen.set_value(["cka", "frechet/ratio"]).run())
    assert "Linear CKA" in at.code[0].value
    assert "Fréchet" in at.code[0].value
    at = sound(next(w for w in at.multiselect if w.label == "Panels").set_value([]).run())
    assert "choose one" in text(at, "error")


def test_a_link_has_the_style(opened: Open, judged: Run) -> None:
    at = panel(opened(judged.store, run=judged.id, size="Slide", dark="true", colours="cividis", letters="true"))
    assert widget(at, "button_group", "size").value == "slide"
    assert widget(at, "toggle", "dark").value is True
    assert "slide_dark" in text(at, "caption")
    assert (drawn(charts(at)[0]) == judged.matrix("tlm", "accuracy")).all()
