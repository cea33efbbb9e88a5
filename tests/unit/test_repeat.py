"""`repeat RUN.json`: the same request, networks and data found by fingerprint, or one line on what is missing."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from blocked import python
from grids import SMALL, folder, made

from stitchlab import __main__ as cli
from stitchlab.catalog.indices import DEFAULT_INDICES
from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError
from stitchlab.grid import compute
from stitchlab.models import create as making
from stitchlab.results import networks, repeating
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store


@pytest.fixture
def told(done: Store, tmp_path: Path) -> Path:
    """The run.json of the finished grid."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(list_runs(done)[0].provenance()))
    return path


@pytest.fixture
def fresh(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with the same networks and data and no run, which commands use."""
    monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))
    return store


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return status, out.out, out.err


def change(path: Path, **request: Any) -> None:
    record = json.loads(path.read_text())
    record["request"] |= request
    path.write_text(json.dumps(record))


def test_the_same_run_is_asked_for_and_computed(
    told: Path, fresh: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    described = json.loads(told.read_text())
    assert list_runs(fresh) == []
    status, out, err = said(capsys, "repeat", told, "--device", "cpu", "--out", tmp_path / "again")
    assert status == 0
    assert out.splitlines()[-1] == described["id"]
    assert "is repeated as" not in err
    assert Run.load(described["id"], fresh).complete
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    for field in ("id", "request", "weights", "own_accuracy", "front_accuracy"):
        assert again[field] == described[field], field
    assert (tmp_path / "again" / "cells.csv").exists()


def test_again_computes_nothing(
    told: Path, done: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(done.root))
    monkeypatch.setattr(compute, "compute_unit", lambda *_: pytest.fail("computed again"))
    assert said(capsys, "repeat", told)[1].splitlines()[-1] == list_runs(done)[0].id


def test_names_do_not_matter(told: Path, fresh: Store) -> None:
    networks.rename(fresh, "digits-a", "other")
    networks.rename(fresh, "digits-b", "digits-a")
    described = repeating.described(fresh, told)
    asked = repeating.wanted(fresh, described)
    assert (asked["front"], asked["end"]) == (described.request.front, described.request.end)


DEFINITIONS = ["evaluation", "input", "tlm", "dm", *DEFAULT_INDICES]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_was_computed_under_an_earlier_definition_is_asked_for_under_todays(
    name: str, told: Path, done: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(done.root))
    today = list_runs(done)[0]
    change(told, definitions=today.request.definitions | {name: 0})
    assert repeating.described(done, told).id != today.id
    status, out, err = said(capsys, "repeat", told, "--device", "cpu")
    assert status == 0
    assert out.splitlines()[-1] == today.id
    assert f"definitions changed since ({name} 0 → {today.request.definitions[name]})" in err
    assert [run.id for run in list_runs(done)] == [today.id], "nothing is kept under the earlier definition"


def test_what_is_missing_is_named_in_one_line(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "empty"))
    request = json.loads(told.read_text())["request"]
    status, out, err = said(capsys, "repeat", told)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    for words in (
        f"the front network digits-a (resnet14, trained on digits from seed 0, fingerprint "
        f"{request['front'][:12]}) is not in this store",
        "the end network digits-b (resnet14",
        f"the data Digits (fingerprint {request['data'][:12]}) is not in this store",
        "`python -m stitchlab data digits --download`",
    ):
        assert words in err
    assert not (tmp_path / "empty").exists()


def test_a_folder_of_images_is_named_with_its_size(fresh: Store, tmp_path: Path) -> None:
    name = folder(tmp_path / "letters", "ab", colour=False) + "@8"
    data = datasets.load(name, fresh)
    network = making.untrained("mlp", data, fresh, name="own", device="cpu")
    run = made(
        fresh, "own", "own", front_layers=None, end_layers=None, methods=["dm"], indices=[], dm_images=5, eval_images=5
    )
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run.provenance()))
    shutil.rmtree(fresh.root / "data")
    with pytest.raises(StitchLabError, match=rf"`python -m stitchlab data {data.name}`") as raised:
        repeating.wanted(fresh, repeating.described(fresh, path))
    assert network.name not in str(raised.value), "it is there"


@pytest.mark.parametrize("control", ["noise", "random-init of digits-a"])
def test_a_control_is_made_again(
    control: str, done: Store, fresh: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(done, control, "digits-b", front_layers=None, methods=["dm"], indices=[], seed=3)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(first.provenance()))
    assert said(capsys, "repeat", path, "--device", "cpu")[1].splitlines()[-1] == first.id
    if control == "noise":
        return
    for network in networks.list_networks(fresh):
        if network.name != "digits-b":
            networks.delete(fresh, network.id)
    status, _, err = said(capsys, "repeat", path)
    assert status == 2
    assert "the front network random-init-of-digits-a-s3 (resnet14, control" in err


def test_a_control_of_another_network_of_that_name_is_none(done: Store, fresh: Store, tmp_path: Path) -> None:
    first = made(done, "random-init of digits-a", "digits-b", methods=["dm"], indices=[])
    path = tmp_path / "run.json"
    path.write_text(json.dumps(first.provenance()))
    networks.rename(fresh, "digits-a", "other")
    networks.rename(fresh, "vit", "digits-a")
    with pytest.raises(StitchLabError, match="the front network random-init-of-digits-a-s0"):
        repeating.wanted(fresh, repeating.described(fresh, path))


def broken(record: dict[str, Any]) -> dict[str, bytes]:
    """Files that are no run.json, by what is wrong with them."""

    def with_request(**change: Any) -> bytes:
        made = copy.deepcopy(record)
        made["request"] |= change
        return json.dumps(made).encode()

    whole, request = json.dumps(record).encode(), record["request"]
    lacking = {**record, "request": {key: value for key, value in request.items() if key != "end"}}
    return {
        "empty": b"",
        "truncated": whole[:-40],
        "no JSON": b"front_layer,end_layer\n",
        "binary": bytes(range(256)),
        "a list": b"[]",
        "a number": b"3",
        "another object": b'{"a": 1}',
        "no request": b'{"request": null}',
        "deep": b"[" * 100_000,
        "a field less": json.dumps(lacking).encode(),
        "newer": with_request(colour="red"),
        "newer recipe": with_request(tlm={**request["tlm"], "colour\n": 1}),
        "no recipe": with_request(tlm=[]),
        "words for numbers": with_request(eval_images="many"),
        "a word for layers": with_request(end_layers="relu"),
        "numbers for layers": with_request(front_layers=[1]),
        "no seed": with_request(seed=None),
        "a list of definitions": with_request(definitions=["cka"]),
        "precision": with_request(precision="fp16"),
        "NaN": with_request(seed=float("nan")),
        "epochs": with_request(tlm={**request["tlm"], "epochs": "30"}),
        "truth": with_request(seed=True),
        "no front": with_request(front=""),
        "half a number": with_request(tlm={**request["tlm"], "images": 2.5}),
    }


WRONG = list(broken({"request": {"tlm": {}, "end": ""}}))


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_run_json_is_one_line(
    wrong: str, told: Path, fresh: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    told.write_bytes(broken(json.loads(told.read_text()))[wrong])
    before = sorted(fresh.root.rglob("*"))
    status, out, err = said(capsys, "repeat", told)
    assert (status, out, len(err.splitlines())) == (2, "", 1), err
    assert str(told) in err
    assert sorted(fresh.root.rglob("*")) == before


@pytest.mark.parametrize("part", ["front", "end", "data"])
def test_a_run_json_without_its_records_is_repeated_or_one_line(
    part: str, told: Path, fresh: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the request names is enough; the records say only what to call something that is missing."""
    record = json.loads(told.read_text())
    del record[part]
    told.write_text(json.dumps(record))
    assert said(capsys, "repeat", told, "--device", "cpu")[0] == 0
    record["request"] |= {part: "f" * 64}
    for value in ("somebody", {"origin": "somewhere"}):
        told.write_text(json.dumps(record | {part: value}))
        status, _, err = said(capsys, "repeat", told)
        assert (status, len(err.splitlines())) == (2, 1), err


def test_definitions_that_did_not_change_are_not_listed(done: Store) -> None:
    new = list_runs(done)[0]
    old = Run(done, {**new.record, "request": {**new.record["request"], "definitions": {"foo": 3}}})
    told = repeating.changes(old, new)
    assert "input 1 → 2" in told
    assert "1 → 1" not in told
    assert "foo" not in told


@pytest.mark.parametrize(
    "request_",
    [
        {"front_layers": ["layer9"]},
        {"methods": ["tml"]},
        {"indices": ["kca"]},
        {"seed": -1},
        {"eval_images": 10**6},
        {"dm": {"images": 0}},
        {"front_layers": []},
        {"end": "digits-a"},
        {"data": "../digits"},
    ],
    ids=str,
)
def test_requests_that_make_no_sense_are_one_line(
    request_: dict[str, Any], told: Path, fresh: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    change(told, **request_)
    status, out, err = said(capsys, "repeat", told)
    assert (status, out, len(err.splitlines())) == (2, "", 1), err


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_a_file_that_cannot_be_read_is_one_line(name: str, fresh: Store, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "repeat", name)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "could not be read" in err


def test_reading_one_needs_nothing_that_computes(told: Path, fresh: Store) -> None:
    done = python(
        "import sys\nfrom pathlib import Path\nfrom stitchlab.results import repeating\n"
        "from stitchlab.store import Store\nstore = Store(sys.argv[1])\n"
        "print(repeating.wanted(store, repeating.described(store, Path(sys.argv[2])))['end_layers'])",
        str(fresh.root),
        str(told),
    )
    assert done.stdout.strip() == str(SMALL["end_layers"]), done.stderr
