"""The presenter view: a page's figures alone, each a slide, by its address; and the way there and back."""

from __future__ import annotations

import pytest
from looks import Notes, Open, charts, has, heading, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.results.run import Run

CELL = {"front_layer": "layer3.1", "end_layer": "relu"}
SHOWN = ("title", "header", "markdown", "caption", "selectbox", "button_group", "expander", "page_link")


def buttons(at: AppTest) -> list[str | None]:
    return [button.key for button in at.button]


@pytest.mark.parametrize(
    ("page", "link", "titles"),
    [
        ("pages/1_Compare.py", {}, ["Task loss matching: accuracy", "Direct matching: accuracy"]),
        ("pages/1_Compare.py", {"view": "Difference"}, ["TLM − DM: accuracy"]),
        ("pages/2_Activations.py", {"look": "Scores", **CELL}, [""]),
    ],
)
def test_a_presented_page_shows_its_figures_and_the_way_back(
    page: str, link: dict[str, str], titles: list[str], opened: Open, jobs: Notes, judged: Run
) -> None:
    at = sound(opened(judged.store, page, run=judged.id, present="true", **link))
    for figure, title in zip(charts(at), titles, strict=True):
        assert title in heading(figure)
    assert buttons(at) == ["leave"]
    assert not {kind: len(at.get(kind)) for kind in SHOWN if at.get(kind)}
    at = sound(widget(at, "button", "leave").click().run())
    assert "present" not in at.query_params
    assert at.title
    assert at.query_params["run"] == judged.id, "the rest of the address stays"


def test_the_way_there_is_the_address(opened: Open, jobs: Notes, judged: Run) -> None:
    at = sound(opened(judged.store, run=judged.id))
    at = sound(widget(at, "button", "to_presenter").click().run())
    assert at.query_params["present"] == "true"
    assert buttons(at) == ["leave"]
    assert len(charts(at)) == 2


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("pages/4_Runs.py", {}),
        ("pages/1_Compare.py", {"run": "nonsense"}),
        ("pages/5_Networks.py", {"part": "Import"}),
    ],
)
def test_a_page_without_a_figure_offers_no_presenter_view(
    page: str, link: dict[str, str], opened: Open, jobs: Notes, judged: Run
) -> None:
    assert not has(sound(opened(judged.store, page, **link)), "button", "to_presenter")
    at = sound(opened(judged.store, page, present="true", **link))
    assert "shows no figure" in text(at, "info")
    assert buttons(at) == ["leave"]


def test_only_true_presents(opened: Open, jobs: Notes, judged: Run) -> None:
    assert sound(opened(judged.store, run=judged.id, present="no")).title
