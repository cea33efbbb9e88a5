"""Files of checks: the table and the evidence of a cell, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from made_checks import made_suite

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export import checks as files
from stitchlab.export.options import Options
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import suite_of
from stitchlab.results.checks.table import CheckRow, rows
from stitchlab.store import Store

CELL = ("self", "tlm/accuracy")


@pytest.fixture
def answers(store: Store) -> Answers:
    return made_suite(store, indices=("cka", "opd"))


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_csv_has_every_statistic_in_full(answers: Answers) -> None:
    lines = read(files.make(answers, "csv"))
    assert (
        list(lines[0])
        == list(CheckRow._fields)
        == ["check", "subject", "statistic", "value", "low", "high", "p", "verdict", "reason"]
    )
    wanted = rows(answers)
    assert len(lines) == len(wanted) > 100
    for line, row in zip(lines, wanted, strict=True):
        assert (line["check"], line["subject"], line["verdict"]) == (row.check, row.subject, row.verdict)
        assert (float(line["value"]) if line["value"] else None) == row.value
        assert (float(line["p"]) if line["p"] else None) == row.p


def test_the_json_asks_again_for_the_same_suite_and_has_the_evidence(answers: Answers) -> None:
    told = json.loads(files.make(answers, "json"))
    assert suite_of(answers.store, told["wanted"]).suite.id == told["suite"] == answers.suite.id
    assert len(told["rows"]) == len(rows(answers))
    answer = answers.answer(*CELL)
    assert answer is not None
    assert told["checks"]["self"]["answers"]["tlm/accuracy"]["evidence"] == answer.evidence


def test_the_latex_table_marks_verdicts_and_escapes(answers: Answers) -> None:
    text = files.make(answers, "tex").decode()
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    assert len(lines) == 1 + len(answers.suite.subjects)
    assert all(line.count("&") - line.count(r"\&") == len(CHECKS) for line in lines)
    cka = next(line for line in lines if line.startswith("Linear CKA")).split(" & ")
    found = {
        row.check: row
        for row in rows(answers)
        if row.subject == "cka/similarity" and row.statistic == CHECKS[row.check].statistics[0].name
    }
    for name, cell in zip(CHECKS, cka[1:], strict=True):
        said = cell.removesuffix(r" \\")
        if name not in found:
            assert said == "--", name
            continue
        value = f"{found[name].value:.2f}"
        assert said == (f"\\textbf{{{value}}}" if found[name].verdict == "pass" else f"{value}\\,$\\times$"), name
    assert text.count("?")
    assert r"\toprule" in text


def test_what_is_not_computed_is_left_empty(store: Store) -> None:
    answers = made_suite(store, checks=("self",), indices=("cka",))
    cka = next(line for line in files.make(answers, "tex").decode().splitlines() if line.startswith("Linear CKA"))
    assert cka.removesuffix(r" \\").split(" & ")[2].strip() == ""
    assert {line["check"] for line in read(files.make(answers, "csv"))} == {"self"}


def words(svg: bytes) -> list[str]:
    return [
        "".join(element.itertext()).strip() for element in ET.fromstring(svg).iter() if element.tag.endswith("}text")
    ]


@pytest.mark.parametrize("size", ["one-column", "two-column", "slide"])
def test_the_figure_of_the_table_has_every_measure_check_and_verdict(answers: Answers, size: str) -> None:
    said = words(files.make(answers, "svg", Options.of(size=size)))
    first = [row for row in rows(answers) if row.statistic == CHECKS[row.check].statistics[0].name]
    for verdict, mark in (("pass", "✓ pass"), ("fail", "✗ fail"), ("not enough data", "no data")):
        assert said.count(mark) == sum(row.verdict == verdict for row in first) > 0, verdict
    assert {"Correspondence", "Specificity"} <= set(said)
    if size != "one-column":
        assert {"Linear CKA", "Task loss matching: accuracy"} <= set(said)


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
@pytest.mark.parametrize("cell", [None, CELL, ("sensitivity", "cka/similarity"), ("stability", "dm/accuracy")])
def test_every_figure_becomes_a_file(answers: Answers, suffix: str, begins: bytes, cell: Any) -> None:
    data = files.make(answers, suffix, Options(dpi=50, dark=True), cell)
    assert data.startswith(begins)
    assert data == files.make(answers, suffix, Options(dpi=50, dark=True), cell), "the same figure is the same file"


def test_the_csv_of_an_evidence_has_what_is_drawn(answers: Answers) -> None:
    answer = answers.answer("sensitivity", "cka/similarity")
    assert answer is not None
    lines = read(files.make(answers, "csv", cell=("sensitivity", "cka/similarity")))
    probe = answer.evidence["figures"][0]["lines"][0]
    of = [
        line
        for line in lines
        if (line["figure"], line["series"]) == (answer.evidence["figures"][0]["title"], "Linear probe")
    ]
    assert [float(line["y"]) for line in of] == probe["y"]
    matrix = read(files.make(answers, "csv", cell=CELL))
    assert sum(bool(line["value"]) for line in matrix) == 35, "of 36 cells one is undefined"
    intervals = read(files.make(answers, "csv", cell=("stability", "dm/accuracy")))
    assert all(float(line["low"]) < float(line["value"]) < float(line["high"]) for line in intervals)


def test_names_captions_and_what_there_is_not(answers: Answers) -> None:
    assert re.fullmatch(r"checks-[0-9a-f]{8}\.csv", files.file_name(answers, "csv"))
    assert files.file_name(answers, "svg", CELL).startswith("check-self-tlm-accuracy-")
    assert "Holm 1979" in files.caption(answers)
    assert "digits-a, digits-b" in files.caption(answers)
    assert "recipe quick" in files.caption(answers)
    assert "Is a layer most similar to itself?" in files.caption(answers, CELL)
    for suffix, cell in (("stitch", None), ("tex", CELL)):
        with pytest.raises(UnknownName, match="kind of file of checks"):
            files.make(answers, suffix, cell=cell)
    with pytest.raises(StitchLabError, match="run the checks first"):
        files.make(answers, "svg", cell=("chance", "tlm/accuracy"))
