"""Data sets: what is drawn, how folders are read, kept and refused."""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import resource
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from handy import noting
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision import datasets

from stitchlab.data import image_folder as folder
from stitchlab.data import loaders, pixel_depth
from stitchlab.data import registry as data
from stitchlab.data import splits as dataset
from stitchlab.errors import Cancelled, Damaged, StitchLabError, UnknownName
from stitchlab.results import data_sets
from stitchlab.store import Store

CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10-images.tar.xz"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data._loaded.clear()
    return Store(tmp_path / "cache")


def paint(path: Path, size: tuple[int, int] = (4, 4), mode: str = "RGB", seed: int = 0) -> np.ndarray:
    """Write a random image and return its pixels as PIL has them."""
    shape = (size[1], size[0]) + ((3,) if mode == "RGB" else ())
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for n, name in enumerate(("train/dog/b", "train/dog/a", "train/cat/z", "test/cat/1", "test/dog/1")):
        paint(root / f"{name}.png", seed=n)
    return root


def test_digits_are_the_fixed_split_of_scikit_learn(store: Store) -> None:
    made = data.load("digits", store)
    values, labels = load_digits(return_X_y=True)
    _, test = train_test_split(np.arange(1797), test_size=0.3, random_state=0, stratify=labels)
    assert (len(made.train), len(made.test), made.shape) == (1257, 540, (1, 8, 8))
    assert made.test.labels.tolist() == labels[test].tolist()
    np.testing.assert_array_equal(made.test.images[5, 0], np.round(values[test[5]].reshape(8, 8) * 255 / 16))


def test_digits_can_be_enlarged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    small = data.load("digits", store).train.images
    data._loaded.clear()
    monkeypatch.setattr(loaders, "DIGITS_SIZE", 16)
    large = data.load("digits", store).train.images
    assert large.shape[1:] == (1, 16, 16)
    for part in (large[..., ::2, ::2], large[..., 1::2, 1::2]):
        np.testing.assert_array_equal(part, small)


def test_draw_takes_the_first_of_the_seeds_permutation(store: Store) -> None:
    split = data.load("digits", store).test
    wanted = torch.randperm(540, generator=torch.Generator().manual_seed(3))
    assert dataset.draw(split, 3, 7, "images").tolist() == wanted[:7].tolist()
    assert dataset.draw(split, 3, None, "images").tolist() == wanted.tolist()
    images, labels = split.take(wanted[:7])
    assert images.dtype == torch.uint8
    assert labels.tolist() == split.labels[wanted[:7].numpy()].tolist()
    np.testing.assert_array_equal(images.numpy(), split.images[wanted[:7].numpy()])


@pytest.mark.parametrize("count", [0, -1, 541])
def test_draw_says_what_there_is(store: Store, count: int) -> None:
    with pytest.raises(StitchLabError, match=rf"evaluation images: .* 1 to 540 .*, got {count}"):
        dataset.draw(data.load("digits", store).test, 0, count, "evaluation images")


def test_loaded_data_is_kept_and_known(store: Store) -> None:
    made = data.load("digits", store)
    assert data.load("digits", store) is made
    (record,) = data_sets.known(store)
    assert (record.name, record.fingerprint, record.train, record.shape) == (
        "digits",
        made.fingerprint,
        1257,
        (1, 8, 8),
    )
    assert data.load_by_fingerprint(made.fingerprint, store).fingerprint == made.fingerprint
    with pytest.raises(UnknownName, match="0000"):
        data.load_by_fingerprint("0000", store)


def test_unknown_name_gives_the_nearest(store: Store) -> None:
    with pytest.raises(UnknownName, match=r"'cifar'; nearest: cifar10.*folder:PATH"):
        data.load("cifar", store)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100", "svhn"])
def test_nothing_is_downloaded_unasked(store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(StitchLabError, match=r"not on this machine .*download=True, or --download"):
        data.load(name, store)


def test_without_a_network_one_line_says_where_to_put_the_files(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(*args: Any, **kwargs: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(StitchLabError) as raised:
        data.load("cifar10", store, download=True)
    assert "no route to host" in str(raised.value)
    assert str(store.root / "downloads") in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_cifar100_is_read_from_torchvisions_files(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    root, random = store.root / "downloads" / datasets.CIFAR100.base_folder, np.random.default_rng(0)
    pixels = {
        part: random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8) for part, count in (("train", 3), ("test", 2))
    }
    fine = {"train": [99, 0, 7], "test": [7, 1]}
    made: dict[str, Any] = {part: {"data": pixels[part].reshape(-1, 3072), "fine_labels": fine[part]} for part in fine}
    made["meta"] = {"fine_label_names": [f"thing {k}" for k in range(100)]}
    root.mkdir(parents=True)
    sums = {}
    for name, value in made.items():
        content = pickle.dumps(value)  # as it is published; only torchvision reads it
        (root / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    for part in ("train", "test"):
        monkeypatch.setattr(datasets.CIFAR100, f"{part}_list", [[part, sums[part]]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", datasets.CIFAR100.meta | {"md5": sums["meta"]})
    loaded = data.load("cifar100", store)
    assert (loaded.label, loaded.natural, loaded.shape) == ("CIFAR-100", True, (3, 32, 32))
    assert loaded.classes == tuple(f"thing {k}" for k in range(100))
    for part, split in (("train", loaded.train), ("test", loaded.test)):
        np.testing.assert_array_equal(split.images, pixels[part])
        assert split.labels.tolist() == fine[part]


def test_folder_is_read_in_order(images: Path, store: Store) -> None:
    made = data.load(f"folder:{images}", store)
    assert (made.classes, made.shape, made.natural) == (("cat", "dog"), (3, 4, 4), True)
    assert (made.train.labels.tolist(), made.test.labels.tolist()) == ([0, 1, 1], [0, 1])
    for place, name in enumerate(("cat/z.png", "dog/a.png", "dog/b.png")):
        pixels = np.asarray(Image.open(images / "train" / name))
        np.testing.assert_array_equal(made.train.images[place], pixels.transpose(2, 0, 1))


def test_all_grey_is_one_channel_and_one_colour_image_makes_three(tmp_path: Path, store: Store) -> None:
    for name in ("train/a/1.png", "train/a/2.png", "test/a/1.png"):
        grey = paint(tmp_path / "g" / name, mode="L")
    made = data.load(f"folder:{tmp_path / 'g'}", store)
    assert (made.shape, made.natural) == ((1, 4, 4), False)
    np.testing.assert_array_equal(made.test.images[0, 0], grey)
    paint(tmp_path / "g/train/a/2.png")
    mixed = data.load(f"folder:{tmp_path / 'g'}", store)
    assert mixed.shape == (3, 4, 4)
    np.testing.assert_array_equal(mixed.test.images[0], np.stack([grey] * 3))


def test_images_of_three_pixels_a_side_have_their_channels_first(tmp_path: Path, store: Store) -> None:
    for part in ("train", "test"):
        painted = paint(tmp_path / "small" / part / "a" / "1.png", size=(3, 3))
    made = data.load(f"folder:{tmp_path / 'small'}", store)
    np.testing.assert_array_equal(made.test.images[0], painted.transpose(2, 0, 1))


def deep(root: Path, values: np.ndarray, suffix: str = "png") -> Path:
    """A folder with these pixels in every image."""
    for name in ("train/a/1", "train/a/2", "test/a/1"):
        path = root / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return root


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_grey_images_of_16_bits_are_scaled(tmp_path: Path, store: Store, suffix: str) -> None:
    values = np.array([[0, 128, 129, 255, 257], [1000, 32767, 32768, 65406, 65535]], np.uint16)
    made = data.load(f"folder:{deep(tmp_path / 'd', values, suffix)}", store)
    assert made.shape == (1, 2, 5)
    np.testing.assert_array_equal(made.train.images[0, 0], np.round(values / 257))
    assert made.train.images[0, 0].tolist() == [[0, 0, 1, 1, 1], [4, 127, 128, 254, 255]]


def test_16_bits_big_endian_are_grey_too_and_become_colour_beside_colour(tmp_path: Path, store: Store) -> None:
    values = np.array([[0, 25700], [65535, 257]], np.uint16)
    root = deep(tmp_path / "d", values)
    big = np.frombuffer(values.astype(">u2").tobytes(), np.uint16).reshape(2, 2)
    Image.frombytes("I;16B", (2, 2), big.tobytes()).save(root / "train/a/0.tif")
    made = data.load(f"folder:{root}", store)
    assert made.shape == (1, 2, 2)
    assert [image[0].tolist() for image in made.train.images] == [[[0, 100], [255, 1]]] * 3
    paint(root / "train/a/3.png", size=(2, 2))
    assert data.load(f"folder:{root}", store).train.images[0].tolist() == [[[0, 100], [255, 1]]] * 3


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (np.float32, "floating point grey values"),
        (np.int32, "32-bit grey values"),
    ],
)
def test_pixels_that_cannot_be_read_truly_are_refused_by_name(
    tmp_path: Path, store: Store, kind: Any, message: str
) -> None:
    root = deep(tmp_path / "d", np.array([[0, 70_000], [255, 3]]).astype(kind), "tif")
    with pytest.raises(StitchLabError, match=rf"train/a/1\.tif has {message}, .* save it with 8 or 16 bits") as raised:
        data.load(f"folder:{root}", store)
    assert "\n" not in str(raised.value)
    assert not list(store.root.rglob("*.npy"))


def test_what_tiff_says_of_bits_and_white_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twelve = Image.fromarray(np.array([[0, 4095, 2048]], np.uint16))
    monkeypatch.setattr(twelve, "tag_v2", {258: (12,), 262: 1}, raising=False)
    assert np.asarray(pixel_depth.to_8_bits(twelve, tmp_path)).tolist() == [[0, 255, 128]]
    path = tmp_path / "inverted.tif"
    Image.fromarray(np.array([[0, 9]], np.uint16)).save(path, tiffinfo={262: 0})
    with Image.open(path) as inverted, pytest.raises(StitchLabError, match=r"inverted\.tif has white-is-zero grey"):
        pixel_depth.to_8_bits(inverted, path)


def listed_before(store: Store) -> None:
    """Listings as they were kept before images of 16 bits were scaled."""
    for key in store.keys("listings"):
        kept = store.get("listings", key)
        assert kept is not None
        store.put("listings", key, {name: value for name, value in kept.items() if name != "version"})
    data._loaded.clear()


def test_a_listing_from_before_is_not_believed_of_16_bits(tmp_path: Path, store: Store) -> None:
    values = np.array([[0, 25700], [65535, 257]], np.uint16)
    name = f"folder:{deep(tmp_path / 'd', values)}"
    right = data.load(name, store)
    (key,) = store.keys("listings")
    kept = store.get("listings", key)
    assert kept is not None
    pixels = np.full((3, 1, 2, 2), 255, np.uint8)  # what was made of them
    sha = hashlib.sha256(pixels.data).hexdigest()
    np.save(store.path("images", sha, ".npy"), pixels)
    store.put("listings", key, {**kept, "sha256": sha})
    listed_before(store)
    again = data.load(name, store)
    assert again.fingerprint == right.fingerprint
    assert again.train.images[0, 0].tolist() == [[0, 100], [255, 1]]


def test_a_listing_from_before_serves_all_others(images: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data.load(f"folder:{images}", store)
    listed_before(store)
    monkeypatch.setattr(folder, "_write_pixels", lambda *args: pytest.fail("decoded again"))
    assert data.load(f"folder:{images}", store).fingerprint == first.fingerprint
    data._loaded.clear()
    monkeypatch.setattr(folder, "_opened", lambda path: pytest.fail("looked at again"))
    assert data.load(f"folder:{images}", store).fingerprint == first.fingerprint


def test_size_resizes_the_shorter_side_and_cuts_the_centre(tmp_path: Path, store: Store) -> None:
    stripes = np.zeros((8, 16), np.uint8)
    stripes[:, 4:12] = 200  # the middle half of a 16×8 image is what a centre crop keeps
    for name in ("train/a/1.png", "test/a/1.png"):
        paint(tmp_path / "w" / name, size=(8, 16), mode="L")
        Image.fromarray(stripes).save(tmp_path / "w" / name)
    paint(tmp_path / "w/train/a/2.png", size=(9, 7), mode="L")
    made = data.load(f"folder:{tmp_path / 'w'}@4", store)
    assert made.shape == (1, 4, 4)
    assert made.name.endswith("w@4")
    assert (made.train.images[0] > 150).all()


def test_an_unchanged_folder_is_decoded_once(images: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data.load(f"folder:{images}", store)
    data._loaded.clear()
    monkeypatch.setattr(folder, "_opened", lambda path: pytest.fail("decoded again"))
    again = data.load(f"folder:{images}", store)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train.images, first.train.images)


def test_fingerprint_is_of_the_content_not_of_the_place(images: Path, store: Store) -> None:
    before = data.load(f"folder:{images}", store).fingerprint
    moved = images.rename(images.with_name("moved"))
    assert data.load(f"folder:{moved}", store).fingerprint == before
    (moved / "train/dog/.hidden.png").write_text("no image")
    (moved / "train/dog/notes.txt").write_text("no image")
    assert data.load(f"folder:{moved}", store).fingerprint == before
    shutil.rmtree(moved)
    data._loaded.clear()
    old = data.load_by_fingerprint(before, store)  # its folder is gone, its pixels are not
    assert (old.name, len(old.train)) == (f"folder:{moved}", 3)


CHANGES: dict[str, Callable[[Path], object]] = {
    "pixels": lambda root: paint(root / "train/dog/a.png", seed=99),
    "labels": lambda root: (root / "train/dog/a.png").rename(root / "train/cat/zz.png"),
    "class names": lambda root: [(root / part / "dog").rename(root / part / "wolf") for part in ("train", "test")],
    "which part": lambda root: (root / "train/dog/b.png").rename(root / "test/dog/0.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_fingerprint_changes_with(images: Path, store: Store, change: str) -> None:
    before = data.load(f"folder:{images}", store).fingerprint
    CHANGES[change](images)
    assert data.load(f"folder:{images}", store).fingerprint != before


def test_a_size_that_was_given_is_part_of_the_fingerprint(images: Path, store: Store) -> None:
    plain, sized = data.load(f"folder:{images}", store), data.load(f"folder:{images}@4", store)
    np.testing.assert_array_equal(plain.train.images, sized.train.images)
    assert plain.fingerprint != sized.fingerprint


def test_large_folders_are_mapped(images: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_BYTES_IN_MEMORY", 10)
    split = data.load(f"folder:{images}", store).train
    assert isinstance(split.images, np.memmap)
    taken, _ = split.take(torch.tensor([2, 0]))
    np.testing.assert_array_equal(taken.numpy(), split.images[[2, 0]])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no test": (lambda root: (root / "test").rename(root / "valid"), r"has no folder test/"),
    "unequal classes": (lambda root: paint(root / "train/bird/1.png"), r"same classes; .*: bird\."),
    "empty class": (lambda root: (root / "test/cat/1.png").rename(root / "test/cat/1.txt"), r"test/cat holds no image"),
    "broken": (lambda root: (root / "test/cat/1.png").write_bytes(b"no image"), r"test/cat/1\.png cannot be read"),
    "cut off": (
        lambda root: os.truncate(root / "train/dog/a.png", (root / "train/dog/a.png").stat().st_size // 2),
        r"train/dog/a\.png cannot be read",
    ),
    "mixed": (
        lambda root: paint(root / "test/dog/1.png", size=(5, 4)),
        r"train/cat/z\.png is 4×4 and test/dog/1\.png is 5×4.*@SIZE",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_folders_are_refused_in_one_line(images: Path, store: Store, what: str) -> None:
    spoil, message = BROKEN[what]
    spoil(images)
    with pytest.raises(StitchLabError, match=message) as raised:
        data.load(f"folder:{images}", store)
    assert "\n" not in str(raised.value)
    assert data_sets.known(store) == []
    assert list(store.root.rglob("*.npy")) == []


@pytest.mark.parametrize("name", ["folder:", "folder:/nowhere/at/all", "folder:/tmp@0"])
def test_no_folder(store: Store, name: str) -> None:
    with pytest.raises(StitchLabError, match="folder:PATH"):
        data.load(name, store)


def test_a_full_disk_leaves_nothing(images: Path, store: Store) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(StitchLabError, match="nothing was half-written"):
            data.load(f"folder:{images}", store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_cancelling_leaves_nothing(images: Path, store: Store) -> None:
    def cancel(what: str, done: float) -> None:
        if what.startswith("decoding"):
            raise Cancelled

    with pytest.raises(Cancelled):
        data.load(f"folder:{images}", store, report=cancel)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-1], lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])])
def test_damaged_pixels_are_noticed(images: Path, store: Store, spoil: Callable[[bytes], bytes]) -> None:
    data.load(f"folder:{images}", store)
    data._loaded.clear()
    (path,) = store.root.rglob("*.npy")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(Damaged, match="checksum"):
        data.load(f"folder:{images}", store)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pixels that are read from now on, by their SHA-256."""
    seen: list[str] = []
    pixels = folder.read_pixels

    def noted(decoded: folder.DecodedFolder, store: Store) -> Any:
        seen.append(decoded.sha256)
        return pixels(decoded, store)

    monkeypatch.setattr(folder, "read_pixels", noted)
    return seen


def test_a_folders_pixels_are_read_and_verified_once(images: Path, store: Store, read: list[str]) -> None:
    name = f"folder:{images}"
    made = data.load(name, store)
    for again in (
        data.load(name, store),
        data.load_by_fingerprint(made.fingerprint, store),
        data.load_offline(name, store),
    ):
        assert again.train is made.train
        assert again.test is made.test
    assert len(read) == 1
    moved = images.rename(images.with_name("moved"))
    other = data.load(f"folder:{moved}", store)
    assert (other.name, other.label, other.fingerprint) == (f"folder:{moved}", "moved", made.fingerprint)


def test_pixels_whose_file_was_changed_are_verified_again(images: Path, store: Store, read: list[str]) -> None:
    made = data.load(f"folder:{images}", store)
    (path,) = store.root.rglob("*.npy")
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    os.utime(path, ns=(0, 0))
    with pytest.raises(Damaged, match="checksum"):
        data.load_by_fingerprint(made.fingerprint, store)
    path.write_bytes(raw)
    assert data.load_by_fingerprint(made.fingerprint, store).fingerprint == made.fingerprint
    assert len(read) == 3


def test_what_was_used_last_stays_loaded(tmp_path: Path, store: Store, read: list[str]) -> None:
    names = []
    for k in range(data.MAX_LOADED_DATA_SETS + 1):
        for part in ("train", "test"):
            paint(tmp_path / f"{k}" / part / "a" / "1.png", seed=k)
        names.append(f"folder:{tmp_path / str(k)}")
    first = data.load(names[0], store)
    for name in names[1:]:
        data.load(name, store)
        assert data.load(names[0], store).train is first.train
    assert len(read) == data.MAX_LOADED_DATA_SETS + 1
    data.load(names[1], store)
    assert len(read) == data.MAX_LOADED_DATA_SETS + 2, "it was the one that made room"


def test_images_go_to_a_device_once_and_leave_it_with_their_split(
    images: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_fits_on_gpu", lambda split, device: True)  # a GPU, as far as this goes
    copies: list[torch.Tensor] = []
    monkeypatch.setattr(dataset, "_moved", noting(lambda batch, device: copies.append(batch[0]), dataset._moved))
    cpu, rows = torch.device("cpu"), torch.tensor([2, 0])
    for _ in range(3):  # three units of a grid, each of which loads its data
        made = data.load(f"folder:{images}", store)
        taken, labels = dataset.take_on_device(made.train, cpu)(rows)
        np.testing.assert_array_equal(taken.numpy(), made.train.images[[2, 0]])
        assert labels.tolist() == [1, 0]
    assert len(copies) == 1
    before = len(dataset._copies)
    data._loaded.clear()
    del made
    gc.collect()
    assert len(dataset._copies) == before - 1


@pytest.mark.skipif(not CIFAR.exists(), reason="the shared CIFAR-10 JPEGs are not on this machine")
def test_real_jpegs_load(tmp_path: Path, store: Store) -> None:
    wanted = 3  # images a class and part; the archive is read only as far as needed
    counts: dict[Path, int] = {}
    with tarfile.open(CIFAR) as archive:
        for member in archive:
            place = Path(member.name).parent
            if member.isfile() and counts.get(place, 0) < wanted:
                counts[place] = counts.get(place, 0) + 1
                archive.extract(member, tmp_path / "cifar", filter="data")
    made = data.load(f"folder:{tmp_path / 'cifar'}", store)
    assert (len(made.classes), len(made.train), len(made.test), made.shape) == (10, 30, 30, (3, 32, 32))
    assert made.classes[:2] == ("airplane", "automobile")
    assert 40 < made.train.images.mean() < 200


def test_what_was_loaded_last_is_here(images: Path, store: Store) -> None:
    name, changed = f"folder:{images}", images / "train" / "cat" / "z.png"
    for seed in (100, 101, 102, 103, 104, 101):
        paint(changed, seed=seed)
        latest = data.load(name, store)
        data._loaded.clear()
        assert data.load_offline(name, store).fingerprint == latest.fingerprint
