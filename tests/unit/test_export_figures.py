"""Figures as files: cells are shapes, texts are texts, nothing is a bitmap; pages have the size that was asked for."""

from __future__ import annotations

import io
import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import invented
import pytest
from handy import sure
from PIL import Image
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.captions import caption
from stitchlab.export.formats import make
from stitchlab.export.options import WIDTHS_IN, Options
from stitchlab.export.shown import names, panels
from stitchlab.export.vector.letters import width
from stitchlab.export.vector.page import figure
from stitchlab.results.run import Run
from stitchlab.store import Source, Store

SVG = "{http://www.w3.org/2000/svg}"
LONG = {
    "transformer": invented.layers(12, "encoder.layers.encoder_layer_{}"),
    "dense": invented.layers(12, "features.denseblock{}.denselayer2"),
}
GRIDS = [(1, 1), (3, 12), (16, 16), (27, 9), (1, 12), (12, 1)]


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def run(empty: Store) -> Run:
    return invented.run(empty, invented.layers(4, "relu{}"), invented.layers(3, "conv{}"))


def svg(run: Run, **options: Any) -> ET.Element:
    return ET.fromstring(make(run, "svg", Options.of(**options)))


def texts(root: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def groups(root: ET.Element, ending: str) -> list[int]:
    """Numbers of shapes in the groups whose names end so, in order."""
    return [len(group.findall(f"{SVG}path")) for group in root.iter(f"{SVG}g") if group.get("id", "").endswith(ending)]


def test_every_cell_is_one_shape_and_nothing_is_a_bitmap(run: Run) -> None:
    root = svg(run, show=("accuracy", "difference/accuracy", "cka"))
    assert groups(root, "-cells") == [12] * 4
    assert not list(root.iter(f"{SVG}image"))
    assert not list(root.iter(f"{SVG}use")), "shapes are where they are, for editors"


def test_all_there_is_to_read_is_text(run: Run) -> None:
    said = texts(svg(run, show=("accuracy", "difference/accuracy"), letters=True))
    assert {*run.request.front_layers, *run.request.end_layers} <= set(said)
    assert {f"{run.value('tlm', 'accuracy', i, j):.2f}" for i, j in run.request.cells} <= set(said)
    joined = " ".join(said)
    for part in (
        "(a) Task loss matching: accuracy",
        "(b) Direct matching: accuracy",
        "(c) TLM − DM: accuracy",
        "Front layer of net-a",
        "End layer of net-b",
        "Digits",
        "net-a → net-b on Digits",
    ):
        assert part in joined


def test_panels_of_one_quantity_share_a_colour_bar(run: Run) -> None:
    assert len(groups(svg(run, show="accuracy"), "-bar")) == 1
    assert len(groups(svg(run, show=("accuracy", "difference/accuracy")), "-bar")) == 2


def test_stars_frame_and_grey(empty: Store) -> None:
    made = invented.run(empty, invented.layers(3), invented.layers(3), lacking=1)
    root = svg(made, show="cka", cell=("layer1", "layer2"))
    assert groups(root, "-best") == [3]
    assert [group.get("id") for group in root.iter(f"{SVG}g")].count("row-0-0-selected") == 1
    cells = next(group for group in root.iter(f"{SVG}g") if group.get("id", "").endswith("-cells"))
    assert ["#c9ccd4" in str(path.get("style")) for path in cells] == [False] * 8 + [True]
    assert "Grey: not computed yet" in " ".join(texts(root))


def test_the_same_figure_is_the_same_file(run: Run) -> None:
    for suffix in ("svg", "pdf"):
        assert make(run, suffix, Options(show=("cka",))) == make(
            Run(run.store, run.record), suffix, Options(show=("cka",))
        )


def test_threads_draw_the_same(run: Run) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(make(run, "svg"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [make(run, "svg")] * 4


def fonts(page: Any) -> list[Any]:
    found = []
    for font in page["/Resources"]["/Font"].values():
        font = font.get_object()
        found += [child.get_object() for child in font.get("/DescendantFonts", [font])]
    return found


@pytest.mark.parametrize("size", WIDTHS_IN)
def test_a_pdf_has_no_image_its_fonts_and_its_width(size: str, run: Run) -> None:
    reader = PdfReader(io.BytesIO(make(run, "pdf", Options.of(size=size, title="What it is"))))
    (page,) = reader.pages
    assert float(page.mediabox.width) == pytest.approx(72 * WIDTHS_IN[size], abs=1e-6)
    assert not list(page.images)
    resources = page["/Resources"]
    assert isinstance(resources, DictionaryObject)
    drawn = resources.get("/XObject", {})
    assert not [name for name, thing in drawn.items() if thing.get_object().get("/Subtype") == "/Image"]
    assert fonts(page)
    for font in fonts(page):
        assert font["/FontDescriptor"].get_object().get("/FontFile2") is not None, "embedded as TrueType"
    text = page.extract_text()
    assert "conv2" in text
    assert "What it is" in text
    assert reader.metadata is not None
    assert reader.metadata.title == "What it is"
    assert f"run {run.id}" in str(reader.metadata.subject)


@pytest.mark.parametrize(("size", "dpi"), [("one-column", 299), ("two-column", 72), ("slide", 30), ("slide", 101)])
def test_a_png_has_the_pixels_that_were_asked_for(size: str, dpi: int, run: Run) -> None:
    picture = Image.open(io.BytesIO(make(run, "png", Options.of(size=size, dpi=dpi))))
    assert picture.width == round(WIDTHS_IN[size] * dpi)
    if size == "slide":
        assert picture.height == round(7.5 * dpi)


def numbers(root: ET.Element) -> list[str]:
    return [text for text in texts(root) if re.fullmatch(r"[01]?\.\d\d", text)]


@pytest.mark.parametrize(
    ("count", "size", "there"),
    [
        (8, "one-column", True),
        (12, "one-column", False),
        (12, "two-column", True),
    ],
)
def test_numbers_stand_where_they_are_legible(count: int, size: str, there: bool, empty: Store) -> None:
    made = invented.run(empty, invented.layers(count, "relu{}"), invented.layers(count, "relu{}"), methods=())
    assert bool(numbers(svg(made, show="cka", size=size))) is there
    assert not numbers(svg(made, show="cka", size=size, values=False))
    assert len(numbers(svg(made, show="cka", size=size, values=True))) == count**2


def placed(root: ET.Element) -> list[tuple[float, float, float, float]]:
    """Boxes of all texts, by their size, anchor and turn: left, top, right, bottom."""
    found = []
    for text in root.iter(f"{SVG}text"):
        style, content = str(text.get("style")), "".join(text.itertext())
        size = float(sure(re.search(r"(?:font-size: |font: \w* ?)([\d.]+)px", style)).group(1))
        x, y = (float(str(text.get(name))) for name in "xy")
        long, anchor = width(content, size), re.search(r"text-anchor: (\w+)", style)
        begin = {"start": 0.0, "middle": -long / 2, "end": -long}[anchor.group(1) if anchor else "start"]
        turn = float(sure(re.search(r"rotate\((-?[\d.]+)", str(text.get("transform")))).group(1))
        if turn == 0:
            found.append((x + begin, y - 0.7 * size, x + begin + long, y + 0.2 * size))
        elif turn == -90:
            found.append((x - 0.7 * size, y - begin - long, x + 0.2 * size, y - begin))
        else:
            found.append((x + 0.7 * begin - size, y, x + 0.7 * (begin + long), y - 0.7 * begin))
    return found


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [
        *((invented.layers(i), invented.layers(j), "one-column") for i, j in GRIDS),
        (LONG["transformer"], LONG["transformer"], "one-column"),
        (LONG["dense"][:3], LONG["dense"], "two-column"),
        (LONG["dense"], LONG["transformer"], "slide"),
        (invented.layers(3), invented.layers(27), "slide"),
    ],
)
def test_of_any_grid_every_cell_is_there_and_texts_are_whole_and_apart(
    rows: list[str], columns: list[str], size: str, empty: Store
) -> None:
    made = invented.run(empty, rows, columns, front="a-network-with-a-name-that-goes-on-and-on/" * 3)
    options = Options.of(size=size, show=("accuracy", "cka"), letters=True)
    page = figure(made, options)
    root = ET.fromstring(page.file("svg", dpi=100, title="", description=""))
    assert groups(root, "-cells") == [len(rows) * len(columns)] * 3
    boxes = placed(root)
    for left, top, right, bottom in boxes:
        assert left >= -0.01
        assert right <= page.width + 0.01
        assert top >= -0.01
        assert bottom <= page.height + 0.01
    level = [
        box
        for box, text in zip(boxes, root.iter(f"{SVG}text"), strict=True)
        if "rotate(-45" not in str(text.get("transform"))
    ]
    for k, (left, top, right, bottom) in enumerate(level):
        for other in level[k + 1 :]:
            assert min(right, other[2]) - max(left, other[0]) < 0.3 or min(bottom, other[3]) - max(top, other[1]) < 0.3


def test_dark_and_colours(run: Run) -> None:
    light, dark, other = (
        make(run, "svg", Options.of(show="cka", **more)).decode()
        for more in ({}, {"dark": True}, {"colours": "cividis"})
    )
    assert "#ffffff" in light.partition("axes_1")[0]
    assert "#0e1117" in dark.partition("axes_1")[0]
    assert light != other


def test_title_and_caption(run: Run) -> None:
    said = " ".join(texts(svg(run, title="Mine", caption=True)))
    assert "Mine" in said
    assert f"run {run.id}" in said
    assert "net-a → net-b on Digits:" in said, "the caption stands by itself"
    assert not [text for text in texts(svg(run, title="")) if "→" in text]


@pytest.mark.parametrize("name", ["a/b\\c", "$x^2$ & <b>", "網絡", "x" * 300, "two\nlines", "‮evil"])
def test_names_of_networks_are_texts_whatever_they_are(name: str, empty: Store) -> None:
    made = invented.run(empty, ["a"], ["b"], front=name)
    for suffix in ("svg", "pdf") if name[0] in "$網" else ("svg",):
        assert make(made, suffix, Options(caption=True, show=("cka",)))


def test_what_a_run_has_not_is_one_line_with_what_it_has(run: Run) -> None:
    for wrong in ("acuracy", "pwcca", "frechet/ratio", "scores/knn", "trajectory", "tlm/cka"):
        with pytest.raises(UnknownName, match=r"no figure of this run is called .* It has accuracy, .*, cka$"):
            make(run, "svg", Options.of(show=wrong))
    with pytest.raises(UnknownName, match="no combination of runs is called 'medium'"):
        make(run, "svg", Options.of(show="medium:accuracy"))
    with pytest.raises(UnknownName, match="no cell of this run"):
        make(run, "svg", Options.of(cell=("relu0", "relu0")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "huge"}, "no size is called 'huge'"),
        ({"colours": "jet"}, "no colours is called 'jet'"),
        ({"dpi": 0}, "dpi: expected a number from 30 to 1200"),
        ({"dpi": 10**9}, "dpi: expected a number"),
        ({"show": ()}, "got none"),
        ({"font_size": float("nan")}, "font size: expected 4 to 40"),
        ({"sise": 1}, "no option is called 'sise'; nearest: size"),
    ],
)
def test_wrong_options_are_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(StitchLabError, match=message):
        Options.of(**wrong)


def test_all_that_is_named_can_be_shown(run: Run) -> None:
    every = tuple(names(run))
    assert {"accuracy", "dm/penalty", "difference/distance", "indices", "cka"} <= set(every)
    for name in every:
        assert panels(run, Options(show=(name,)))


def test_the_opposite_direction_is_found_and_its_axes_are_turned(run: Run) -> None:
    with pytest.raises(StitchLabError, match="`compare net-b net-a` makes one"):
        make(run, "svg", Options.of(show="reverse:accuracy"))
    invented.run(run.store, run.request.end_layers, run.request.front_layers, front="net-b", end="net-a")
    said = " ".join(texts(svg(run, show=("tlm/accuracy", "reverse:tlm/accuracy"))))
    for part in ("Front layer of net-a", "Front layer of net-b", "End layer of net-a", "opposite direction"):
        assert part in said


def test_mean_and_spread_are_over_common_layers(run: Run) -> None:
    other = invented.run(run.store, ["relu1", "relu3", "relu9"], ["conv2", "conv0"], front="net-c", seed=1)
    root = svg(run, show=("mean:tlm/accuracy", "spread:tlm/accuracy"), others=other)
    assert groups(root, "-cells") == [4, 4]
    pair = [one.value("tlm", "accuracy", "relu3", "conv0") for one in (run, other)]
    assert None not in pair
    first, second = (float(value or 0) for value in pair)
    said = texts(root)
    assert f"{(first + second) / 2:.2f}" in said
    assert f"{abs(first - second) / 2**0.5:.2f}" in said
    assert "mean of 2 runs" in " ".join(said)
    with pytest.raises(StitchLabError, match="expected two runs or more, got 1"):
        make(run, "svg", Options.of(show="mean:accuracy"))


def test_what_detectors_say_is_shown_and_doubt_is_marked(run: Run) -> None:
    invented.judge(run, "knn", doubtful=["conv1"])
    assert {"knn/auroc", "tlm/knn/auroc", "frechet/ratio", "scores/knn"} <= set(names(run))
    options = Options.of(show=("knn/auroc", "frechet/ratio"), letters=True)
    root = ET.fromstring(make(run, "svg", options))
    said = texts(root)
    assert groups(root, "-cells") == [12] * 4
    assert said.count("conv1 †") == 2
    for part in ("AUROC (nearest neighbours)", "Fréchet ratio", "†, pale: the detector is not believed"):
        assert part in " ".join(said)
    assert "known outliers: noise" in caption(run, options)


def test_scores_and_walks_are_curves_of_a_cell(run: Run) -> None:
    invented.judge(run)
    invented.walk(run, "relu1", "conv2")
    options = Options.of(show=("scores/knn", "trajectory"), cell=("relu1", "conv2"))
    root = ET.fromstring(make(run, "svg", options))
    said = " ".join(texts(root))
    for part in (
        "Nearest neighbours: scores of test images,",
        "relu1 → conv2",
        "Accuracy by epoch",
        "Fréchet ratio by epoch",
        "AUROC by epoch",
        "Native",
        "Task loss matching",
        "Known outliers",
        "end network alone",
    ):
        assert part in said
    assert groups(root, "-dots-0") == [2, 3, 3], "an epoch that is undefined has no dot"
    assert not list(root.iter(f"{SVG}image"))
    assert "the axis is stretched" in caption(run, options)
    for show, message in (
        ("scores/knn", "expected a front and an end layer"),
        ("trajectory", "expected a front and an end layer"),
    ):
        with pytest.raises(StitchLabError, match=message):
            make(run, "svg", Options.of(show=show))
    with pytest.raises(StitchLabError, match=r"are not computed; .* or choose one of relu1:conv2"):
        make(run, "svg", Options.of(show="trajectory", cell=("relu0", "conv0")))
    with pytest.raises(StitchLabError, match="a table: expected heatmaps"):
        make(run, "tex", options)


def test_an_opened_run_names_its_file(run: Run) -> None:
    run.store.source = Source("theirs.stitch", "0.0.9", "2026-02-03T04:05:06+00:00")
    said = f"StitchLab 0.0.9, run {run.id}, read from theirs.stitch (an opened file, made 2026-02-03)."
    assert said in caption(run, Options())
    run.store.source = Source("digits.stitch", "0.0.9", "2026-02-03T04:05:06+00:00", gallery=True)
    assert "read from digits.stitch (StitchLab's gallery, made 2026-02-03)." in caption(run, Options())
