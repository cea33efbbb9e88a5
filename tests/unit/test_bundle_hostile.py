"""A .stitch file that somebody else made: whatever is in it, it is opened whole, or refused in one plain line."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from grids import COLUMNS, ROWS, made
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from made_checks import made_suite
from safetensors.numpy import load, save

from stitchlab.errors import StitchLabError
from stitchlab.export import checks as made_files
from stitchlab.figures.story import story
from stitchlab.figures.words import conclusions
from stitchlab.ood.evaluate import detect
from stitchlab.ood.samples import keep_samples
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.results import samples, trajectory
from stitchlab.results.bundle import pack, unpack
from stitchlab.results.bundle.layout import ENTRIES, MAX_FILE_BYTES, MB, SCHEMA
from stitchlab.results.checks import answers as tables
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import deciding
from stitchlab.results.tables import cells_csv
from stitchlab.store import Store

MANIFEST = "stitchlab.json"
JSON = ("run.json", "cells.json", "ood.json", "samples.json", "checks.json")
Entries = dict[str, bytes]
ANY: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2.5,
    10**6,
    1e308,
    10**30,
    "",
    "x",
    "cka",
    "native",
    "../../etc/passwd",
    "a\nb",
    "\x00",
    "![a](b)",
    "é" * 20_000,
    [],
    {},
    [[[[]]]],
    [None],
    {"a": None},
    ["x", "x"],
    "data:" + "0" * 64,
    -(10**400),
]


@pytest.fixture(scope="module")
def whole(finished_grid: Store, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small file that has everything."""
    import torch

    root = tmp_path_factory.mktemp("hostile") / "cache"
    shutil.copytree(finished_grid.root, root)
    run = made(Store(root), front_layers=ROWS[:1], end_layers=COLUMNS[:1], indices=["cka"])  # it is there
    found = detect(run, detectors=["knn", "frechet"], device="cpu")
    compute_trajectory(run, ROWS[0], COLUMNS[0], torch.device("cpu"))
    keep_samples(found, torch.device("cpu"))
    made_suite(Store(root), indices=("cka",), checks=("self", "sensitivity", "chance"))
    return pack(run, maps=True)


@pytest.fixture(scope="module")
def parts(whole: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(parts: Entries, **said: Any) -> bytes:
    """A file of these entries whose checksums are right."""
    manifest = json.loads(parts[MANIFEST]) | said
    manifest["entries"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in parts.items()
        if name != MANIFEST
    }
    return zipped({**parts, MANIFEST: json.dumps(manifest).encode()})


def zipped(
    parts: Entries, change: Callable[[zipfile.ZipInfo], object] = lambda entry: None, method: int = zipfile.ZIP_STORED
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            change(entry)
            archive.writestr(entry, data)
    return out.getvalue()


def read(data: bytes, *, again: bool = True) -> Run | None:
    """The run of a file with everything read of it that pages read; None where it is refused in one line.

    With ``again`` it is packed again.
    """
    try:
        run = unpack(data, "x.stitch")
    except StitchLabError as error:
        line = str(error)
        assert line
        assert len(line) < 1000
        assert line.isprintable(), line
        return None
    found = DetectionResults(run)
    cells_csv(run)
    run.provenance()
    list(found.rows())
    for i, j in run.request.cells:
        conclusions(found, deciding(found, "knn", i, j), i, j)
        trajectory.kept(run, i, j)
        samples.kept(run, i, j)
    for of in [*found.cells, *((NATIVE, "", j) for j in run.request.end_layers)]:
        found.arrays(STATISTICS, *of)
        found.arrays("knn", *of)
    if run.own_accuracy is not None:
        story(found)
    for record in tables.suites(run.store):
        table = tables.answers_of(run.store, record)
        assert table is not None
        made_files.checks_json(table)
        made_files.checks_tex(table)
    if again:
        pack(run)
    return run


def refused(data: bytes, why: str) -> None:
    with pytest.raises(StitchLabError, match=why) as caught:
        unpack(data, "x.stitch")
    assert str(caught.value).startswith("x.stitch cannot be opened as a .stitch file")
    assert "\n" not in str(caught.value)


def test_the_file_itself_is_read(whole: bytes, parts: Entries) -> None:
    assert set(parts) == set(ENTRIES)
    run = read(whole)
    assert run is not None
    again = read(sealed(parts))  # as another program zips it
    assert again is not None
    assert list(again.rows()) == list(run.rows())


def test_a_later_schema_is_refused_by_its_number_whatever_else_it_has(parts: Entries) -> None:
    refused(sealed(parts, schema=SCHEMA + 1), f"schema {SCHEMA + 1}, and StitchLab .* knows {SCHEMA}")
    refused(zipped({MANIFEST: b'{"format": "stitchlab", "schema": 7, "novel": true}'}), "schema 7")
    refused(sealed(parts, schema=0), "no schema")
    refused(sealed(parts, format="other"), "another program")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/etc/passwd",
        "a/b.json",
        "C:\\x",
        "run.json/..",
        "RUN.JSON",
        "run.json ",
        "évil",
        "code.py",
        "x.pkl",
    ],
)
def test_only_known_names_are_read(parts: Entries, name: str) -> None:
    refused(sealed({**parts, name: b"x"}), "which no .stitch file has")
    refused(zipped({MANIFEST: parts[MANIFEST], name: b"x"}), "which no .stitch file has")


def test_an_entry_twice_a_link_and_encryption_are_refused(parts: Entries) -> None:
    few = {MANIFEST: parts[MANIFEST], "run.json": parts["run.json"]}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("run.json", b"{}")
    refused(out.getvalue(), "run.json twice")
    refused(zipped(few, lambda entry: setattr(entry, "external_attr", 0o120777 << 16)), "symbolic link")
    data = bytearray(zipped(few))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    refused(bytes(data), "encrypted")
    refused(zipped(few, lambda entry: setattr(entry, "compress_type", zipfile.ZIP_BZIP2)), "compressed in a way")


def test_a_bomb_is_not_inflated(parts: Entries) -> None:
    """Many megabytes of zeros in a few bytes, honest of their size, and lying about it."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(bomb.compress(bytes(16 * MB)) for _ in range(8)) + bomb.flush()
    for said in (128 * MB, 1000):
        head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(packed), said, 8, 0) + b"run.json"
        listed = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(packed), said, 8, 0, 0, 0, 0, 0, 0)
        first = zipped({MANIFEST: parts[MANIFEST]})
        end = first.index(b"PK\1\2")
        middle = bytearray(listed)
        middle[42:46] = end.to_bytes(4, "little")
        directory = first[end:-22] + bytes(middle) + b"run.json"
        start = end + len(head) + len(packed)
        last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), start, 0)
        data = first[:end] + head + packed + directory + last
        tracemalloc.start()
        refused(data, "over its limit|is damaged")
        assert tracemalloc.get_traced_memory()[1] < 40 * MB
        tracemalloc.stop()


def test_what_is_too_large_or_cut_off_is_refused(whole: bytes) -> None:
    refused(bytes(MAX_FILE_BYTES + 1), "the limit is")
    for data in (
        b"",
        b"PK",
        b"\x00" * 22,
        whole[:-1],
        whole[1:],
        whole[: len(whole) // 2],
        whole + b"x",
        b"x" + whole,
        whole[:-22] + b"PK\5\6" + bytes(18),
    ):
        assert read(data) is None


def test_entries_that_share_bytes_are_refused(parts: Entries) -> None:
    """As the zip bombs of David Fifield do, in which one kernel of data serves all entries."""
    data = bytearray(zipped({MANIFEST: parts[MANIFEST], "run.json": parts["run.json"]}))
    second = data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    refused(bytes(data), "is damaged|not a complete")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: run["request"].update(eval_images=151), "id is not that"),
        (lambda run: run["request"].update(seed=-1), "seed"),
        (lambda run: run["request"].update(novel=1), "newer version"),
        (lambda run: run["request"].update(front_layers=["![x](http://evil)"] * 2), "not plain|layers"),
        (lambda run: run["front"].update(id="0" * 64), "records are not those"),
        (lambda run: run["data"].update(shape=[1]), "invalid shape"),
        (lambda run: run["data"].pop("label"), "no label"),
        (lambda run: run.update(created=3), "created"),
    ],
)
def test_a_record_that_is_none_is_refused(parts: Entries, change: Callable[[Any], object], why: str) -> None:
    run = json.loads(parts["run.json"])
    change(run)
    refused(sealed({**parts, "run.json": json.dumps(run).encode()}), why)


def test_json_that_is_no_json_is_refused(parts: Entries) -> None:
    for text, why in (
        (b"[" * 100_000, "not readable JSON|deep"),
        (b'{"a": NaN}', "not readable JSON"),
        (b'{"a": 1e999}', "number"),
        (b"{}", "has no"),
        (b"\xff", "not readable JSON"),
        (b'{"a":1,"a":2}', "not readable JSON"),
        (b"9" * 5000, "JSON|number"),
        (b"[" + b"0," * 1_100_000 + b"0]", "too many"),
    ):
        refused(sealed({**parts, "cells.json": text}), why)


def test_arrays_that_are_not_as_the_request_are_refused(parts: Entries) -> None:
    arrays = load(parts["ood.safetensors"])
    some = next(name for name in arrays if name.endswith(".labels"))
    for change, why in (
        ({some: arrays[some] + 10_000}, "a class"),
        ({some: arrays[some][:-1]}, "unexpected type or shape"),
        ({some: arrays[some].astype(np.float32)}, "unexpected type or shape"),
        ({some: np.zeros((2, 2), np.int16)}, "unexpected type or shape"),
        ({some: arrays[some].astype(np.float64)}, "unexpected type"),
    ):
        refused(sealed({**parts, "ood.safetensors": save(arrays | change)}), why)
    kept = {name: array for name, array in arrays.items() if name != some}
    refused(sealed({**parts, "ood.safetensors": save(kept)}), "lacks")
    refused(sealed({name: data for name, data in parts.items() if name != "ood.safetensors"}), "is missing")
    refused(sealed({**parts, "maps.safetensors": save({"evil": np.zeros(3, np.float32)})}), "maps of cells")
    refused(sealed({**parts, "samples.safetensors": bytes(2**40 % 97)}), "damaged")


def test_what_a_later_detector_says_is_left_out(parts: Entries) -> None:
    ood = json.loads(parts["ood.json"])
    for entry in ood["entries"]:
        if entry["detector"] == "knn":
            entry["version"] += 1
        if entry["detector"] == "frechet":
            entry["detector"] = "novel"
    run = read(sealed({**parts, "ood.json": json.dumps(ood).encode()}))
    assert run is not None
    assert {row.value for row in DetectionResults(run).rows(["knn", "frechet"])} == {None}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values within a value, long lists of numbers by their first ones."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:40]) if isinstance(value, list) else ()
    return [path, *(way for key, each in inner for way in places(each, (*path, key)))]


def changed(value: Any, way: tuple[Any, ...], new: Any, how: str) -> Any:
    if not way:
        return new
    made = json.loads(json.dumps(value))
    inner = made
    for key in way[:-1]:
        inner = inner[key]
    if how == "drop":
        del inner[way[-1]]
    elif how == "twice" and isinstance(inner, list):
        inner.append(inner[way[-1]])
    else:
        inner[way[-1]] = new
    return made


#: Examples are small changes by a seed; what fails says which, and nothing is gained by looking for a smaller one.
FUZZ = settings(
    phases=[Phase.generate], deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
RANDOM = st.integers(0, 2**63).map(Random)


class Known:
    """What examples are made of: a file, its entries, and the ways to all values of its JSON."""

    def __init__(self, whole: bytes, parts: Entries) -> None:
        self.whole, self.parts = whole, parts
        self.ways = {name: places(json.loads(parts[name])) for name in JSON}

    def __repr__(self) -> str:  # Hypothesis prints the arguments of a test that fails
        return "Known(…)"


@pytest.fixture(scope="module")
def known(whole: bytes, parts: Entries) -> Known:
    return Known(whole, parts)


@settings(FUZZ, max_examples=2000)
@given(random=RANDOM)
def test_flipped_and_lost_bytes(known: Known, random: Random) -> None:
    """Bytes of the file itself: it is refused, or nothing that counts was hit."""
    made = bytearray(known.whole)
    for _ in range(random.randint(1, 3)):
        place = random.choice([random.randrange(len(made)), -random.randint(1, 900), random.randrange(60)]) % len(made)
        how = random.choice(["flip", "flip", "cut", "lose", "add"])
        if how == "flip":
            made[place] ^= random.randint(1, 255)
        elif how == "cut":
            del made[max(1, place) :]
        elif how == "lose":
            del made[max(1, place) : place + random.randint(1, 50)]
        else:
            made[place:place] = random.randbytes(random.randint(1, 8))
    try:
        run = unpack(bytes(made), "x.stitch")
    except StitchLabError:
        return
    assert list(run.rows()) == list(unpack(known.whole, "x.stitch").rows())


@settings(FUZZ, max_examples=400)
@given(random=RANDOM)
def test_changed_json_with_right_checksums(known: Known, random: Random) -> None:
    name = random.choice(JSON)
    made = changed(
        json.loads(known.parts[name]),
        random.choice(known.ways[name]),
        random.choice(ANY),
        random.choice(["set", "set", "drop", "twice"]),
    )
    read(sealed({**known.parts, name: json.dumps(made).encode()}), again=random.random() < 0.1)


@settings(FUZZ, max_examples=200)
@given(random=RANDOM)
def test_changed_arrays_and_swapped_entries_with_right_checksums(known: Known, random: Random) -> None:
    made = dict(known.parts)
    names = sorted(set(made) - {MANIFEST})
    one, other = random.choice(names), random.choice(names)
    how = random.choice(["swap", "drop", "bytes", "header", "header"])
    if how == "swap":
        made[one], made[other] = made[other], made[one]
    elif how == "drop":
        del made[one]
    else:
        name = random.choice([name for name in names if name.endswith(".safetensors")])
        raw = bytearray(made[name])
        most = 8 + int.from_bytes(raw[:8], "little") if how == "header" else len(raw)
        for _ in range(random.randint(1, 4)):
            raw[random.randrange(most)] = random.choice([random.randrange(256), ord("0"), ord("9"), ord("]")])
        made[name] = bytes(raw)
    read(sealed(made), again=random.random() < 0.1)


def test_a_file_of_endlessly_many_entries_or_values_is_refused(parts: Entries) -> None:
    many = 32 * MB
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, many, 2, 0)
    refused(b"PK\3\4" + bytes(many) + end, "more entries")
    cells = json.loads(parts["cells.json"])
    cells["cells"] = cells["cells"] * 12_000
    refused(sealed({**parts, "cells.json": json.dumps(cells).encode()[: 16 * MB]}), "twice|not readable JSON|too many")
