"""The command `export`, where what computes is not installed."""

from __future__ import annotations

from pathlib import Path

import invented
import pytest
from blocked import python

from stitchlab.__main__ import main
from stitchlab.results.run import Run
from stitchlab.store import Store


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An invented run in the store that commands read."""
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "cache"))
    return invented.run(Store(tmp_path / "cache"), ["a:1", "b"], ["c", "d"], lacking=1)


def test_the_suffix_says_what_is_written(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix, begins in {
        "svg": b"<?xml",
        "pdf": b"%PDF",
        "png": b"\x89PNG",
        "tex": b"% needs",
        "json": b"{",
        "csv": b"front_layer",
        "parquet": b"PAR1",
        "html": b"<!",
        "stitch": b"PK",
    }.items():
        place = tmp_path / f"out.{suffix}"
        assert main(["export", run.id[:6], str(place), "--show", "cka"]) == 0
        assert place.read_bytes().lower().startswith(begins.lower()), suffix
        said = capsys.readouterr()
        assert said.out == f"{place}\n"
        assert "9 of 12 results are there; the others are left empty" in said.err


def test_figures_take_options_and_say_their_caption(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invented.run(run.store, ["b", "a:1"], ["d", "c"], front="net-c", seed=2)
    (other,) = (key for key in run.store.keys("runs") if key != run.id)
    assert (
        main(
            [
                "export",
                run.id,
                str(tmp_path / "a.svg"),
                "--mean-of",
                other,
                "--size",
                "one-column",
                "--dark",
                "--colours",
                "cividis",
                "--title",
                "Two seeds",
                "--letters",
                "--values",
                "on",
                "--font-size",
                "6",
                "--caption",
                "--cell",
                "a:1:c",
            ]
        )
        == 0
    )
    text, said = (tmp_path / "a.svg").read_text(), capsys.readouterr().err
    assert 'width="234pt"' in text
    assert "Two seeds" in text
    assert text.count("-selected") == 4
    for part in (
        "(a) Task loss matching: accuracy, mean of 2 runs",
        "standard deviation over 2 runs",
        f"run {other}",
        "Unfinished: 9 of 12 results are computed.",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.doc"], "no kind of file is called 'doc'; there are: csv, html, json, parquet, pdf, png, stitch, svg, tex"),
        (["a.svg", "--show", "accurcy"], "nearest: accuracy"),
        (["a.svg", "--show", "knn/auroc"], "It has accuracy, "),
        (["a.svg", "--cell", "a:c"], "no cell is called 'a:c'; nearest: "),
        (["a.svg", "--dpi", "1"], "from 30 to 1200"),
        (["no/a.svg"], "there is no folder no"),
        (["a.svg", "--mean-of", "ffffff"], "no run is called 'ffffff'"),
        (["a.svg", "--show", "trajectory"], "no figure of this run"),
        (["a.svg", "--show", ",", "--dark"], ""),
    ],
)
def test_wrong_input_is_one_line(
    words: list[str],
    message: str,
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", run.id, *words]) == (2 if message else 0)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1 or not message
    assert len(list(tmp_path.iterdir())) == (1 if message else 2)


def test_figures_are_exported_where_nothing_computes(run: Run, tmp_path: Path) -> None:
    code = "from stitchlab.__main__ import main\nimport sys\nsys.exit(main())"
    done = python(code, "export", run.id, str(tmp_path / "a.pdf"), "--show", "cka", STITCHLAB_CACHE=str(run.store.root))
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "a.pdf")), done.stderr
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
