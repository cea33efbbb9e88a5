"""Weights out of other people's files: read however wrapped, never executed, refused in one line."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from handy import noting
from safetensors.torch import save_file

from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split
from stitchlab.errors import StitchLabError
from stitchlab.models import create as making
from stitchlab.models import importing, likeness, zoo
from stitchlab.models import store as model_store
from stitchlab.models import weights as reading
from stitchlab.results import networks
from stitchlab.results.networks import Network
from stitchlab.results.run import Run
from stitchlab.store import Store

TINY10 = Path(__file__).parents[3] / "shared" / "data" / "tiny10" / "tiny10-cifar10-seed0.pt"


def toy(channels: int = 1, size: int = 8, classes: int = 2) -> DataSet:
    images = np.random.default_rng(0).integers(0, 256, (10, channels, size, size), dtype=np.uint8)
    split = Split(images, np.arange(10) % classes)
    return DataSet("toy", "Toy", tuple("abcdefghij"[:classes]), split, split, "toy")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def files(store: Store) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def weights(change: Mapping[str, torch.Tensor | None] | None = None, classes: int = 2) -> dict[str, torch.Tensor]:
    state = zoo.build("resnet14", classes=classes, channels=1, size=8).state_dict()
    return {name: tensor for name, tensor in {**state, **(change or {})}.items() if tensor is not None}


def bring(store: Store, path: Path, **more: Any) -> Network:
    asked: dict[str, Any] = {"arch": "resnet14", "data": toy(), "name": "mine", **more}
    return importing.import_weights(path, store, device="cpu", **asked)


WRAPS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state},
    "parallel": lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
    "old batch norm": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_state_dicts_are_imported_however_wrapped(store: Store, tmp_path: Path, wrap: str) -> None:
    state = weights()
    torch.save(WRAPS[wrap](state), tmp_path / "w.pt")
    made = bring(store, tmp_path / "w.pt", mean=[0.5], std=[0.25])
    assert (made.mean, made.std, made.seed, made.origin["file"]) == ((0.5,), (0.25,), None, "w.pt")
    loaded = model_store.load("mine", store, device="cpu")
    assert loaded.module is not None
    for name, tensor in loaded.module.state_dict().items():
        torch.testing.assert_close(tensor, state[name])
    with pytest.raises(StitchLabError, match="already, under the name 'mine'"):
        bring(store, tmp_path / "w.pt", name="other", mean=[0.5], std=[0.25])
    assert bring(store, tmp_path / "w.pt", name="other").mean != (0.5,)  # other preprocessing: another network


def test_safetensors_are_imported(store: Store, tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    assert bring(store, tmp_path / "w.safetensors").origin["file"] == "w.safetensors"


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "executed"))


def test_a_malicious_pickle_is_refused_and_not_executed(store: Store, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(Evil(marker)))
    assert marker.exists()  # it would work
    marker.unlink()
    (tmp_path / "raw.pt").write_bytes(pickle.dumps({"conv1.weight": Evil(marker)}))
    torch.save({"conv1.weight": Evil(marker)}, tmp_path / "zip.pt")
    for name in ("raw.pt", "zip.pt"):
        with pytest.raises(StitchLabError, match="nothing in it was executed") as raised:
            bring(store, tmp_path / name)
        assert "\n" not in str(raised.value)
    assert not marker.exists()
    assert files(store) == []


REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([torch.zeros(1)], "holds a list, not a state dict"),
    "numbers": ({"lr": 0.1}, "holds a dictionary of other things"),
    "empty": ({}, "not a state dict"),
    "missing": (lambda: weights({"fc.bias": None}), r"do not fit resnet14: 1 missing: fc\.bias"),
    "unexpected": (lambda: weights({"extra": torch.zeros(1)}), "1 unexpected: extra"),
    "shapes": (
        lambda: weights({"conv1.weight": torch.zeros(16, 3, 3, 3)}),
        r"1 of another shape: conv1\.weight \(16, 3, 3, 3\) for \(16, 1, 3, 3\)",
    ),
    "classes": (lambda: weights(classes=5), "expected weights with 2 outputs, got 5; .* ask for 5 .--classes 5"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_files_that_do_not_fit_are_refused_in_one_line(store: Store, tmp_path: Path, what: str) -> None:
    content, message = REFUSED[what]
    torch.save(content() if callable(content) else content, tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match=message) as raised:
        bring(store, tmp_path / "w.pt")
    assert "\n" not in str(raised.value)
    assert files(store) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"classes": 3}, "expected weights with 3 outputs, got 2"),
        ({"mean": [0.5, 0.5, 0.5]}, r"expected 1 number\(s\) for mean, one a channel"),
        ({"std": [0.0]}, r"expected 1 number\(s\) above 0 for std"),
        ({"mean": [float("nan")]}, r"expected 1 number\(s\) for mean"),
        ({"options": {"width": 3}}, "no option width"),
    ],
)
def test_wrong_import_requests(store: Store, tmp_path: Path, more: dict[str, Any], message: str) -> None:
    torch.save(weights(), tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match=message):
        bring(store, tmp_path / "w.pt", **more)
    assert files(store) == []


@pytest.mark.parametrize("classes", [0, -3])
def test_outputs_that_are_none(store: Store, tmp_path: Path, classes: int) -> None:
    torch.save(weights(), tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match="expected 1 output or more"):
        bring(store, tmp_path / "w.pt", classes=classes)


def test_a_missing_file_is_called_as_the_user_calls_it(tmp_path: Path) -> None:
    with pytest.raises(StitchLabError, match=r"^mine\.pt is not a file"):
        reading.read_weights(tmp_path / "1234.pt", "mine.pt")


def test_the_closest_architecture_is_named(store: Store, tmp_path: Path) -> None:
    for arch, built in (("resnet20", "resnet20"), ("torchvision/resnet18", "torchvision/resnet18")):
        state = zoo.build(built, classes=2, channels=1, size=8 if built == arch == "resnet20" else 32).state_dict()
        torch.save(state, tmp_path / "w.pt")
        with pytest.raises(StitchLabError, match=rf"do not fit resnet14: .*look like {arch}: choose that") as raised:
            bring(store, tmp_path / "w.pt")
        assert "missing" in str(raised.value) or "unexpected" in str(raised.value)
        assert "\n" not in str(raised.value)
    torch.save({"a": torch.zeros(3), "b": torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match="They fit no architecture that is known by name: give the class"):
        bring(store, tmp_path / "w.pt")
    assert files(store) == []


def test_likeness_counts_names_and_shapes() -> None:
    tensors = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(4)}
    shapes = {
        "same": {"a": (2,), "b": (3,), "c": (4,)},
        "half": {"a": (2,), "b": (9,), "c": (9,)},
        "other": {"x": (2,)},
    }
    assert likeness.nearest(tensors, shapes) == "same"
    assert likeness.nearest(tensors, {name: shapes[name] for name in ("half", "other")}) == "half"
    assert likeness.nearest(tensors, {"other": shapes["other"]}) == ""
    assert likeness.nearest(tensors, {}) == ""


def test_a_network_of_other_classes_has_no_accuracy(store: Store, tmp_path: Path) -> None:
    torch.save(weights(classes=5), tmp_path / "w.pt")
    made = bring(store, tmp_path / "w.pt", classes=5)
    assert made.accuracy is None
    assert made.classes == tuple(f"class {k}" for k in range(5))
    assert networks.confusion(store, made) is None
    with pytest.raises(StitchLabError, match="has other classes than Toy: its accuracy is not defined"):
        making.measure(store, made.id, toy())
    loaded = model_store.load(made.id, store, device="cpu")
    assert loaded.module is not None
    assert loaded.module.get_parameter("fc.weight").shape[0] == 5


def test_auxiliary_classifiers_play_no_part() -> None:
    tensors = {"aux1.fc.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}
    assert set(reading.without(tensors, ("aux1.", "aux2."))) == {"fc.weight"}
    assert reading.without(tensors, ()) == tensors


PEAK = """
import resource, sys, torch
from pathlib import Path
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split
from stitchlab.models import importing
from stitchlab.store import Store
import numpy as np
images = np.zeros((2, 3, 32, 32), np.uint8)
split = Split(images, np.arange(2))
data = DataSet("toy", "Toy", ("a", "b"), split, split, "toy")
importing.import_weights(sys.argv[2], Store(sys.argv[1] + "/warm"), device="cpu", arch="resnet18", data=data, name="x",
                      options={"width": 8})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = importing.import_weights(sys.argv[3], Store(sys.argv[1] + "/store"), device="cpu", arch="torchvision/vit_b_32",
                             data=data, name="y", size=32)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (made.parameters * 4))
"""


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_importing_holds_at_most_twice_the_weights(tmp_path: Path, suffix: str) -> None:
    """Peak of a process of its own, which has imported a small network before; 350 MB of weights."""
    small, large = tmp_path / f"small.{suffix}", tmp_path / f"large.{suffix}"
    write = save_file if suffix == "safetensors" else torch.save
    write(zoo.build("resnet18", classes=2, channels=3, size=32, width=8).state_dict(), small)
    write(zoo.build("torchvision/vit_b_32", classes=2, channels=3, size=32).state_dict(), large)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path), str(small), str(large)],
        text=True,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert float(done.stdout.split()[-1]) < 2.1  # a tenth for the images' activations and what Python holds


@pytest.mark.parametrize("name", ["absent.pt", "garbage.pt", "garbage.safetensors"])
def test_files_that_cannot_be_read(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "garbage.pt").write_bytes(b"no weights")
    (tmp_path / "garbage.safetensors").write_bytes(b"no weights")
    with pytest.raises(StitchLabError, match=r"is not a file|could not be read as a state dict"):
        bring(store, tmp_path / name)


@pytest.mark.skipif(not TINY10.exists(), reason="the shared Tiny-10 checkpoints are not on this machine")
def test_a_public_checkpoint_is_imported_as_it_is(store: Store) -> None:
    made = importing.import_weights(
        TINY10,
        store,
        arch="tiny10",
        data=toy(3, 32, classes=10),
        name="public",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
        device="cpu",
    )
    state = torch.load(TINY10, map_location="cpu", weights_only=True)
    loaded = model_store.load(made.short, store, device="cpu")
    assert loaded.module is not None
    assert torch.equal(loaded.module.state_dict()["fc.weight"], state["fc.weight"])


BRIGHT = """
from torch import nn
class Bright(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(in_channels, num_classes)
    def forward(self, x):
        return self.fc(self.flat(self.pool(x)))
"""


def brightness(channels: int = 3) -> DataSet:
    """Images of ten classes that differ in brightness only."""
    labels = np.arange(200) % 10
    noise = np.random.default_rng(0).normal(0, 2, (200, channels, 8, 8))
    split = Split((60 + 12 * labels[:, None, None, None] + noise).astype(np.uint8), labels)
    return DataSet("toy", "Toy", tuple("abcdefghij"), split, split, "toy")


Numbers = float | list[float]  # one for all channels, or one a channel


def expecting(folder: Path, mean: Numbers, std: Numbers, channels: int = 3) -> dict[str, Any]:
    """What to import: code, and weights that are right if images come with this mean and deviation, and only then."""
    (folder / "bright.py").write_text(BRIGHT)
    each = ((60 + 12 * torch.arange(10.0)) / 255)[:, None].expand(-1, channels)
    centres = (each - torch.tensor(mean)) / torch.tensor(std)
    state = {"fc.weight": 2 * centres, "fc.bias": -centres.square().sum(1)}  # the nearest centre
    torch.save(state, folder / "bright.pt")
    return {"path": folder / "bright.pt", "arch": f"{folder / 'bright.py'}:Bright", "data": brightness(channels)}


OTHERS: dict[str, tuple[Numbers, Numbers, list[float], list[float], str]] = {
    "none, or a network that normalises inside": (0.0, 1.0, [0.0] * 3, [1.0] * 3, "--mean 0,0,0 --std 1,1,1"),
    "halves": (0.5, 0.5, [0.5] * 3, [0.5] * 3, "--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5"),
    "ImageNet's": (
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
        "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
    ),
}


def test_by_default_the_input_has_the_datas_own_mean_and_deviation(store: Store, tmp_path: Path) -> None:
    images = brightness().train.images / 255
    mean, std = images.mean((0, 2, 3)).tolist(), images.std((0, 2, 3)).tolist()
    made = bring(store, **expecting(tmp_path, mean, std))
    assert made.mean == pytest.approx(mean)
    assert made.std == pytest.approx(std)
    assert made.accuracy is not None
    assert made.accuracy > 0.99
    assert made.origin["taken_from_data"] == ["mean", "std"]
    assert "remark" not in made.origin
    half = bring(store, **expecting(tmp_path, mean, std), name="half", mean=[0.4, 0.4, 0.4])
    assert half.mean == (0.4, 0.4, 0.4)
    assert half.std == pytest.approx(std)
    assert half.origin["taken_from_data"] == ["std"]


@pytest.mark.parametrize("what", OTHERS)
def test_a_remark_names_the_usual_mean_and_deviation_that_would_do(store: Store, tmp_path: Path, what: str) -> None:
    mean, std, given_mean, given_std, flags = OTHERS[what]
    wanted = expecting(tmp_path, mean, std)
    made = bring(store, **wanted)
    assert made.accuracy is not None
    assert made.accuracy < 0.7
    assert re.match(
        r"of 200 test images it gets \d+% right with its mean and deviation, and (99|100)% with ", made.origin["remark"]
    )
    assert made.origin["remark"].endswith(f"import it again with --replace and {flags}")
    again = bring(store, **wanted, replace=True, mean=given_mean, std=given_std)
    assert again.accuracy is not None
    assert again.accuracy > 0.99
    assert "remark" not in again.origin
    assert [n.id for n in networks.list_networks(store)] == [again.id] != [made.id]


def test_a_remark_says_that_what_was_given_had_better_be_left_out(store: Store, tmp_path: Path) -> None:
    images = brightness().train.images / 255
    wanted = expecting(tmp_path, images.mean((0, 2, 3)).tolist(), images.std((0, 2, 3)).tolist())
    made = bring(store, **wanted, mean=[0.0] * 3, std=[1.0] * 3)
    assert "100% with the data set's own" in made.origin["remark"]
    assert made.origin["remark"].endswith("with --replace and without --mean and --std")


def test_grey_images_have_one_mean_and_one_deviation(store: Store, tmp_path: Path) -> None:
    made = bring(store, **expecting(tmp_path, 0.0, 1.0, channels=1))
    assert len(made.mean) == len(made.std) == 1
    assert made.origin["remark"].endswith("--mean 0 --std 1")


def test_a_constant_channel_is_divided_by_one(store: Store, tmp_path: Path) -> None:
    wanted = expecting(tmp_path, 0.0, 1.0)
    images = wanted["data"].train.images.copy()
    images[:, 1] = 7
    split = Split(images, wanted["data"].train.labels)
    made = bring(store, **{**wanted, "data": replace(wanted["data"], train=split, test=split)})
    assert made.mean[1] == pytest.approx(7 / 255)
    assert made.std[1] == 1.0
    assert made.accuracy is not None


def test_a_few_images_that_differ_are_no_evidence(store: Store, tmp_path: Path) -> None:
    """Fresh weights are right by chance, with any mean and deviation."""
    torch.save(weights(), tmp_path / "w.pt")
    assert "remark" not in bring(store, tmp_path / "w.pt").origin


def test_a_network_of_other_classes_says_that_nobody_can_know(store: Store, tmp_path: Path) -> None:
    torch.save(weights(classes=5), tmp_path / "w.pt")
    made = bring(store, tmp_path / "w.pt", classes=5)
    assert made.origin["remark"].startswith("it has other classes than Toy, so that no accuracy shows whether")
    given = bring(store, tmp_path / "w.pt", classes=5, name="given", mean=[0.5], std=[0.5])
    assert "remark" not in given.origin, "somebody knew"


def test_a_name_that_is_taken_is_free_for_its_replacement(store: Store, tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "w.pt")
    before = bring(store, tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match=rf"'mine' is taken by network {before.short}.*or replace it .--replace"):
        bring(store, tmp_path / "w.pt", mean=[0.3])
    after = bring(store, tmp_path / "w.pt", mean=[0.3], replace=True)
    assert [(n.name, n.id) for n in networks.list_networks(store)] == [("mine", after.id)]
    assert model_store.load("mine", store, device="cpu").mean == (0.3,)
    assert networks.confusion(store, before) is None
    same = bring(store, tmp_path / "w.pt", mean=[0.3], replace=True, called="again.pt")
    assert same.id == after.id, "the very same network"
    assert networks.find(store, "mine").origin["file"] == "again.pt"
    assert bring(store, tmp_path / "w.pt", name="free", replace=True).name == "free"
    with pytest.raises(StitchLabError, match="already, under the name 'free'"):
        bring(store, tmp_path / "w.pt", replace=True)
    torch.save({"no": torch.zeros(1)}, tmp_path / "bad.pt")
    with pytest.raises(StitchLabError, match="do not fit"):
        bring(store, tmp_path / "bad.pt", replace=True)
    assert networks.find(store, "mine").id == after.id, "what does not fit replaces nothing"


def test_results_of_a_replaced_network_stay(done: Store, run: Run, tmp_path: Path) -> None:
    numbers = list(run.rows())
    assert numbers
    front = model_store.load(run.request.front, done, device="cpu")
    torch.save(front.module.state_dict(), tmp_path / "w.pt")
    made = importing.import_weights(
        tmp_path / "w.pt",
        done,
        arch=front.architecture,
        data=datasets.load("digits", done),
        name=front.name,
        mean=[0.1],
        replace=True,
        device="cpu",
    )
    assert made.id != run.request.front
    assert list(Run.load(run.id, done).rows()) == numbers


def foreign() -> dict[str, torch.Tensor]:
    """A ResNet-20 as others write it: shortcuts without parameters (option A), the last layer called linear."""
    state = zoo.build("resnet20", classes=2, channels=1, size=8).state_dict()
    return {name.replace("fc.", "linear."): tensor for name, tensor in state.items() if "downsample" not in name}


@pytest.mark.parametrize(("arch", "also"), [("resnet20", ""), ("resnet14", ", not even resnet20, which comes closest")])
def test_a_foreign_network_brings_its_class(store: Store, tmp_path: Path, arch: str, also: str) -> None:
    torch.save(foreign(), tmp_path / "w.pt")
    advice = rf"They fit no architecture that is known by name{also}: give the class .*--arch FILE\.py:CALLABLE$"
    with pytest.raises(StitchLabError, match=advice):
        bring(store, tmp_path / "w.pt", arch=arch)


def test_the_refused_architecture_is_not_proposed_with_other_options(store: Store, tmp_path: Path) -> None:
    torch.save(zoo.build("resnet18", classes=2, channels=1, size=8, width=8).state_dict(), tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match=r"have the names of resnet18, with other options \(width, widths, maps\)"):
        bring(store, tmp_path / "w.pt", arch="resnet18", options={"width": 16})
    torch.save(weights({"conv1.weight": torch.zeros(16, 3, 3, 3)}), tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match=r"names of resnet14, for other images \(size, colour\) or classes"):
        bring(store, tmp_path / "w.pt")


def test_torchvisions_networks_are_told_from_ours_of_the_same_names(store: Store, tmp_path: Path) -> None:
    torch.save(zoo.build("torchvision/resnet18", classes=2, channels=1, size=32).state_dict(), tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match="They look like torchvision/resnet18: choose that"):
        bring(store, tmp_path / "w.pt", arch="resnet18")


@pytest.mark.parametrize("arch", ["tiny10", "resnet20", "vit-tiny", "torchvision/resnet18", "torchvision/googlenet"])
def test_an_architecture_is_known_by_its_tensors(arch: str) -> None:
    assert (
        likeness.architecture_of(
            zoo.build(arch, classes=10, channels=3, size=32 if "/" not in arch else 96).state_dict()
        )
        == arch
    )


def test_no_architecture_has_tensors_of_other_names() -> None:
    assert likeness.architecture_of(foreign()) == ""
    assert likeness.architecture_of({"a": torch.zeros(1)}) == ""


def test_names_of_ours_are_nobody_elses_but_a_namesakes() -> None:
    def named(ours: bool) -> dict[str, set[str]]:
        return {name: likeness._names(shapes) for name, shapes in likeness._shapes(ours, 10, 3, 32).items()}

    theirs = named(ours=False)
    for name, names in named(ours=True).items():
        assert {other for other in theirs if theirs[other] == names} <= {f"torchvision/{name}"}, name


def test_a_file_for_other_images_is_told_without_looking_at_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(likeness, "_shapes", noting(lambda ours, *rest: looked.append(ours), likeness._shapes))
    grey = zoo.build("resnet14", classes=7, channels=1, size=8).state_dict()
    assert likeness.architecture_of(grey) == "resnet14"
    assert looked == [True], "the others take seconds"
