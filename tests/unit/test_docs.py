"""README and docs/: every link leads somewhere, every command is one, every picture is small."""

from __future__ import annotations

import json
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import stitchlab
from stitchlab.__main__ import _parser
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.export.report.about import CITATIONS
from unit.test_imports import HOUSE

PAGES = [
    *sorted(HOUSE.glob("*.md")),
    *sorted((HOUSE / "docs").glob("*.md")),
    HOUSE / "gallery" / "README.md",
    HOUSE / "benchmarks" / "README.md",
]
NOTEBOOKS = sorted((HOUSE / "docs").glob("*.ipynb"))
MOST_BYTES = 250_000
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def text(path: Path) -> str:
    """A page without its blocks of code; of a notebook what it says in words."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What headings of a page are called in links, as GitHub does it."""
    heads = re.findall(r"^#+ (.*)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def commands() -> list[tuple[str, str]]:
    """All commands that pages and notebooks print, in blocks and within lines, with the page that each is from."""
    found = []
    for path in (*PAGES, *NOTEBOOKS):
        whole = path.read_text() if path.suffix == ".md" else text(path)
        blocks = [
            line
            for block in re.findall(r"^```\w*\n(.*?)^```$", whole, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()
            if "-m stitchlab " in line
        ]
        inline = re.findall(r"`((?:\.venv/bin/)?python -m stitchlab [^`]+)`", re.sub(r"\n", " ", text(path)))
        found += [(name(path), line.partition("-m stitchlab ")[2].partition(" #")[0]) for line in blocks + inline]
    return found


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in LINK.findall(text(path)):
        if link.startswith(("https://", "http://")):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert HOUSE in target.parents, link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_led_to_from_the_readme() -> None:
    seen, waiting = set(), [HOUSE / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix not in (".md", ".ipynb"):
            continue
        seen.add(page)
        waiting += [
            target
            for link in LINK.findall(text(page))
            if "://" not in link
            and (target := (page.parent / link.partition("#")[0]).resolve()).exists()
            and target != page
        ]
    assert seen >= {path.resolve() for path in (*PAGES, *NOTEBOOKS)}


def test_the_readme_is_one_screen_before_the_details() -> None:
    readme = (HOUSE / "README.md").read_text()
    assert len(readme.splitlines()) < 75
    assert re.findall(r"^\* \*\*(\w+)", readme, re.MULTILINE) == ["Explore", "Learn", "For"]
    targets = set(re.findall(r"^make (\w+)", readme, re.MULTILINE))
    assert targets == {"app", "test"}
    assert all(re.search(rf"^{target}:", (HOUSE / "Makefile").read_text(), re.MULTILINE) for target in targets)


def test_pictures_are_small_and_few_and_all_shown() -> None:
    pictures = sorted((HOUSE / ".github").glob("*.png"))
    shown = {
        (path.parent / link).resolve() for path in PAGES for link in LINK.findall(text(path)) if link.endswith(".png")
    }
    assert set(pictures) == shown
    assert len(pictures) <= 12
    assert all(path.stat().st_size < MOST_BYTES for path in pictures)


def test_pages_print_commands() -> None:
    assert len(commands()) > 30


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: value[:50])
def test_every_command_that_a_page_prints_is_one(page: str, line: str) -> None:
    words = [{"S": "32"}.get(word, word) for word in shlex.split(re.sub(r"\[[^\]]*\]", " ", line))]
    if len(words) > 1:
        assert _parser().parse_args(words).command
        return
    with pytest.raises(SystemExit) as ended:  # a command that is only named
        _parser().parse_args([*words, "--help"])
    assert ended.value.code == 0


def test_python_in_pages_is_python() -> None:
    blocks = [
        (path, code)
        for path in PAGES
        if path.stem != "extending"  # whose own test runs it
        for code in re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert len(blocks) >= 2
    for path, code in blocks:
        compile(code, name(path), "exec")


@pytest.mark.parametrize("page", ["README.md", "docs/command-line.md"])
def test_python_in_pages_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on networks of one epoch and on one cell, so that it takes seconds."""
    one_cell: dict[str, Any] = {"front_layers": ["layer3.1"], "end_layers": ["layer1.0"]}
    monkeypatch.setattr(stitchlab, "train", partial(stitchlab.train, epochs=1))
    monkeypatch.setattr(stitchlab, "compare", partial(stitchlab.compare, **one_cell))
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```$", (HOUSE / page).read_text(), re.MULTILINE | re.DOTALL)
    there: dict[str, Any] = {}
    exec(compile(code, page, "exec"), there)
    assert there["run"].complete


def test_every_index_metric_and_detector_has_a_row() -> None:
    numbers = (HOUSE / "docs" / "numbers.md").read_text()
    for each in (*METRICS, *INDICES):
        assert f"`{each}`" in numbers or f"`{each} /" in numbers, each
    detectors = (HOUSE / "docs" / "detectors.md").read_text()
    for each in DETECTORS:
        assert f"`{each}`" in detectors, each


def test_the_page_on_citing_and_reports_cite_the_same() -> None:
    page = (HOUSE / "docs" / "citing.md").read_text()
    assert re.sub(r"version = \{[^}]*\}", "version = {VERSION}", CITATIONS).strip() in page
