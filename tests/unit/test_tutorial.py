"""docs/tutorial.ipynb: two torchvision networks from nothing to a figure; its cells run as they stand, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unit.test_imports import HOUSE

TOLD = json.loads((HOUSE / "docs" / "tutorial.ipynb").read_text())


def test_its_cells_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    there: dict[str, Any] = {}
    cells = ["".join(cell["source"]) for cell in TOLD["cells"] if cell["cell_type"] == "code"]
    assert 4 <= len(cells) <= 8
    for cell in cells:
        exec(compile(cell, "tutorial", "exec"), there)
    run = there["run"]
    assert run.complete
    assert run.own_accuracy > 0.8
    assert there["frame"].metric.eq("accuracy").sum() == 18
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "figure.pdf", "table.tex"]
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_it_is_kept_without_what_it_printed() -> None:
    assert TOLD["nbformat"] == 4
    assert not [cell for cell in TOLD["cells"] if cell.get("outputs") or cell.get("execution_count")]
    assert TOLD["cells"][0]["cell_type"] == "markdown"
