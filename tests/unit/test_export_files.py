"""Exported tables, captions and names, and writing them: what LaTeX reads, what captions have to say, bad places."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import invented
import numpy as np
import pandas as pd
import pytest
from made_checks import made_suite
from made_runs import BLOCKS, made_up
from pyarrow import parquet

import stitchlab
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export import checks, probes
from stitchlab.export.captions import caption
from stitchlab.export.formats import FORMATS, file_name, make
from stitchlab.export.latex import escaped
from stitchlab.export.options import Options
from stitchlab.request import TaskLoss
from stitchlab.results.run import Run
from stitchlab.store import Store

UGLY = r"a_b & 50% {x} $y$ #1 ~^\ <é> 網 “q”"


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def run(empty: Store) -> Run:
    return invented.run(empty, ["layer_1", "b&c"], ["x", "y%", "z"])


def balanced(text: str) -> None:
    """Braces, environments and dollars of LaTeX come in pairs."""
    plain = re.sub(r"\\.", "", re.sub(r"(?<!\\)%.*", "", text))
    depth = 0
    for char in plain:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    open_ = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if what == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert not open_


def test_a_latex_table_has_every_number_in_its_place(run: Run) -> None:
    text = make(run, "tex", Options.of(show=("accuracy", "cka"), letters=True)).decode()
    balanced(text)
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [3, 3, 3]
    tabular = text.split("\\begin{tabular}")[2]
    assert r"\textbf{(b) Direct matching: accuracy}" in text
    assert r" & \texttt{x} & \texttt{y\%} & \texttt{z} \\" in tabular
    line = next(line for line in tabular.splitlines() if line.startswith(r"\texttt{layer\_1}"))
    told = [float(re.sub(r"[^\d.]", "", cell)) for cell in line.rstrip("\\ ").split("&")[1:]]
    assert told == [round(run.value("dm", "accuracy", "layer_1", j) or 0, 2) for j in ("x", "y%", "z")]


def test_the_best_of_a_column_is_bold(run: Run) -> None:
    text = make(run, "tex", Options.of(show="cka")).decode()
    assert len(re.findall(r"\\textbf\{0\.\d\d\}", text)) == 3
    assert "Bold: most similar of its column" in text


def test_what_is_not_there_is_a_dash(empty: Store) -> None:
    made = invented.run(empty, ["a", "b"], ["c"], lacking=1)
    text = make(made, "tex", Options.of(show="cka")).decode()
    assert r"\texttt{b} & -- \\" in text
    assert "Unfinished: 3 of 6 results are computed." in text


@pytest.mark.parametrize("name", [UGLY, "\\", "%", "\\input{/etc/passwd}", "^^M", "two\n\nlines"])
def test_names_never_become_commands(name: str, empty: Store) -> None:
    made = invented.run(empty, [name], ["x"], front=name, data=name)
    text = make(made, "tex", Options.of(show="cka")).decode()
    balanced(text)
    commands = set(re.findall(r"\\([A-Za-z]+)", text))
    assert "input" not in commands
    assert "\n\n" not in text


def test_every_letter_is_one_that_pdflatex_prints() -> None:
    assert escaped(UGLY) == (
        r"a\_b \& 50\% \{x\} \$y\$ \#1 \textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}é\textgreater{} ? ``q''"
    )


def test_curves_are_no_table(run: Run) -> None:
    with pytest.raises(UnknownName, match="no figure of this run is called 'scores/knn'"):
        make(run, "tex", Options.of(show="scores/knn"))


def test_parquet_has_the_cells_and_run_json_comes_with_them(run: Run) -> None:
    table = parquet.read_table(io.BytesIO(make(run, "parquet")))
    assert [tuple(row.values()) for row in table.to_pylist()] == [tuple(row) for row in run.rows()]
    assert run.id.encode() in table.schema.metadata[b"stitchlab"]


#: Where a file says which StitchLab wrote it; the others say it in a text.
SAYS = {
    "json": lambda data: json.loads(data)["stitchlab"],
    "parquet": lambda data: json.loads(parquet.read_schema(io.BytesIO(data)).metadata[b"stitchlab"])["stitchlab"],
    "stitch": lambda data: json.loads(zipfile.ZipFile(io.BytesIO(data)).read("stitchlab.json"))["maker"],
}


@pytest.mark.parametrize("suffix", [name for name in FORMATS if name != "csv"])  # whose columns are a contract
def test_every_file_says_which_version_wrote_it(suffix: str, store: Store) -> None:
    data = make(made_up(store, BLOCKS[:2], judged=False), suffix)
    texts = re.findall(r"StitchLab (\d+(?:\.\d+)+)", data.decode("latin-1"))
    assert set([SAYS[suffix](data)] if suffix in SAYS else texts) == {stitchlab.__version__}


def test_tables_of_checks_and_probes_say_it_too(store: Store) -> None:
    made = made_suite(store)
    assert json.loads(checks.checks_json(made))["version"] == stitchlab.__version__
    assert f"StitchLab {stitchlab.__version__}" in checks.caption(made)
    probed = stitchlab.probe("digits-a", store, layers=["layer3.1"], train_images=50, device="cpu")
    (told,) = json.loads(probes.probes_json([probed]))
    assert {layer["versions"]["stitchlab"] for layer in told["layers"]} == {stitchlab.__version__}
    assert f"StitchLab {stitchlab.__version__}" in probes.caption([probed])


def test_a_frame_is_tidy_and_says_which_run_it_is(empty: Store) -> None:
    made = invented.run(empty, ["a", "b"], ["c"], lacking=1)
    assert stitchlab.Run is Run
    frame = made.to_frame()  # type: ignore[attr-defined]
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["front_layer", "end_layer", "method", "metric", "value"]
    assert frame.attrs == {"run": made.id, "title": made.title, "complete": False}
    value = frame.query("method == 'cka'").set_index("front_layer")["value"]
    assert value["a"] == made.value("cka", "similarity", "a", "c")
    assert np.isnan(value["b"])
    assert frame["value"].dtype == np.float64


def test_a_run_says_what_it_is(empty: Store) -> None:
    made = invented.run(empty, ["a", "b"], ["c"], lacking=1)
    assert repr(made) == f"<Run {made.id}: net-a → net-b on Digits, 3 of 6 results>"


def test_a_picture_shows_itself_and_is_what_is_exported(run: Run, tmp_path: Path) -> None:
    assert stitchlab.Run is Run
    picture = run.plot("cka", letters=True)  # type: ignore[attr-defined]
    assert picture._repr_svg_().startswith("<?xml")
    assert repr(picture).startswith("Picture of net-a → net-b on Digits: (a) Linear CKA.")
    place = run.export(tmp_path / "x.svg", show="cka", letters=True)  # type: ignore[attr-defined]
    assert place.read_text() == picture.svg
    with pytest.raises(UnknownName, match="no option is called 'leters'; nearest: letters"):
        run.plot("cka", leters=True)  # type: ignore[attr-defined]


def test_a_caption_stands_by_itself(empty: Store) -> None:
    made = invented.run(empty, ["a", "b"], ["c"], seed=3, tlm=TaskLoss(epochs=2, augment="flip-crop", images=700))
    said = caption(made, Options.of(show=("accuracy", "cka"), letters=True))
    for part in (
        "net-a → net-b on Digits: (a) Task loss matching: accuracy; (b) Direct matching: accuracy; (c) Linear CKA.",
        "Accuracy: test accuracy of the stitched network; higher is more similar.",
        "Linear CKA (Kornblith et al. 2019): similarity, higher is more similar",
        "Rows: front layers of net-a (resnet14); columns: end layers of net-b (resnet14)",
        "front → end",
        "Evaluated on all 500 test images of Digits; seed 3.",
        "own recipe, 2 epochs",
        "flips and crops",
        "700 training images of 1,000",
        "least squares on 100 un-augmented training images",
        "accuracy 0.900",
        "★: most similar of its column.",
        f"StitchLab {stitchlab.__version__}, run {made.id}.",
    ):
        assert part in said
    assert "Unfinished" not in said
    assert "Grey" not in said
    assert "\n" not in said
    assert "DM" not in caption(made, Options.of(show="tlm/accuracy"))
    assert "TLM" not in caption(made, Options.of(show="cka"))


@pytest.mark.parametrize(
    "name", ['a/b\\c:d*?"<>|', "x" * 300, "..", ".hidden", "網絡", "CON", "nul.txt", "-rf", "é é", "a\0b", "trailing. "]
)
def test_files_have_names_that_every_system_takes(name: str, empty: Store) -> None:
    made = invented.run(empty, ["a"], ["b"], front=name, end=name, data=name)
    for suffix in FORMATS:
        for show in (("accuracy", "difference/accuracy", "cka"), ("mahalanobis-class/auroc",) * 9):
            called = file_name(made, suffix, Options(show=show, dark=True))
            assert len(called) <= 120
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", called), called
            assert called.endswith(f"_{made.id[:8]}.{suffix}")
            assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)\.", called)
            assert ".." not in called


def test_a_file_name_says_what_it_is(run: Run) -> None:
    called = file_name(run, "pdf", Options.of(show="accuracy", size="one-column"))
    assert called == f"net-a--net-b_Digits_tlm-dm-accuracy_one-column_{run.id[:8]}.pdf"
    assert file_name(run, "csv") == f"net-a--net-b_Digits_{run.id[:8]}.csv"
    with pytest.raises(UnknownName, match="no kind of file is called 'doc'"):
        file_name(run, "doc")


def test_a_run_without_stitches_shows_its_indices(empty: Store) -> None:
    made = invented.run(empty, ["a"], ["b"], methods=())
    assert file_name(made, "pdf") == f"net-a--net-b_Digits_indices_two-column_{made.id[:8]}.pdf"
    assert "Linear CKA" in make(made, "svg").decode()
    assert "Linear CKA" in caption(made, Options())


def refused(run: Run, path: Path | str, message: str, **options: Any) -> None:
    assert stitchlab.Run is Run
    with pytest.raises(StitchLabError, match=message) as raised:
        run.export(path, **options)  # type: ignore[attr-defined]
    assert "\n" not in str(raised.value)


def test_bad_places_are_one_line_and_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to(tmp_path / "mine.csv")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    refused(run, tmp_path, "expected a file name such as net-a--net-b")
    refused(run, tmp_path / "folder.csv", "got the folder")
    refused(run, tmp_path / "no" / "a.csv", "there is no folder .*no; make it first")
    refused(run, tmp_path / "mine.csv" / "a.csv", "there is no folder")
    for name in ("link.csv", "gone.csv", "pipe.csv"):
        refused(run, tmp_path / name, "is a link, a pipe or a device")
    refused(run, tmp_path / "a.doc", "no kind of file is called 'doc'; there are: csv")
    refused(run, tmp_path / "none", "no kind of file is called ''")
    refused(run, tmp_path / ("x" * 300 + ".csv"), "could not write .* nothing was half-written")
    refused(run, tmp_path / "a\0b.csv", "could not write")
    refused(run, tmp_path / "a.svg", "It has accuracy", show="nothing")
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache",
        "folder.csv",
        "gone.csv",
        "link.csv",
        "mine.csv",
        "pipe.csv",
    ]


def test_a_file_is_replaced_as_a_whole(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "a.CSV"
    place.write_text("old")
    assert stitchlab.Run is Run
    assert run.export(place) == place  # type: ignore[attr-defined]
    assert place.read_text().startswith("front_layer,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.CSV", "cache"]
