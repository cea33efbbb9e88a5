"""Files that came through a browser: bounded, under keys of their own, never under names of somebody's choice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results import data_sets
from stitchlab.store import Store, uploads


def test_a_file_is_kept_under_a_key_and_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = uploads.keep(store, "../../etc/weights.SAFETENSORS", memoryview(b"abc"))
    assert uploads.place(store, key).read_bytes() == b"abc"
    assert uploads.place(store, key).parent == store.root / "uploads"
    assert key.endswith(".safetensors")
    uploads.remove(store, key)
    uploads.remove(store, key)
    assert not list((store.root / "uploads").iterdir())
    with pytest.raises(StitchLabError, match="a plain name"):
        uploads.place(store, "../networks/x")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("weights.exe", 3, "expected a file of weights that ends in .safetensors"),
        ("weights", 3, "expected a file of weights that ends in"),
        ("w.pt", 0, "expected a file of 1 byte to 1 MB"),
        ("w.pt", 2**20 + 1, "Import larger ones with"),
    ],
)
def test_what_is_no_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: int, message: str) -> None:
    monkeypatch.setattr(uploads, "LIMIT_MB", 1)
    with pytest.raises(StitchLabError, match=message):
        uploads.keep(Store(tmp_path), name, memoryview(bytes(size)))
    assert not list(tmp_path.rglob("*.pt"))


def test_what_nobody_came_to_read_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = (uploads.keep(store, "w.pt", memoryview(b"abc")) for _ in range(2))
    os.utime(uploads.place(store, old), (0, time.time() - uploads.UPLOAD_TTL_S - 1))
    uploads.clean(store)
    assert not uploads.place(store, old).exists()
    assert uploads.place(store, new).exists()


def test_pages_name_data_that_is_known_or_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "cache")
    for place in ("root/letters", "root/none", "alone"):
        for part in ("train", "test") if "none" not in place else ("train",):
            (tmp_path / place / part).mkdir(parents=True)
    monkeypatch.setenv("STITCHLAB_DATA", os.pathsep.join([str(tmp_path / "root"), "", str(tmp_path / "absent")]))
    assert data_sets.offered_folders() == [tmp_path / "root" / "letters"]
    assert data_sets.public("cifar10", store) == "cifar10"
    for name in (f"folder:{tmp_path}/root/letters", f"folder:{tmp_path}/root/letters@16"):
        assert data_sets.public(name, store) == name
    for name in (f"folder:{tmp_path}/alone", f"folder:{tmp_path}/root/letters/../../alone", "folder:/etc", "nothing"):
        with pytest.raises(UnknownName, match="no data set is called"):
            data_sets.public(name, store)
    (tmp_path / "root" / "letters").rename(tmp_path / "elsewhere")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    assert data_sets.offered_folders() == [tmp_path / "elsewhere"], "by the name that the data set will have"
    monkeypatch.setenv("STITCHLAB_DATA", str(tmp_path / "alone"))
    assert data_sets.offered_folders() == [tmp_path / "alone"]
    monkeypatch.delenv("STITCHLAB_DATA")
    assert data_sets.offered_folders() == []
