"""Weights out of other people's files: read however wrapped, never executed, refused in one line."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stitchlab.data.splits import DataSet, Split
from stitchlab.errors import StitchLabError
from stitchlab.models import create as making
from stitchlab.models import store as model_store
from stitchlab.models import weights as importing
from stitchlab.models import zoo
from stitchlab.results import networks
from stitchlab.results.networks import Network
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


def weights(classes: int = 2, **change: Any) -> dict[str, torch.Tensor]:
    state = zoo.build("resnet14", classes=classes, channels=1, size=8).state_dict()
    return {name: tensor for name, tensor in {**state, **change}.items() if tensor is not None}


def bring(store: Store, path: Path, **more: Any) -> Network:
    asked: dict[str, Any] = {"arch": "resnet14", "data": toy(), "name": "mine", **more}
    return making.import_weights(path, store, device="cpu", **asked)


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
    assert bring(store, tmp_path / "w.pt", name="other").mean == (0.0,)  # other preprocessing: another network


def test_safetensors_are_imported(store: Store, tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    assert bring(store, tmp_path / "w.safetensors").std == (1.0,)


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
    "missing": (lambda: weights(**{"fc.bias": None}), r"do not fit resnet14: 1 missing: fc\.bias"),
    "unexpected": (lambda: weights(extra=torch.zeros(1)), "1 unexpected: extra"),
    "shapes": (
        lambda: weights(**{"conv1.weight": torch.zeros(16, 3, 3, 3)}),
        r"1 of another shape: conv1\.weight \(16, 3, 3, 3\) for \(16, 1, 3, 3\)",
    ),
    "classes": (lambda: weights(classes=5), "have 5 outputs, and 2 were asked for; .* ask for 5 .--classes 5"),
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
        ({"classes": 3}, "have 2 outputs, and 3 were asked for"),
        ({"mean": [0.5, 0.5, 0.5]}, r"mean is 1 number\(s\), one a channel"),
        ({"std": [0.0]}, r"std is 1 number\(s\) above 0"),
        ({"mean": [float("nan")]}, "mean is 1"),
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
    with pytest.raises(StitchLabError, match="has 1 output or more"):
        bring(store, tmp_path / "w.pt", classes=classes)


def test_a_missing_file_is_called_as_the_user_calls_it(tmp_path: Path) -> None:
    with pytest.raises(StitchLabError, match=r"^mine\.pt is not a file"):
        importing.read_weights(tmp_path / "1234.pt", "mine.pt")


def test_the_closest_architecture_is_named(store: Store, tmp_path: Path) -> None:
    for arch, built in (("resnet20", "resnet20"), ("torchvision/resnet18", "torchvision/resnet18")):
        state = zoo.build(built, classes=2, channels=1, size=8 if built == arch == "resnet20" else 32).state_dict()
        torch.save(state, tmp_path / "w.pt")
        with pytest.raises(StitchLabError, match=rf"do not fit resnet14: .*look like {arch}: choose that") as raised:
            bring(store, tmp_path / "w.pt")
        assert "missing" in str(raised.value) or "unexpected" in str(raised.value)
        assert "\n" not in str(raised.value)
    torch.save({"a": torch.zeros(3), "b": torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(StitchLabError, match="Choose their architecture, options and data"):
        bring(store, tmp_path / "w.pt")
    assert files(store) == []


def test_likeness_counts_names_and_shapes() -> None:
    tensors = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(4)}
    shapes = {"same": {"a": (2,), "b": (3,), "c": (4,)}, "half": {"a": (2,), "b": (9,), "c": (9,)},
              "other": {"x": (2,)}}
    assert importing.nearest(tensors, shapes) == "same"
    assert importing.nearest(tensors, {name: shapes[name] for name in ("half", "other")}) == "half"
    assert importing.nearest(tensors, {"other": shapes["other"]}) == ""
    assert importing.nearest(tensors, {}) == ""


def test_a_network_of_other_classes_has_no_accuracy(store: Store, tmp_path: Path) -> None:
    torch.save(weights(classes=5), tmp_path / "w.pt")
    made = bring(store, tmp_path / "w.pt", classes=5)
    assert made.accuracy is None
    assert made.classes == tuple(f"class {k}" for k in range(5))
    assert networks.confusion(store, made) is None
    with pytest.raises(StitchLabError, match="tells other classes than Toy has"):
        making.measure(store, made.id, toy())
    loaded = model_store.load(made.id, store, device="cpu")
    assert loaded.module is not None
    assert loaded.module.get_parameter("fc.weight").shape[0] == 5


def test_auxiliary_classifiers_play_no_part() -> None:
    tensors = {"aux1.fc.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}
    assert set(importing.used(tensors, ("aux1.", "aux2."))) == {"fc.weight"}
    assert importing.used(tensors, ()) == tensors


PEAK = """
import resource, sys, torch
from pathlib import Path
from stitchlab.data.splits import DataSet, Split
from stitchlab.models import create
from stitchlab.store import Store
import numpy as np
images = np.zeros((2, 3, 32, 32), np.uint8)
split = Split(images, np.arange(2))
data = DataSet("toy", "Toy", ("a", "b"), split, split, "toy")
create.import_weights(sys.argv[2], Store(sys.argv[1] + "/warm"), device="cpu", arch="resnet18", data=data, name="x",
                      options={"width": 8})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = create.import_weights(sys.argv[3], Store(sys.argv[1] + "/store"), device="cpu", arch="torchvision/vit_b_32",
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
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path), str(small), str(large)], text=True,
                          capture_output=True, check=True, cwd=Path(__file__).parents[2])
    assert float(done.stdout.split()[-1]) < 2.1  # a tenth for the images' activations and what Python holds


@pytest.mark.parametrize("name", ["absent.pt", "garbage.pt", "garbage.safetensors"])
def test_files_that_cannot_be_read(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "garbage.pt").write_bytes(b"no weights")
    (tmp_path / "garbage.safetensors").write_bytes(b"no weights")
    with pytest.raises(StitchLabError, match=r"is not a file|could not be read as a state dict"):
        bring(store, tmp_path / name)


@pytest.mark.skipif(not TINY10.exists(), reason="the shared Tiny-10 checkpoints are not on this machine")
def test_a_public_checkpoint_is_imported_as_it_is(store: Store) -> None:
    made = making.import_weights(
        TINY10, store, arch="tiny10", data=toy(3, 32, classes=10), name="public",
        mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010), device="cpu",
    )
    state = torch.load(TINY10, map_location="cpu", weights_only=True)
    loaded = model_store.load(made.short, store, device="cpu")
    assert loaded.module is not None
    assert torch.equal(loaded.module.state_dict()["fc.weight"], state["fc.weight"])
