"""Tables of checks in a .stitch file: they come out as they went in, and what is none is refused in one line."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from made_checks import FEW, made_suite

from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError
from stitchlab.export import checks as files
from stitchlab.results import networks, shelf
from stitchlab.results.bundle import pack, unpack
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import Suite
from stitchlab.results.checks.table import rows
from stitchlab.results.run import Run
from stitchlab.store import Store

TABLES, MANIFEST = "checks.json", "stitchlab.json"


@pytest.fixture
def answers(store: Store) -> Answers:
    return made_suite(store, indices=("cka", "opd"))


@pytest.fixture
def run(answers: Answers) -> Run:
    return next(iter(answers.checking.across.values()))


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(parts: dict[str, bytes], **said: Any) -> bytes:
    """A file of these entries whose checksums are right."""
    manifest = json.loads(parts[MANIFEST]) | said
    manifest["entries"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in parts.items()
        if name != MANIFEST
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (parts | {MANIFEST: json.dumps(manifest).encode()}).items():
            archive.writestr(name, data)
    return out.getvalue()


def tables(run: Run) -> list[Answers]:
    """The tables of an opened file, the newest suites first."""
    found = [kept.answers_of(run.store, record) for record in kept.suites(run.store)]
    return [each for each in found if each is not None]


def test_a_table_comes_back_with_every_row_and_without_evidence(answers: Answers, run: Run) -> None:
    data = pack(run)
    (table,) = tables(unpack(data, "theirs.stitch"))
    assert rows(table) == rows(answers)
    assert len(rows(table)) > 100
    assert FEW in {row.reason for row in rows(table)}
    assert table.suite == answers.suite
    assert table.checking.title == "digits-a, digits-b"
    assert all(
        answer.evidence == {}
        for check in CHECKS
        for subject in table.suite.subjects
        if (answer := table.answer(check, subject)) is not None
    )
    assert b"figures" not in entries(data)[TABLES]
    (of_one,) = tables(unpack(pack(answers.checking.within[(answers.suite.networks[0],) * 2]), "one.stitch"))
    assert rows(of_one) == rows(answers)
    with pytest.raises(StitchLabError, match="network"):
        _ = of_one.checking.networks


def test_a_file_that_is_opened_and_packed_again_is_the_same(run: Run) -> None:
    data = pack(run)
    assert pack(unpack(data, "theirs.stitch")) == data
    parts = entries(data)
    assert json.loads(parts[MANIFEST])["schema"] == 2
    del parts[TABLES]
    without = unpack(sealed(parts, schema=1), "before.stitch")
    assert tables(without) == []
    assert json.loads(entries(pack(without))[MANIFEST])["schema"] == 1


def test_only_runs_of_a_suite_take_its_table_along(store: Store, answers: Answers) -> None:
    within = answers.checking.within[answers.suite.networks[0], answers.suite.networks[0]]
    assert TABLES in entries(pack(within))
    checking = answers.checking
    other = checking.run(*answers.suite.networks, seed=1).save()
    vit = networks.find(store, "vit").id
    outside = [other, checking.run(vit, answers.suite.networks[0]).save()]
    for run in outside:
        parts = entries(pack(run))
        assert TABLES not in parts
        assert json.loads(parts[MANIFEST])["schema"] == 1
        forged = parts | {TABLES: entries(pack(within))[TABLES]}
        refused(sealed(forged), "this run does not belong to")
    control = Run(store, within.record | {"front": within.record["front"] | {"origin": {"how": "control"}}})
    assert TABLES in entries(pack(control))


def test_at_most_four_suites_are_taken_the_newest_first(store: Store, answers: Answers, run: Run) -> None:
    names = list(answers.checking.names)
    ids = [answers.suite.id]
    for k, indices in enumerate((("cka",), ("opd",), ("rsa",), ("cca",), ("svcca",))):
        made = made_suite(store, names, checks=("self",) if k < 4 else (), indices=indices)
        ids.append(made.suite.id)
    for k, name in enumerate(ids):
        record = store.get(kept.SUITES, name)
        assert record is not None
        store.put(kept.SUITES, name, record | {"created": f"2026-01-0{k + 1}T00:00:00+00:00"})
    opened = tables(unpack(pack(run), "theirs.stitch"))
    assert [table.suite.id for table in opened] == ids[4:0:-1], "the sixth has no answers"
    assert list(opened[0].kept) == ["self"]


def test_a_suite_of_earlier_definitions_is_left_out(store: Store, answers: Answers, run: Run) -> None:
    record = store.get(kept.SUITES, answers.suite.id)
    assert record is not None
    store.put(kept.SUITES, "0" * 16, record)
    assert len(tables(unpack(pack(run), "theirs.stitch"))) == 1
    store.delete(kept.SUITES, answers.suite.id)
    assert TABLES not in entries(pack(run))


def test_nothing_says_where_it_was_made(store: Store, answers: Answers, run: Run) -> None:
    key = kept.key(answers.suite.id, "self")
    record = store.get(kept.ROOM, key)
    assert record is not None
    record["answers"]["dm/jsd"]["statistics"]["rows"]["reason"] = "read from /home/lovelace/x.pt"
    store.put(kept.ROOM, key, record | {"device": "cpu on lovelace"})
    data = pack(run)
    assert b"lovelace" not in entries(data)[TABLES]
    (table,) = tables(unpack(data, "x.stitch"))
    assert "read from x.pt" in {row.reason for row in rows(table)}


def test_every_file_of_the_table_that_takes_no_records_is_the_same(answers: Answers, run: Run) -> None:
    (table,) = tables(unpack(pack(run), "theirs.stitch"))
    for suffix in ("csv", "tex", "svg"):
        assert files.make(table, suffix) == files.make(answers, suffix), suffix
    mine, theirs = (json.loads(files.make(each, "json")) for each in (answers, table))
    for same in ("suite", "wanted", "definitions", "rows"):
        assert theirs[same] == mine[same]
    assert [network["name"] for network in theirs["networks"]] == ["digits-a", "digits-b"]


def test_tables_of_opened_files_are_those_that_are_not_ones_own(store: Store, answers: Answers, run: Run) -> None:
    shelf.open_file(store, pack(run), "theirs.stitch")
    assert shelf.tables(store) == []
    store.delete(kept.SUITES, answers.suite.id)
    (table,) = shelf.tables(store)
    assert table.store.source is not None
    assert (table.store.source.file, table.suite.id) == ("theirs.stitch", answers.suite.id)
    assert kept.suites(store) == []


def refused(data: bytes, why: str) -> None:
    with pytest.raises(StitchLabError, match=why) as caught:
        unpack(data, "x.stitch")
    assert str(caught.value).startswith("x.stitch cannot be opened as a .stitch file")
    assert "\n" not in str(caught.value)


def cell(table: Any, check: str = "self", subject: str = "dm/accuracy") -> Any:
    return table["checks"][check][subject]


def asked(table: Any, **changes: Any) -> None:
    """Asks for another suite, whose id is right."""
    table["suite"] |= changes
    table["id"] = hashlib.sha256(
        json.dumps(table["suite"], sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()[:16]


CHANGES: list[tuple[Callable[[Any], object], str]] = [
    (lambda table: table.update(id="0" * 16), "id does not match"),
    (lambda table: table["suite"].update(null=7), "id does not match"),
    (lambda table: asked(table, novel=1), "newer version"),
    (lambda table: asked(table, seed=-1), "a seed"),
    (lambda table: asked(table, seed=1), "does not belong to"),
    (lambda table: asked(table, data="0" * 64), "does not belong to"),
    (lambda table: asked(table, networks=["0" * 64, "1" * 64]), "does not belong to"),
    (lambda table: asked(table, networks=table["suite"]["networks"][:1] * 2), "invalid ids of networks"),
    (lambda table: asked(table, networks=["x", "y"]), "invalid ids of networks"),
    (lambda table: asked(table, networks=[f"{k:064x}" for k in range(1001)]), "invalid ids of networks"),
    (lambda table: asked(table, networks=table["suite"]["networks"][0]), "networks is"),
    (lambda table: asked(table, indices=["evil"]), "unknown measures"),
    (lambda table: asked(table, methods=["dm", "dm"]), "unknown measures"),
    (lambda table: asked(table, eval_images=0), "impossible settings"),
    (lambda table: asked(table, null=10**9), "impossible settings"),
    (lambda table: asked(table, tlm={"epochs": 0}), "1 or more"),
    (lambda table: asked(table, dm=[]), "DirectMatching"),
    (lambda table: asked(table, eval_images=True), "eval_images is True"),
    (lambda table: asked(table, definitions={"check self": "1"}), "definitions is"),
    (lambda table: table.update(networks=["one"]), "no names"),
    (lambda table: table.update(networks=["one", "x" * 201]), "too long"),
    (lambda table: table.update(networks=["one", "![x](http://evil)"]), "not plain"),
    (lambda table: table.update(created=1), "created"),
    (lambda table: table["checks"].update(novel={}), "check that is not in its suite"),
    (lambda table: table["checks"].update(self=[]), "not an object"),
    (lambda table: table["checks"]["self"].update({"rsa/similarity": {}}), "which the check self does not apply"),
    (lambda table: table["checks"]["chance"].update({"dm/accuracy": {}}), "which the check chance does not apply"),
    (lambda table: cell(table).update(novel={"value": 1.0}), "statistic that self does not have"),
    (lambda table: cell(table, "stability", "tlm/accuracy").update({"training-images": {"value": 1.0}}), "not have"),
    (lambda table: cell(table).clear(), "or none"),
    (lambda table: cell(table)["rows"].update(value=float("nan")), "not readable JSON"),
    (lambda table: cell(table)["rows"].update(value=float("inf")), "not readable JSON"),
    (lambda table: cell(table)["rows"].update(value=10**400), "number|not readable JSON"),
    (lambda table: cell(table)["rows"].update(value="0.9"), "not as expected"),
    (lambda table: cell(table)["rows"].update(value=True), "not as expected"),
    (lambda table: cell(table)["rows"].update(reason=None), "not as expected"),
    (lambda table: cell(table)["rows"].update(novel=1), "unknown fields"),
    (lambda table: cell(table)["rows"].update(p=1.5), "p-value"),
    (lambda table: cell(table)["rows"].update(reason="x" * 10_001), "not plain"),
]


@pytest.fixture(scope="module")
def parts(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The entries of a small file with a table."""
    import shutil

    root = tmp_path_factory.mktemp("tables") / "cache"
    shutil.copytree(digits_store.root, root)
    made = made_suite(Store(root), indices=("cka",), checks=("self", "stability", "chance"))
    return entries(pack(next(iter(made.checking.across.values()))))


@pytest.mark.parametrize(("change", "why"), CHANGES)
def test_a_table_that_is_none_is_refused(parts: dict[str, bytes], change: Callable[[Any], object], why: str) -> None:
    told = json.loads(parts[TABLES])
    change(told["suites"][0])
    refused(sealed(parts | {TABLES: json.dumps(told).encode()}), why)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b"{}", "no suites"),
        (b"[]", "not an object"),
        (b'{"suites": []}', "or none"),
        (b'{"suites": [[]]}', "not an object"),
        (b"[" * 50_000, "not readable JSON|deep"),
        (b" " * (4 * 2**20 + 1), "over its limit"),
        (b'{"suites": [' + b"0," * 1_100_000 + b"0]}", "too many"),
    ],
)
def test_an_entry_that_is_none_is_refused(parts: dict[str, bytes], told: bytes, why: str) -> None:
    refused(sealed(parts | {TABLES: told}), why)


def test_more_suites_than_four_or_one_twice_are_refused(parts: dict[str, bytes]) -> None:
    (one,) = json.loads(parts[TABLES])["suites"]
    refused(sealed(parts | {TABLES: json.dumps({"suites": [one, one]}).encode()}), "suite twice")
    refused(sealed(parts | {TABLES: json.dumps({"suites": [one] * 5}).encode()}), "too many suites")


def test_what_a_later_version_says_of_checks_is_left_out(parts: dict[str, bytes]) -> None:
    told = json.loads(parts[TABLES])
    (table,) = told["suites"]
    table["checks"]["novel"] = {"dm/accuracy": {"new": {"value": 1.0}}}
    asked(table, definitions=table["suite"]["definitions"] | {"check novel": 1, "check self": 99})
    (opened,) = tables(unpack(sealed(parts | {TABLES: json.dumps(told).encode()}), "later.stitch"))
    assert list(opened.kept) == ["stability", "chance"]
    assert {row.check for row in rows(opened)} == {"stability", "chance"}


def test_a_later_schema_is_refused_by_its_number_whatever_entries_it_has(parts: dict[str, bytes]) -> None:
    refused(sealed(parts | {"novel.json": b"{}"}, schema=3), "schema 3, and StitchLab .* knows 2")
    refused(sealed(parts | {"novel.json": b"{}"}), "which no .stitch file has")


def test_a_suite_is_what_its_json_says(answers: Answers) -> None:
    from stitchlab.request import canonical

    assert Suite.from_json(json.loads(canonical(answers.suite))) == answers.suite


def test_a_whole_table_is_small(store: Store) -> None:
    """Of all measures there are, and all checks."""
    made = made_suite(store)
    data = entries(pack(next(iter(made.checking.across.values()))))[TABLES]
    assert len(made.suite.subjects) >= 26
    assert len(data) < 150_000
