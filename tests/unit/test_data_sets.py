"""Records of data: what is known of it without its pixels."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from grids import folder, harm

from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.data import registry
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results import data_sets
from stitchlab.results.data_sets import ROOM, DataRecord, checked_count
from stitchlab.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def facts(record: DataRecord) -> DataRecord:
    """What is known before anything is loaded."""
    return replace(record, fingerprint="", folder=None, loaded=0.0)


AT_HAND = [name for name, entry in DATA_SETS.items() if entry.at_hand]


@pytest.mark.parametrize("name", AT_HAND)
def test_what_the_catalog_says_of_data_at_hand_is_what_loading_gives(store: Store, name: str) -> None:
    before = data_sets.at_hand(store)
    assert list(before) == AT_HAND
    assert (before[name].fingerprint, before[name].loaded) == ("", 0.0)
    assert not store.root.exists(), "looking makes nothing"
    made = registry.load(name, store)
    assert before[name] == DataRecord(
        name=made.name,
        label=made.label,
        classes=made.classes,
        shape=made.shape,
        train=len(made.train),
        test=len(made.test),
    )
    assert before[name].natural == made.natural
    after = data_sets.at_hand(store)[name]
    assert (facts(after), after.fingerprint) == (before[name], made.fingerprint)


@pytest.mark.parametrize("colour", [True, False])
def test_a_folders_record_is_what_loading_gives(store: Store, tmp_path: Path, colour: bool) -> None:
    made = registry.load(folder(tmp_path / "letters", "abc", colour), store)
    (record,) = data_sets.known(store)
    assert facts(record) == DataRecord(
        name=made.name, label="letters", classes=("a", "b", "c"), shape=made.shape, train=30, test=30
    )
    assert record.natural == made.natural == colour
    assert record.folder is not None
    assert data_sets.at_hand(store) == {"digits": data_sets.at_hand(store)["digits"], made.name: record}
    assert data_sets.find(store, made.name) == data_sets.find(store, made.fingerprint) == record


def kept(store: Store, fingerprint: str, name: str, loaded: float | None) -> None:
    record = {
        "name": name,
        "label": name,
        "fingerprint": fingerprint,
        "classes": ["a"],
        "shape": [1, 2, 2],
        "train": 3,
        "test": 4,
        "folder": None,
        "natural": True,
        "loaded": loaded,
    }
    store.put(ROOM, fingerprint, {key: value for key, value in record.items() if value is not None})


def test_a_name_means_what_was_loaded_last_under_it(store: Store) -> None:
    now = time.time()
    for k, (name, loaded) in enumerate((("x", now), ("x", now + 1), ("y", now - 1), ("old", None))):
        kept(store, f"{k}" * 64, name, loaded)
    assert [record.name for record in data_sets.known(store)] == ["old", "y", "x", "x"]
    assert data_sets.find(store, "x").fingerprint == "1" * 64
    assert data_sets.find(store, "0" * 64).fingerprint == "0" * 64
    assert data_sets.at_hand(store)["x"].fingerprint == "1" * 64
    assert data_sets.find(store, "x").shape == (1, 2, 2)
    harm(store.path(ROOM, "1" * 64, ".json"))
    assert data_sets.find(store, "x").fingerprint == "0" * 64, "one damaged record hides no other"


def test_unknown_data_is_one_line(store: Store) -> None:
    kept(store, "0" * 64, "letters", 1.0)
    with pytest.raises(UnknownName, match=r"no data set is called 'leters'; nearest: letters.*folder:PATH") as raised:
        data_sets.find(store, "leters")
    assert "\n" not in str(raised.value)
    with pytest.raises(UnknownName, match=r"no data set's fingerprint is called '1111.*Load it first"):
        data_sets.find(store, "1" * 64)


@pytest.mark.parametrize(("count", "message"), [(0, "got 0"), (-1, "got -1"), (6, "from 1 to 5 .*, got 6")])
def test_counts_are_within_the_data(count: int, message: str) -> None:
    assert [checked_count(n, 5, "images") for n in (None, 1, 5)] == [5, 1, 5]
    with pytest.raises(StitchLabError, match=rf"^images: expected a number .*{message}"):
        checked_count(count, 5, "images")
