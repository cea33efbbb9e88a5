"""The report: one HTML file that stands by itself, whose numbers are those of cells.csv, whatever names say."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_runs import BLOCKS, NO_DISTANCE, made_up

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METRICS
from stitchlab.errors import StitchLabError
from stitchlab.export import gallery_site
from stitchlab.export.formats import FORMATS, make
from stitchlab.export.options import Options
from stitchlab.export.report import labels, page, report
from stitchlab.export.tables import cells_csv
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Source, Store

HOUSE = Path(__file__).resolve().parents[2]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--<script>",
    "{{SCRIPT}}",
    "x" * 300,
    "\u2028é\ud800",
    "&lt;b&gt;",
]


class Elements(HTMLParser):
    """Elements of a page with their attributes, and the texts of scripts and of the title."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.there: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "title": [], "strong": []}
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.there.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.there and self.there[-1][0] in self.texts and data.strip():
            self.texts[self.there[-1][0]].append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.there)


def told(data: bytes) -> dict[str, Any]:
    """What a report's script reads."""
    text = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', data, re.DOTALL)
    assert len(text) == 1
    value: dict[str, Any] = json.loads(text[0])
    return value


@pytest.fixture(scope="module")
def eight(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An 8×8 run with all indices and what all detectors say. Only read it."""
    root = tmp_path_factory.mktemp("eight") / "cache"
    shutil.copytree(digits_store.root, root)
    return made_up(Store(root), undefined=True)


@pytest.fixture(scope="module")
def made(eight: Run) -> bytes:
    return report([eight])


def test_it_is_small_enough_to_be_mailed(eight: Run, made: bytes) -> None:
    assert len(eight.request.cells) == 64
    assert len(told(made)["runs"][0]["judged"]) == len(DETECTORS)
    assert 100_000 < len(made) <= 400 * 1024


def test_its_numbers_are_those_of_cells_csv(eight: Run, made: bytes) -> None:
    (run,) = told(made)["runs"]
    rows = list(csv.DictReader(io.StringIO(cells_csv(eight))))
    assert len(rows) == 64 * 18
    for row in rows:
        r, c = run["frontLayers"].index(row["front_layer"]), run["endLayers"].index(row["end_layer"])
        value = run["values"][f"{row['method']}/{row['metric']}"][r][c]
        assert ("" if value is None else repr(value)) == row["value"]
    assert run["undefined"] == {NO_DISTANCE: [[f"{method}/distance", 7, 7] for method in ("tlm", "dm")]}


def test_what_detectors_say_is_what_ood_writes(eight: Run, made: bytes) -> None:
    (run,) = told(made)["runs"]
    for row in DetectionResults(eight).rows():
        c, judged = run["endLayers"].index(row.end_layer), run["judged"][row.detector]
        first = row.metric == DETECTORS[row.detector].metrics[0]  # its intervals are kept
        if row.front_layer:
            r = run["frontLayers"].index(row.front_layer)
            value = run["values"][f"{row.method}/{row.detector}/{row.metric}"][r][c]
            ends = judged["ends"][row.method][r][c]
        elif first:
            value, *ends = judged[row.method][c]
        else:
            continue
        assert value == row.value
        assert not first or ends == pytest.approx([row.low, row.high], rel=1e-4)


def test_scores_are_counted_whole(eight: Run, made: bytes) -> None:
    scores = told(made)["runs"][0]["judged"]["knn"]["scores"]
    assert len(scores) == 8
    for column in scores:
        for name, rows in (("native", 1), ("outliers", 1), ("tlm", 8), ("dm", 8)):
            assert len(column[name]) == rows
            assert all(
                images == sum(counts) == 540 and first + len(counts) <= 60
                for images, first, *counts in column[name].values()
            )


def test_every_heatmap_is_that_of_the_page(eight: Run, made: bytes) -> None:
    from stitchlab.figures import run_grids

    shows = {show["key"]: show for show in told(made)["runs"][0]["shows"]}
    assert list(shows)[:9] == [*METRICS, "indices", "frechet/ratio"]
    assert len(shows) == 8 + 1 + 6 * 4
    drawn = {
        "accuracy": run_grids.metric_grids(eight, "accuracy"),
        "indices": run_grids.index_grids(eight),
        "frechet/ratio": run_grids.detection_grids(DetectionResults(eight), "frechet", "ratio"),
        "pca-residual/auroc": run_grids.detection_grids(DetectionResults(eight), "pca-residual", "auroc"),
    }
    for key, wanted in drawn.items():
        for said, grid in zip(shows[key]["maps"], wanted, strict=True):
            for name in ("title", "subtitle", "low", "high", "better", "scale", "log", "diverging"):
                assert said[name] == getattr(grid, name), (key, name)
            assert [eight.request.end_layers[c] for c in said["doubtful"]] == list(grid.doubtful)
    assert shows["pca-residual/auroc"]["maps"][0]["doubtful"] == list(range(8))
    (difference,) = run_grids.difference_grids(eight, "penalty")
    assert shows["penalty"]["difference"][0]["scale"] == difference.scale == "RdBu"
    assert shows["penalty"]["difference"][0]["of"] == ["tlm/penalty", "dm/penalty"]


def test_nothing_is_fetched_and_no_text_is_read_as_html(made: bytes) -> None:
    elements = Elements(made)
    assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in [
        a for tag, a in elements.there if tag == "meta"
    ]
    links = [value for _, a in elements.there for name, value in a.items() if name in ("src", "href", "action", "data")]
    assert [link[:5] for link in links if link] == ["data:"]
    code = "".join(map(page.part, (*page.SCRIPTS, "report.css")))
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttp",
        "import(",
        "WebSocket",
        "sendBeacon",
        "url(h",
        "@import",
        "localStorage",
        "cookie",
    ):
        assert word not in code


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_texts(store: Store, name: str) -> None:
    run = made_up(store, BLOCKS[:2], judged=False, undefined=True)
    plain = Elements(report([run], "plain"))
    layers = (name, name + "2")
    request = replace(run.request, front_layers=layers)
    record = run.record | {
        "request": json.loads(json.dumps(run.record["request"] | {"front_layers": layers})),
        "front": run.record["front"] | {"name": name, "architecture": name},
        "data": run.record["data"] | {"label": name},
    }
    hostile = Run(store, record)
    assert hostile.request == request
    data = report([hostile, run], name)
    elements = Elements(data)
    assert [tag for tag, _ in elements.there] == [tag for tag, _ in plain.there], "no element came or went"
    assert elements.texts["title"] == [name.replace("\ud800", "?")]
    said = told(data)
    assert said["title"] == name
    assert said["runs"][0]["frontLayers"] == list(layers)
    assert said["runs"][0]["front"] == name


VARIANTS: dict[str, dict[str, Any]] = {
    "unfinished": {"lacking": 1},
    "one cell": {"layers": ["layer1.0"]},
    "without TLM": {"methods": ["dm"]},
    "without methods": {"methods": []},
    "without indices": {"indices": []},
    "not judged": {"judged": False},
    "nothing": {"lacking": 2},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_run_has_a_report(store: Store, name: str) -> None:
    run = made_up(store, **{"layers": BLOCKS[:2]} | VARIANTS[name])
    (said,) = told(report([run]))["runs"]
    facts = dict(said["facts"])
    assert ("Unfinished" in facts) == (not run.complete)
    assert ("Task loss matching" in facts) == ("tlm" in run.request.methods)
    assert len(said["said"]) == len(run.request.front_layers)
    assert bool(said["judged"]) == (name not in ("without methods", "not judged", "nothing"))
    assert said["shows"]


def test_runs_of_one_name_are_told_apart(store: Store) -> None:
    runs = [
        made_up(store, BLOCKS[:2], judged=False, walked=False, **change)
        for change in ({}, {"seed": 1}, {"dm_images": 50}, {"front_layers": BLOCKS[1:3]})
    ]
    said = told(report([*runs, runs[0]], "Four"))
    names = [run["label"] for run in said["runs"]]
    assert names == labels(runs)
    assert len(set(names)) == 4
    assert names[1] == "digits-a → digits-b on Digits, seed 1"
    assert [run["id"] for run in said["runs"]] == [run.id for run in runs], "one that comes twice stands there once"
    with pytest.raises(StitchLabError, match="expected one or more runs"):
        report([])


def test_an_opened_run_says_where_it_is_from_and_no_report_says_where_data_lies(store: Store) -> None:
    run = made_up(store, BLOCKS[:2], judged=False)
    run.record["data"] |= {"name": "folder:/home/somebody/secret/birds"}
    run.store.source = Source("theirs.stitch", "9.9", "2026-05-05", title="Birds", story="It flies.", command="compare")
    data = report([run])
    said = dict(told(data)["runs"][0]["provenance"])
    assert said["Read from"] == "theirs.stitch, an opened file, made 2026-05-05 by StitchLab 9.9"
    assert (said["Title"], said["Description"], said["Command"]) == ("Birds", "It flies.", "compare")
    assert told(data)["runs"][0]["label"] == "Birds"
    assert b"somebody" not in data
    assert "(folder birds)" in said["Data"]


def test_it_is_one_of_the_files_that_a_run_becomes(store: Store) -> None:
    run = made_up(store, BLOCKS[:2], judged=False)
    assert FORMATS["html"].media_type == "text/html"
    assert make(run, "html") == report([run])
    assert make(run, "html", Options(title="Mine")) == report([run], "Mine")


def test_what_lies_beside_it_is_in_it() -> None:
    there = [path.name for path in (HOUSE / "stitchlab/export/report").iterdir() if path.suffix not in (".py", "")]
    assert {*page.SCRIPTS, "report.css", "report.html"} == set(there)


def test_the_gallery_is_a_folder_for_any_host(store: Store, tmp_path: Path) -> None:
    runs = [made_up(store, BLOCKS[:2], judged=False), made_up(store, BLOCKS[:2], judged=False, methods=[], seed=1)]
    runs[0].record["front"] |= {"name": HOSTILE[1]}
    files = gallery_site.write(runs, tmp_path / "deep" / "site")
    assert sorted(path.name for path in (tmp_path / "deep" / "site").iterdir()) == sorted(path.name for path in files)
    index = Elements(files[0].read_bytes())
    links = [str(a["href"]) for tag, a in index.there if tag == "a" and a.get("class") == "card"]
    assert links == [path.name for path in files[1:]]
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}\.html", link) for link in links)
    assert index.texts["strong"] == labels(runs)
    assert (index.count("script"), index.count("img")) == (0, 0)
    assert index.count("rect") == 2 * 4 * 2
    for run, label, path in zip(runs, labels(runs), files[1:], strict=True):
        assert path.read_bytes() == report([run], label)
    (tmp_path / "file").write_text("in the way")
    for wrong, where in (([], tmp_path / "none"), (runs, tmp_path / "file")):
        with pytest.raises(StitchLabError) as caught:
            gallery_site.write(wrong, where)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()
