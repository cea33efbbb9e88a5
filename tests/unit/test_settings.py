"""Settings are environment variables: --help and docs/running.md tell them, in the same words; the command `app`."""

from __future__ import annotations

import re

import pytest

from stitchlab import __main__ as cli
from stitchlab.catalog.settings import SETTINGS
from stitchlab.store import places
from stitchlab.ui import serving
from unit.test_imports import FILES, HOUSE

#: How workers are told how many threads they have (`stitchlab.jobs.local_cluster`): nobody else sets these.
OURS = {"STITCHLAB_TRAINING_THREADS", "STITCHLAB_GRID_THREADS"}


def test_every_variable_that_is_read_is_a_setting() -> None:
    texts = [path.read_text() for path in FILES if path.name != "settings.py"]
    read = {name for text in texts for name in re.findall(r'environ(?:\.get\(|\[)"(STITCHLAB_\w+)"', text)}
    assert read - OURS == set(SETTINGS)
    assert read >= OURS


def test_the_page_has_all_of_them_and_those_of_tests_in_the_words_of_help() -> None:
    page = (HOUSE / "docs" / "running.md").read_text().partition("## Settings")[2]
    rows = re.findall(r"^\| `(STITCHLAB_\w+)` \| (.+) \|$", page, re.MULTILINE)
    files = [*FILES, HOUSE / "tests" / "conftest.py", *HOUSE.glob("tests/e2e/*.py")]
    used = {name for path in files for name in re.findall(r"[\"'](STITCHLAB_[A-Z_]+)[\"']", path.read_text())}
    assert sorted(name for name, _ in rows) == sorted(used)
    assert used >= SETTINGS.keys() | OURS
    told = dict(rows)
    assert {name: told[name][: len(words)] for name, words in SETTINGS.items()} == SETTINGS


def test_help_says_them_all_and_where_results_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    told = capsys.readouterr().out
    assert f"Results are kept in {places.cache()}" in told
    assert all(f"  {name}: " in told for name in SETTINGS)


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8501.0"])
def test_a_port_that_is_none_is_one_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["app", "--port", port])
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (3, 3), ("no page there", 1)])
def test_how_the_server_ended_is_the_status(
    code: object, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(serving, "main", ends)
    assert serving.serve() == status
    assert capsys.readouterr().err == ("no page there\n" if status == 1 else "")
