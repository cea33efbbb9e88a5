"""The store: whole files or none, checksums, claims, and nothing that is a pickle."""

from __future__ import annotations

import errno
import json
import os
import pickletools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch

from stitchlab import store as store_module
from stitchlab.errors import Damaged, StitchLabError
from stitchlab.models.tensors import digest, get_tensors, intact_tensors, put_tensors
from stitchlab.store import Store, places
from stitchlab.store import digest as array_digest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def files(store: Store) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


TENSORS = {
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 4),
    "bf16": torch.randn(3, 2).bfloat16(),
    "half": torch.ones(2).half(),
    "double": torch.rand(2, 2, 2, dtype=torch.float64),
    "int": torch.arange(5),
    "byte": torch.arange(6, dtype=torch.uint8).view(2, 3),
    "bool": torch.tensor([True, False]),
    "turned": torch.rand(3, 4).T,
    "parameter": torch.nn.Parameter(torch.rand(2)),
}


def test_values_come_back(store: Store) -> None:
    value = {"a": [1, 2.5, None, "é"], "b": {"c": True}, "tiny": 1e-300, "third": 1 / 3}
    assert store.get("room", "key") is None
    assert not store.has("room", "key")
    store.put("room", "key", value)
    assert store.get("room", "key") == value
    store.put("room", "key", {"a": 1})
    assert store.get("room", "key") == {"a": 1}
    store.put("room", "akey", {})
    assert store.keys("room") == ["akey", "key"]
    assert store.keys("elsewhere") == []
    assert store.has("room", "key")


def test_tensors_come_back(store: Store) -> None:
    assert get_tensors(store, "room", "key") is None
    assert store.get_arrays("room", "key") is None
    put_tensors(store, "room", "key", TENSORS)
    back = get_tensors(store, "room", "key")
    assert back is not None
    assert set(back) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor.detach()), name
    assert store.keys("room") == []


#: Types that NumPy has, by PyTorch's names.
TYPES = [
    torch.float16,
    torch.float32,
    torch.float64,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
    torch.complex64,
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_numpy_reads_what_pytorch_wrote_and_takes_the_same_checksum(store: Store, dtype: torch.dtype) -> None:
    tensors = {
        "a": (torch.arange(6.0) % 2).view(2, 3).to(dtype),
        "scalar": torch.ones(()).to(dtype),
        "empty": torch.zeros(0, 4).to(dtype),
        "turned": torch.ones(3, 2).to(dtype).T,
    }
    put_tensors(store, "room", "key", tensors)
    back = store.get_arrays("room", "key")
    assert back is not None
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.numpy().dtype
        assert back[name].shape == tuple(tensor.shape)
        assert np.array_equal(back[name], tensor.numpy())
    assert array_digest(back) == digest(tensors)
    kept = store.intact_arrays("room", "key")
    assert kept is not None
    assert array_digest(kept) == digest(tensors)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_types_that_numpy_has_not_are_one_line_and_no_damage(store: Store, dtype: torch.dtype) -> None:
    put_tensors(store, "networks", "key", {"weight": torch.ones(3).to(dtype)})
    for read in (store.get_arrays, store.intact_arrays):
        with pytest.raises(StitchLabError, match=r"of a type that NumPy does not know .*models\.tensors") as raised:
            read("networks", "key")
        assert not isinstance(raised.value, Damaged)
        assert "\n" not in str(raised.value)
    back = get_tensors(store, "networks", "key")
    assert back is not None
    assert torch.equal(back["weight"].float(), torch.ones(3))


def test_undefined_numbers_are_not_kept(store: Store) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.put("room", "key", {"a": float("nan")})
    assert files(store) == set()


def test_deleting(store: Store) -> None:
    store.put("room", "key", {})
    put_tensors(store, "room", "key", {"a": torch.zeros(1)})
    store.put("room", "key2", {})
    store.delete("room", "key")
    store.delete("room", "key")
    assert files(store) == {"room/key2.json"}


@pytest.mark.parametrize("key", ["../x", "a/b", "/etc/passwd", "", ".", "..", ".hidden", "a/../b"])
def test_keys_are_names_and_never_paths(store: Store, key: str) -> None:
    for use in (store.get, store.has, store.delete, store.get_arrays, partial(get_tensors, store)):
        with pytest.raises(StitchLabError, match="expected a plain name as a key of the store"):
            use("room", key)
    with pytest.raises(StitchLabError, match="plain name"):
        store.put("room", key, {})
    assert files(store) == set()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"sha256": "0", "value": {"a": 1}}',
        b"\xff\xfe",
        b'{"value": {"a": 1}}',
    ],
)
def test_a_damaged_value_is_noticed(store: Store, broken: bytes) -> None:
    store.put("room", "key", {"a": 1})
    store.path("room", "key", ".json").write_bytes(broken)
    with pytest.raises(Damaged, match=r"key\.json does not match its checksum"):
        store.get("room", "key")


def test_a_changed_digit_is_noticed(store: Store) -> None:
    store.put("room", "key", {"accuracy": 0.91})
    path = store.path("room", "key", ".json")
    path.write_text(path.read_text().replace("0.91", "0.97"))
    with pytest.raises(Damaged):
        store.get("room", "key")


@pytest.mark.parametrize("harm", ["cut", "flipped", "emptied", "stranger"])
def test_damaged_tensors_are_noticed(store: Store, harm: str) -> None:
    put_tensors(store, "room", "key", {"a": torch.arange(100.0)})
    path = store.path("room", "key", ".safetensors")
    data = bytearray(path.read_bytes())
    if harm == "flipped":
        data[-3] ^= 1
    written = {"cut": bytes(data[:-9]), "flipped": bytes(data), "emptied": b"", "stranger": b"hello" * 9}
    path.write_bytes(written[harm])
    for read in (store.get_arrays, partial(get_tensors, store)):
        with pytest.raises(Damaged, match="does not match its checksum"):
            read("room", "key")
    assert store.intact_arrays("room", "key") is None
    assert intact_tensors(store, "room", "key") is None


def full(*args: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["write_bytes", "replace", "mkdir"])
def test_a_full_disk_is_one_line_and_leaves_what_was(store: Store, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("room", "key", {"old": 1})
    monkeypatch.setattr(Path, where, full if where != "mkdir" else lambda *args, **kwargs: full())
    writes: list[Callable[[], object]] = [
        lambda: store.put("room", "key", {"new": 2}),
        lambda: put_tensors(store, "room", "key", {"a": torch.zeros(3)}),
    ]
    for write in writes:
        with pytest.raises(StitchLabError, match=r"No space left on device.*STITCHLAB_CACHE") as raised:
            write()
        assert "\n" not in str(raised.value)
    monkeypatch.undo()
    assert store.get("room", "key") == {"old": 1}
    assert files(store) == {"room/key.json"}


def test_a_write_that_is_cut_off_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def half(path: Path, data: bytes) -> None:
        write(path, data[: len(data) // 2])
        full()

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(StitchLabError):
        store.put("room", "key", {"a": 1})
    assert files(store) == set()


def test_readers_never_see_half_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment of renaming, the new file is complete beside the old one."""
    store.put("room", "key", {"old": 1})
    rename, seen = Path.replace, []

    def look(path: Path, target: Path) -> Path:
        seen.append((json.loads(target.read_bytes())["value"], json.loads(path.read_bytes())["value"]))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", look)
    store.put("room", "key", {"new": 2})
    assert seen == [({"old": 1}, {"new": 2})]
    assert store.keys("room") == ["key"]


def test_where_the_store_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "moved"))
    assert Store().root == tmp_path / "moved"
    assert Store(tmp_path / "mine").root == tmp_path / "mine"
    monkeypatch.delenv("STITCHLAB_CACHE")
    assert Store().root == Path(store_module.__file__).resolve().parents[2] / "cache"


def test_where_it_lies_once_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site-packages" / "stitchlab" / "app").mkdir(parents=True)
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "site-packages" / "stitchlab")
    monkeypatch.delenv("STITCHLAB_CACHE", raising=False)
    monkeypatch.delenv("STITCHLAB_GALLERY")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name, **_: tmp_path / "data" / name)
    assert Store().root == tmp_path / "data" / "stitchlab"
    assert places.gallery() == tmp_path / "site-packages" / "stitchlab" / "app" / "gallery"
    monkeypatch.setenv("STITCHLAB_CACHE", str(tmp_path / "moved"))
    assert Store().root == tmp_path / "moved"
    assert not (tmp_path / "data").exists()


def test_digests_tell_names_types_and_shapes_apart() -> None:
    a = torch.arange(6.0)
    made = [
        digest(t)
        for t in (
            {"a": a},
            {"b": a},
            {"a": a.view(2, 3)},
            {"a": a.int()},
            {"a": a.flip(0)},
            {"a": a, "b": a},
            {},
        )
    ]
    assert len(set(made)) == 7
    assert digest({"a": a, "b": -a}) == digest({"b": -a, "a": a})
    assert digest({"a": a.view(2, 3).T.contiguous().T}) == digest({"a": a.view(2, 3)})


def is_pickle(path: Path) -> bool:
    data = path.read_bytes()
    if data[:2] == b"PK":  # a zip, as torch.save writes; .npz would be fine, but StitchLab knows what is in those
        return path.suffix != ".npz"
    try:
        return bool(data) and any(op.name == "STOP" for op, _, _ in pickletools.genops(data))
    except Exception:
        return False


def test_no_pickle_in_the_store(digits_store: Store) -> None:
    paths = [path for path in digits_store.root.rglob("*") if path.is_file()]
    assert len(paths) >= 7
    assert {path.suffix for path in paths} <= {".json", ".safetensors", ".npz", ".npy"}
    assert not [path for path in paths if is_pickle(path)]
