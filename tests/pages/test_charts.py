"""Heatmaps on a page: how many stand side by side, and that each may scroll."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def page(count: int, layers: int) -> None:
    from types import SimpleNamespace
    from typing import cast

    import numpy as np

    from stitchlab.figures.grid import Grid
    from stitchlab.results.run import Run
    from stitchlab.ui.charts import heatmaps

    names = tuple(f"blocks.{k}" for k in range(layers))
    grid = Grid(
        title="A title",
        subtitle="",
        values=np.zeros((layers, layers)),
        front_layers=names,
        end_layers=names,
        front="left",
        end="right",
        low=0.0,
        high=1.0,
    )
    heatmaps(cast(Run, SimpleNamespace(id="run")), [grid] * count, "grid", None)


@pytest.mark.parametrize(
    ("count", "layers", "wide"),
    [(1, 6, 2), (2, 6, 2), (3, 6, 3), (4, 6, 2), (5, 13, 3), (2, 13, 2), (2, 14, 1), (3, 60, 1)],
)
def test_heatmaps_of_many_columns_stand_one_under_the_other(count: int, layers: int, wide: int) -> None:
    at = AppTest.from_function(page, kwargs={"count": count, "layers": layers}, default_timeout=60).run()
    assert not at.exception
    outer, *inner = [proto for proto in blocks(at.main) if type(proto).__name__ == "GridContainer"]
    assert outer.columns == wide
    assert outer.wrap
    assert len(inner) == count == len(at.get("plotly_chart"))
    assert not any(one.wrap for one in inner), "it scrolls where it does not fit"


def blocks(block: Any) -> list[Any]:
    """What each container in a container was asked to be."""
    return [
        found
        for child in block.children.values()
        if hasattr(child, "children")
        for found in (child.proto, *blocks(child))
    ]
