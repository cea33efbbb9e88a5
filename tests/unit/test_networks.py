"""Networks: trained, kept by content, found again, refused in one line."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from handy import sure

from stitchlab.data import registry as data
from stitchlab.data.splits import DataSet, Split
from stitchlab.errors import Cancelled, StitchLabError, UnknownName
from stitchlab.models import create as making
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.store import prepare
from stitchlab.results import networks
from stitchlab.results.networks import Code, Network
from stitchlab.store import Store


def toy(channels: int = 1, size: int = 8, train: int = 20, classes: int = 2, natural: bool = False) -> DataSet:
    """Dark images and bright ones: learned at once."""

    def split(n: int) -> Split:
        labels = np.arange(n) % classes
        noise = np.random.default_rng(n).integers(0, 40, (n, channels, size, size))
        return Split((noise + labels[:, None, None, None] * 200 // classes).astype(np.uint8), labels)

    names = tuple("abcdefghij"[:classes])
    return DataSet("toy", "Toy", names, split(train), split(10), f"toy-{channels}-{size}-{classes}", natural)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def trained(store: Store) -> Network:
    return making.train("resnet14", toy(), store, name="first", epochs=1, device="cpu")


def files(store: Store) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_digits_are_learned_in_a_few_epochs(store: Store) -> None:
    digits = data.load("digits", store)
    told: list[tuple[str, float]] = []
    made = making.train(
        "resnet14", digits, store, seed=1, epochs=4, report=lambda *news: told.append(news), device="cpu"
    )
    assert sure(made.accuracy) > 0.9
    assert made.name == "digits-resnet14-s1"
    assert made.label == f"digits-resnet14-s1 · resnet14 · {100 * sure(made.accuracy):.1f} %"
    steps = [what for what, _ in told if what.startswith("epoch")]
    assert len(steps) == 4 * 20  # 1,257 images in batches of 64, the last partial one kept
    assert steps[-1].startswith("epoch 4 of 4, loss ")
    assert told[-1][0] == "measuring"
    assert [done for _, done in told] == sorted(done for _, done in told)
    again = model_store.load(made.name, store, device="cpu")
    assert training.accuracy_of(model_store.confusion(again, digits.test)) == made.accuracy
    guess = again.module(prepare(again, torch.from_numpy(digits.test.images))).argmax(1).numpy()
    assert (guess == digits.test.labels).mean() == made.accuracy


@pytest.mark.parametrize(("arch", "size", "channels"), [("vit-nano", 8, 1), ("tiny10", 27, 3), ("resnet18", 12, 3)])
def test_any_architecture_trains_on_few_images(store: Store, arch: str, size: int, channels: int) -> None:
    # Not 4 or 8: of so few channels, channels last, oneDNN's backward pass of strided convolutions writes beyond its
    # memory where it may use AVX2 only, or has two threads (torch 2.14: "free(): invalid size", the process is gone).
    options = {"width": 16} if arch == "resnet18" else None
    made = making.train(
        arch, toy(channels, size, train=5, natural=channels == 3), store, epochs=1, options=options, device="cpu"
    )
    assert 0 <= sure(made.accuracy) <= 1
    assert made.options == zoo.architecture(arch).resolve(options)
    loaded = model_store.load(made.id, store, device="cpu")
    assert loaded.module is not None
    assert not loaded.module.training
    assert not any(p.requires_grad for p in loaded.module.parameters())


def test_a_seed_means_the_same_network_and_leaves_the_global_one_alone(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = making.train("resnet14", toy(), store, seed=3, epochs=1, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(77)
    assert making.train("resnet14", toy(), Store(tmp_path / "other"), seed=3, epochs=1, device="cpu").id == first.id
    assert making.train("resnet14", toy(), store, seed=4, epochs=1, device="cpu").id != first.id
    with pytest.raises(StitchLabError, match="already, under the name 'toy-resnet14-s3'"):
        making.train("resnet14", toy(), store, seed=3, epochs=1, device="cpu")


def test_prepare_and_channel_statistics() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    mean, std = training.channel_statistics(Split(images, np.zeros(50, np.int64)))
    np.testing.assert_allclose(mean, (images / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std((0, 2, 3)), rtol=1e-9)
    network = Network(
        name="n",
        architecture="a",
        options={},
        classes=("x",),
        channels=3,
        size=4,
        mean=mean,
        std=std,
        data="d",
        data_fingerprint="f",
        origin={},
    )
    prepared = prepare(network, torch.from_numpy(images))
    expected = (images / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(prepared.numpy(), expected, atol=1e-5)
    blank = Split(np.full((2, 1, 2, 2), 51, np.uint8), np.zeros(2, np.int64))
    mean, std = training.channel_statistics(blank)
    assert mean == pytest.approx((0.2,))
    assert std == (1.0,)


def test_channel_statistics_are_exact_and_never_hold_images_in_a_wider_type() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1000, 3, 64, 64), dtype=np.uint8)
    tracemalloc.start()
    mean, std = training.channel_statistics(Split(images, np.zeros(1000, np.int64)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * images.nbytes
    count = images[:, 0].size
    for k in range(3):
        total, squares = (int((images[:, k].astype(np.int64) ** power).sum()) for power in (1, 2))
        assert mean[k] * 255 == pytest.approx(total / count, rel=1e-14)
        variance = Fraction(squares, count) - Fraction(total, count) ** 2
        assert std[k] * 255 == pytest.approx(math.sqrt(variance), rel=1e-12)


def plain(**change: Any) -> Network:
    made: dict[str, Any] = {
        "name": "n",
        "architecture": "a",
        "options": {},
        "classes": ("x",),
        "channels": 3,
        "size": 8,
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
        "data": "d",
        "data_fingerprint": "f",
        "origin": {},
        **change,
    }
    return Network(**made)


def test_images_are_brought_to_what_a_network_takes() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.equal(prepare(plain(), images), images / 255)
    grey = prepare(plain(channels=1, mean=(0.0,), std=(1.0,)), images)
    luma = (images.double() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True) / 255
    assert grey.shape == (4, 1, 8, 8)
    assert (grey - luma).abs().max() < 1.01 / 255
    repeated = prepare(plain(), images[:, :1])
    assert torch.equal(repeated, (images[:, :1] / 255).expand(-1, 3, -1, -1))
    large = prepare(plain(size=16), images)
    wanted = F.interpolate(images.float(), (16, 16), mode="bilinear", align_corners=False) / 255
    assert (large - wanted).abs().max() < 0.51 / 255
    small = prepare(plain(size=4), images)
    wanted = F.interpolate(images.float(), (4, 4), mode="bilinear", align_corners=False, antialias=True) / 255
    assert (small - wanted).abs().max() < 0.51 / 255
    cropped = prepare(plain(size=8, resize=16), images)
    assert cropped.shape == (4, 3, 8, 8)
    torch.testing.assert_close(cropped, prepare(plain(size=16), images)[:, :, 4:12, 4:12])
    floats = prepare(plain(size=16), images.float().requires_grad_())
    assert floats.requires_grad, "an attack goes through"


def test_augmentation_shifts_and_mirrors() -> None:
    images = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8).repeat(64, 1, 1, 1)
    out = training.augmented(images, torch.Generator().manual_seed(0))
    assert (out.shape, out.dtype) == (images.shape, images.dtype)
    steps = out[:, 0, 4, 4].int() - out[:, 0, 4, 3].int()
    assert set(steps.tolist()) == {1, -1}  # some are mirrored, some not
    centres = {int(v) for v in out[:, 0, 4, 4]}  # 37 in the original, 36 when mirrored, moved by at most one
    assert centres <= {36 + 8 * dy + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1, 2)}
    assert len(centres) > 6
    again = training.augmented(images, torch.Generator().manual_seed(0))
    assert torch.equal(out, again)


def test_records_come_back_whole(store: Store, trained: Network) -> None:
    (listed,) = networks.list_networks(store)
    assert listed.record() == trained.record()
    assert (type(listed), listed.seed, listed.origin["how"], listed.origin["epochs"]) == (Network, 0, "trained", 1)
    assert len(trained.id) == 64
    assert trained.short == trained.id[:12]


def test_names_ids_and_prefixes_find_a_network(store: Store, trained: Network) -> None:
    for name in ("first", trained.id, trained.short, trained.id[:6]):
        assert networks.find(store, name).id == trained.id
    with pytest.raises(UnknownName, match=r"'frist'; nearest: first.*stitchlab train"):
        networks.find(store, "frist")
    with pytest.raises(UnknownName):
        networks.find(store, trained.id[:5])


def test_ambiguous_prefix(store: Store, trained: Network) -> None:
    twin = replace(trained, id=trained.id[:20] + "0" * 44, name="twin")
    store.put(networks.ROOM, twin.id, twin.record())
    with pytest.raises(
        StitchLabError, match=r"several ids begin with .*: .*first.*twin|several ids begin with .*: .*twin.*first"
    ):
        networks.find(store, trained.id[:8])


def test_rename_and_delete(store: Store, trained: Network) -> None:
    model_store.load("first", store, device="cpu")
    networks.rename(store, "first", "second")
    assert model_store.load("second", store, device="cpu").name == "second"
    with pytest.raises(UnknownName):
        networks.find(store, "first")
    networks.delete(store, "second")
    assert networks.list_networks(store) == []
    assert files(store) == [], "its cut points are kept under its id"


def test_a_taken_name_is_refused_before_training(store: Store, trained: Network) -> None:
    def never(what: str, done: float) -> None:
        raise AssertionError("training began")

    with pytest.raises(StitchLabError, match=rf"'first' is taken by network {trained.short} \(resnet14, toy\)"):
        making.train("resnet14", toy(), store, name="first", seed=9, report=never, device="cpu")
    with pytest.raises(StitchLabError, match="is taken"):
        model_store.save(store, trained, zoo.build("resnet14", classes=2, channels=1, size=8))


@pytest.mark.parametrize("name", ["a b", "../x", "é", "x" * 65, "a/b"])
def test_odd_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(StitchLabError, match="1 to 64 letters"):
        networks.check_name_free(store, name)


def test_cancelled_training_keeps_nothing(store: Store) -> None:
    def cancel(what: str, done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        making.train("resnet14", toy(), store, report=cancel, device="cpu")
    assert files(store) == []


def test_wrong_training_requests(store: Store) -> None:
    with pytest.raises(StitchLabError, match="at least 1 epoch, got 0"):
        making.train("resnet14", toy(), store, epochs=0, device="cpu")
    with pytest.raises(UnknownName, match="architecture"):
        making.train("resnet15", toy(), store, device="cpu")
    with pytest.raises(StitchLabError, match="tiny10 takes images of 27"):
        making.train("tiny10", toy(), store, device="cpu")
    tall = replace(toy(), train=Split(np.zeros((4, 1, 8, 10), np.uint8), np.zeros(4, np.int64)))
    with pytest.raises(StitchLabError, match="square images; Toy has 8×10"):
        making.train("resnet14", tall, store, device="cpu")


INGREDIENTS: dict[str, Callable[[Network], Network]] = {
    "architecture": lambda n: replace(n, architecture="resnet20"),
    "options": lambda n: replace(n, options={"width": 8}),
    "classes": lambda n: replace(n, classes=("a", "z")),
    "channels": lambda n: replace(n, channels=3),
    "size": lambda n: replace(n, size=9),
    "mean": lambda n: replace(n, mean=(0.25,)),
    "std": lambda n: replace(n, std=(0.25,)),
    "resize": lambda n: replace(n, resize=9),
    "interpolation": lambda n: replace(n, resize=9, interpolation="bicubic"),
    "code": lambda n: replace(n, code=Code("/a.py", "0" * 64)),
}


def test_every_ingredient_changes_the_fingerprint(store: Store, trained: Network) -> None:
    tensors = model_store.load(trained.id, store, device="cpu").module.state_dict()
    assert model_store.fingerprint(trained, tensors) == trained.id
    others = {what: model_store.fingerprint(change(trained), tensors) for what, change in INGREDIENTS.items()}
    for name, tensor in tensors.items():
        others[name] = model_store.fingerprint(trained, {**tensors, name: tensor + 1})
    assert len({trained.id, *others.values()}) == 1 + len(others)
    remarks = replace(trained, name="x", data="y", accuracy=0.1, seed=8, origin={}, created="z", parameters=3)
    assert model_store.fingerprint(remarks, tensors) == trained.id


def test_two_hundred_networks_are_listed_quickly(store: Store, trained: Network) -> None:
    for n in range(200):
        made = replace(trained, id=f"{n:064x}", name=f"n{n}", created=f"2000-01-01T00:{n // 60:02}:{n % 60:02}")
        store.put(networks.ROOM, made.id, made.record())
    started = time.perf_counter()
    listed = networks.list_networks(store)
    assert time.perf_counter() - started < 1
    assert [network.name for network in listed] == [f"n{n}" for n in range(200)] + ["first"]


def test_a_name_taken_while_training_is_no_reason_to_lose_the_network(store: Store, trained: Network) -> None:
    def meanwhile(what: str, done: float) -> None:
        if networks.find(store, trained.id).name != "wanted":
            networks.rename(store, trained.id, "wanted")

    made = making.train("mlp", toy(), store, name="wanted", epochs=1, report=meanwhile, device="cpu")
    assert made.name == "wanted-2"


def test_cancelled_while_measuring_nothing_is_kept(store: Store) -> None:
    def report(what: str, done: float) -> None:
        if what == "measuring":
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        making.train("mlp", toy(), store, name="gone", epochs=1, report=report, device="cpu")
    assert not networks.list_networks(store)


def test_its_own_name_is_no_other_networks(store: Store, trained: Network) -> None:
    assert networks.rename(store, "first", "first").id == trained.id


def test_large_images_are_measured_fewer_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    making.untrained("mlp", toy(size=8), store, name="large", size=80, device="cpu")
    seen = []
    loaded = model_store.load("large", store, device="cpu")
    loaded.module.register_forward_pre_hook(lambda _, images: seen.append(len(images[0])))
    counts = model_store.confusion(loaded, toy(train=500).train)
    assert int(counts.sum()) == 500
    assert max(seen) == 500 * 64**2 // 80**2


def test_a_size_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(StitchLabError, match="these have 0"):
        making.untrained("resnet14", toy(), store, name="none", size=0, device="cpu")
