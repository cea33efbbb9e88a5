"""Linear probes: against plain scikit-learn on hooked features; what is undefined; keys, what is kept; the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from blocked import python
from grids import folder
from reference import prepared
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from toys import Tokens, network, noise, pair, seeded

from benchmarks.plain import capture
from stitchlab.__main__ import main
from stitchlab.data import registry as datasets
from stitchlab.data.splits import Split
from stitchlab.errors import Cancelled, StitchLabError
from stitchlab.figures.probes import curves, figure
from stitchlab.models import store as model_store
from stitchlab.probes import classifier, compute
from stitchlab.probes.compute import probe
from stitchlab.probes.features import gather_features
from stitchlab.request import DEFINITIONS
from stitchlab.results import networks, probes
from stitchlab.results.cleaning import clean
from stitchlab.results.networks import PROBED
from stitchlab.results.probes import ProbeRequest, Probes, find
from stitchlab.stitch.pair import Pair
from stitchlab.store import Store
from unit.test_cleaning import files, lay_by

Array = npt.NDArray[Any]
FEW: dict[str, Any] = {"train_images": 300, "eval_images": 200, "seed": 3}
NAMES = {"digits-a": ["relu", "layer2.0", "flatten"], "vit": ["blocks.0", "blocks.5"]}


def by_hand(x: Tensor) -> Array:
    """Features of what these networks have: maps (N, C, H, W), tokens (N, 17, D) with a class token, vectors."""
    return (x.double().mean((2, 3)) if x.dim() == 4 else x[:, 0] if x.dim() == 3 else x).numpy()


def plain(store: Store, name: str, layer: str, train_images: int, eval_images: int, seed: int) -> tuple[float, float]:
    """The accuracies of a probe, from the definition alone."""
    net = model_store.load(name, store, device="cpu")
    data = datasets.load("digits", store)
    sides = []
    for split, count in ((data.train, train_images), (data.test, eval_images)):
        rows = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))[:count].numpy()
        seen = capture(net.module, layer, prepared(net, torch.from_numpy(np.asarray(split.images[rows]))))
        sides.append((by_hand(seen), split.labels[rows]))
    (x, y), (test, labels) = sides
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(x), y)
    return float(model.score(scaler.transform(test), labels)), float(model.score(scaler.transform(x), y))


@pytest.fixture(scope="module")
def probed(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Probes]:
    """Probes of two networks at `NAMES`, in a store of their own. Only read it."""
    store = Store(tmp_path_factory.mktemp("probed"))
    for room in ("networks", "layers", "data"):
        (store.root / room).symlink_to(digits_store.root / room)
    return {name: probe(name, store, layers=layers, device="cpu", **FEW) for name, layers in NAMES.items()}


@pytest.mark.parametrize("name", NAMES)
def test_maps_tokens_and_vectors_are_probed_as_by_scikit_learn_alone(probed: dict[str, Probes], name: str) -> None:
    found = probed[name]
    assert found.complete
    for row in found.rows():
        wanted = plain(found.store, name, row.layer, **FEW)
        assert (row.accuracy, row.train_accuracy) == pytest.approx(wanted, abs=1e-12), row.layer
        assert not row.reason
        assert found.kept[row.layer]["versions"]["scikit-learn"]


def test_what_probes_are_held_against(probed: dict[str, Probes]) -> None:
    found = probed["digits-a"]
    net, test = model_store.load("digits-a", found.store, device="cpu"), datasets.load("digits", found.store).test
    rows = torch.randperm(len(test), generator=torch.Generator().manual_seed(3))[:200].numpy()
    labels = test.labels[rows]
    guesses = net.module(prepared(net, torch.from_numpy(np.asarray(test.images[rows])))).argmax(1).numpy()
    assert found.own_accuracy == float((guesses == labels).mean())
    assert found.chance == max(float((labels == k).mean()) for k in range(10))


@pytest.mark.parametrize("class_token", [False, True])
def test_tokens_without_a_class_token_are_averaged(class_token: bool) -> None:
    data = noise(size=8, train=450, test=30)
    net = network(seeded(lambda: Tokens(8, 2, 6, 4, class_token)), data)
    with torch.no_grad():
        features, labels = gather_features(pair(net, net, data), ["first", "head"], data.train, data.train.order(5))
    rows = data.train.order(5).numpy()
    x = prepared(net, torch.from_numpy(data.train.images[rows]))
    tokens = capture(net.module, "first", x)
    wanted = tokens[:, 0] if class_token else tokens.mean(1)
    np.testing.assert_allclose(features["first"], wanted, atol=1e-5)
    np.testing.assert_allclose(features["head"], capture(net.module, "head", x), atol=1e-5)
    assert features["first"].dtype == np.float32
    assert (labels == data.train.labels[rows]).all()


def test_constant_channels_stay_0_and_huge_ones_do_no_harm() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    constant = np.full((80, 1), 0.1, np.float32)  # but for the last bit, as sums in another order have it
    constant[::3] = np.nextafter(constant[::3], np.float32(1))
    more = np.concatenate([x, constant, 1e30 * random.normal(size=(80, 1))], 1)
    fitted = classifier.fit(more.astype(np.float32), y)
    assert isinstance(fitted, classifier.Probe)
    assert fitted.scale[3] == 0
    assert fitted.train_accuracy > 0.95
    moved = more.copy()
    moved[:, 3] = 1e6
    assert (fitted.predict(moved) == fitted.predict(more)).all()


def test_a_layer_that_did_not_converge_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "MAX_STEPS", 2)
    (row,) = probe("digits-a", store, layers=["relu"], device="cpu", **FEW).rows()
    assert row.reason == "training did not converge in 2 steps"
    assert row.accuracy is not None


def broken(store: Store) -> str:
    """A network whose activations are not finite from ``layer3.0`` on."""
    net = model_store.load("digits-a", store, device="cpu")
    module = model_store.build(net)
    module.load_state_dict(net.module.state_dict())
    with torch.no_grad():
        module.get_parameter("layer3.0.conv1.weight").fill_(torch.inf)
    return model_store.save(store, replace(net, name="broken"), module.eval()).name


def test_undefined_is_empty_with_its_reason_and_no_neighbours_fault(store: Store) -> None:
    found = probe(broken(store), store, layers=["layer2.1", "layer3.0", "layer3.1"], device="cpu", **FEW)
    fine, *empty = found.rows()
    assert (fine.accuracy, fine.train_accuracy) == plain(store, "digits-a", "layer2.1", **FEW)
    for row in empty:
        assert row[2:] == (None, None, "the activations of some training images are not finite")
    assert found.own_accuracy is None
    assert found.baselines is not None
    assert "own logits are not finite" in found.baselines["reason"]
    assert curves([found]).curves[0].points[1:, 1].tolist() == pytest.approx([np.nan] * 2, nan_ok=True)
    assert json.loads(figure([found]).to_json())["data"][0]["y"][1:] == [None, None]


class Spiky(nn.Module):
    """``act`` is infinite where a pixel is white."""

    def __init__(self) -> None:
        super().__init__()
        self.act, self.fc = White(), nn.Linear(1, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.act(x).mean((2, 3)))
        return logits


class White(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (x < 1.99)


def test_what_is_not_finite_on_evaluation_images_only_has_a_training_accuracy() -> None:
    data = noise(size=6, train=60, test=20)
    calm = Split(np.minimum(data.train.images, 200), data.train.labels)
    images = np.minimum(data.test.images, 200)
    images[7, 0, 2, 2] = 255
    data = replace(data, train=calm, test=Split(images, data.test.labels))
    net = network(seeded(Spiky), data)
    both = pair(net, net, data)
    with torch.no_grad():
        features, labels = gather_features(both, ["act"], data.train, data.train.order(0))
        fitted = {"act": classifier.fit(features["act"], labels)}
        request = ProbeRequest(network="", data="", train_images=60, eval_images=20)
        right, baselines = compute._evaluated(request, both, fitted, True, lambda what, done: None)
    assert right == {"act": (None, "the activations of some evaluation images are not finite")}
    assert compute._entry(fitted["act"], *right["act"])["train_accuracy"] is not None
    assert baselines["accuracy"] is None


@pytest.mark.parametrize(
    ("count", "message"), [(1, "there is one training image: a probe needs two or more classes"), (2, "")]
)
def test_one_image_or_one_class(store: Store, count: int, message: str) -> None:
    (row,) = probe("digits-a", store, layers=["relu"], train_images=count, eval_images=50, device="cpu").rows()
    assert row.reason == message
    assert (row.accuracy is None) == bool(message)


def test_classes_that_the_network_does_not_know(store: Store, tmp_path: Path) -> None:
    data = folder(tmp_path / "images", ["a", "b", "c"], colour=True, size=8)
    found = probe("digits-a", store, data=data, layers=["layer1.0"], device="cpu")
    assert (found.request.train_images, found.request.eval_images) == (30, 30)
    assert found.rows()[0].accuracy is not None
    assert found.own_accuracy is None
    assert found.chance == pytest.approx(1 / 3)
    assert found.baselines is not None
    assert found.baselines["reason"] == "digits-a predicts other classes than images has"


def fitted_layers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many channels each probe has that is trained from now on."""
    seen: list[int] = []
    fit = classifier.fit

    def noted(features: Any, labels: Any) -> Any:
        seen.append(features.shape[1])
        return fit(features, labels)

    monkeypatch.setattr(compute, "fit", noted)
    return seen


def test_adding_layers_computes_those_only_and_no_number_depends_on_its_neighbours(
    store: Store, probed: dict[str, Probes], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fitted_layers(monkeypatch)
    first = probe("digits-a", store, layers=["flatten"], device="cpu", **FEW)
    assert seen == [64]
    monkeypatch.setattr(compute, "MEMORY", 1)  # each layer alone
    both = probe("digits-a", store, layers=["flatten", "layer2.0", "relu"], device="cpu", **FEW)
    assert seen == [64, 16, 32]
    assert both.kept["flatten"] == first.kept["flatten"]
    assert both.rows() == probed["digits-a"].rows()
    assert {k: v for k, v in (both.baselines or {}).items() if k in ("accuracy", "chance")} == {
        k: v for k, v in (probed["digits-a"].baselines or {}).items() if k in ("accuracy", "chance")
    }
    monkeypatch.setattr(compute, "load", None)  # nothing is run
    assert probe("digits-a", store, layers=["relu", "flatten"], device="cpu", **FEW).complete


def test_what_is_lost_is_computed_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe("digits-a", store, layers=["relu"], device="cpu", **FEW)
    seen, own = fitted_layers(monkeypatch), found.own_accuracy
    store.delete(PROBED, probes.baselines_key(found.request))
    again = probe("digits-a", store, layers=["relu"], device="cpu", **FEW)
    assert (again.own_accuracy, seen) == (own, [])


def test_stopped_work_keeps_nothing_half(store: Store) -> None:
    def report(what: str, done: float) -> None:
        if "training" in what:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        probe("digits-a", store, layers=["relu"], device="cpu", report=report, **FEW)
    assert store.keys(PROBED) == []


REQUEST = ProbeRequest(network="a" * 64, data="b" * 64, train_images=100, eval_images=50)
OTHER: dict[str, Any] = {
    "network": "c" * 64,
    "data": "c" * 64,
    "train_images": 99,
    "eval_images": 49,
    "seed": 1,
    "precision": "bf16",
}


def test_a_key_hangs_on_all_that_a_probe_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {field.name for field in fields(ProbeRequest)} == set(OTHER)
    requests = [REQUEST, *(replace(REQUEST, **{name: value}) for name, value in OTHER.items())]
    keys = [probes.key(request, layer) for request in requests for layer in ("x", "y")]
    keys += [probes.baselines_key(request) for request in requests]
    monkeypatch.setattr(probes, "VERSION", 2)
    keys += [probes.key(REQUEST, "x"), probes.baselines_key(REQUEST)]
    monkeypatch.setattr(probes, "VERSION", 1)
    monkeypatch.setitem(DEFINITIONS, "input", 3)
    keys += [probes.key(REQUEST, "x"), probes.baselines_key(REQUEST)]
    assert len(set(keys)) == len(keys)
    assert all(key.partition("-")[0] in ("a" * 64, "c" * 64) for key in keys)


def test_defaults_are_resolved(store: Store) -> None:
    found = find(store, "digits-a")
    assert found.layers == tuple(f"layer{s}.{b}" for s in (1, 2, 3) for b in (0, 1))
    assert (found.request.train_images, found.request.eval_images) == (1257, 540)
    assert find(store, "digits-a", train_images=1257, eval_images=540).request == found.request
    assert find(store, **found.wanted()).request == found.request


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"train_images": 1258}, "training images of the probes .* got 1,258"),
        ({"eval_images": 0}, "evaluation images"),
        ({"layers": ["layer9"]}, "no layer is called 'layer9'"),
        ({"layers": []}, "expected one name or more"),
        ({"data": "mnist"}, "no data set is called 'mnist'"),
        ({"seed": -1}, "expected a seed"),
    ],
)
def test_what_does_not_fit_is_one_line(store: Store, wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(StitchLabError, match=message) as raised:
        find(store, "digits-a", **wanted)
    assert "\n" not in str(raised.value)


def test_probes_stay_as_long_as_their_network(store: Store) -> None:
    found = probe("digits-a", store, layers=["relu"], device="cpu", **FEW)
    probe("vit", store, layers=["blocks.0"], device="cpu", **FEW)
    strange = f"{'ab' * 32}-{'01' * 16}"
    store.put(PROBED, strange, {})
    lay_by(store)
    assert [(amount.room, amount.files) for amount in clean(store)] == [(PROBED, 1)]
    assert not store.has(PROBED, strange)
    networks.delete(store, "vit")
    assert {name.partition("-")[0] for name in files(store) if name.startswith(PROBED)} == {
        f"{PROBED}/{found.network.id}"
    }


def command(store: Store, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))
    return main(["probe", *words])


WORDS = ("digits-a", "vit", "--train-images", "300", "--eval-images", "200", "--seed", "3")


def test_the_command_writes_a_table(
    store: Store, probed: dict[str, Probes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command(store, monkeypatch, "digits-a", "--layers", "flatten,relu,layer2.0", *WORDS[2:]) == 0
    head, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert head == ["network", "layer", "accuracy", "train_accuracy", "reason"]
    assert [(*row[:2], float(row[2]), float(row[3]), row[4]) for row in rows] == probed["digits-a"].rows()


def test_files_of_several_networks_and_reading_them_without_pytorch(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    for suffix, begins in (
        ("csv", b"network,layer"),
        ("json", b"["),
        ("svg", b"<?xml"),
        ("pdf", b"%PDF"),
        ("png", b"\x89PNG"),
    ):
        place = tmp_path / f"curves.{suffix}"
        assert command(store, monkeypatch, *WORDS, "--out", str(place)) == 0
        assert place.read_bytes().startswith(begins)
        said = capsys.readouterr()
        assert said.out.strip() == str(place)
        assert ("Accuracy of linear probes by layer: digits-a" in said.err) == (suffix in ("svg", "pdf", "png"))
    assert "vit itself" in (tmp_path / "curves.svg").read_text()
    one, other = json.loads((tmp_path / "curves.json").read_text())
    assert (one["network"]["name"], len(one["layers"]), other["request"]["seed"]) == ("digits-a", 6, 3)
    done = python(
        "from stitchlab.__main__ import main\nimport sys\nsys.exit(main())",
        "probe",
        *WORDS,
        STITCHLAB_CACHE=str(store.root),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "curves.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nobody"], "no network is called 'nobody'"),
        (["digits-a", "--layers", "x"], "no layer is called 'x'"),
        (["digits-a", "--out", "x.xls"], "no kind of file of probes is called 'xls'"),
        (["digits-a", "--eval-images", "541"], "got 541"),
        (["digits-a", "--device", "gpu"], "no device is called 'gpu'"),
        (["digits-a", "--data", "folder:/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_one_line(
    digits_store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    message: str,
) -> None:
    capsys.readouterr()
    assert command(digits_store, monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert digits_store.keys(PROBED) == []


def test_figures(probed: dict[str, Probes]) -> None:
    one, other = probed.values()
    same = curves([one])
    assert [name for _, name in same.x_ticks] == list(one.layers)
    assert [curve.name for curve in same.curves] == ["digits-a", "digits-a itself", "chance"]
    assert same.curves[0].points[:, 1].tolist() == [row.accuracy for row in one.rows()]
    together = curves([one, other])
    assert together.across == "relative depth"
    assert [curve.points[:, 0].tolist() for curve in together.curves[::2]][:2] == [[0, 0.5, 1], [0, 1]]
    drawn = json.loads(figure([one, other], dark=True).to_json())
    assert [trace["name"] for trace in drawn["data"]] == [curve.name for curve in together.curves]
    for draw in (curves, figure):
        with pytest.raises(StitchLabError, match="expected 1 to 6 networks, got 7"):
            draw([one] * 7)


class Deep(nn.Module):
    """``act`` has five dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.act, self.fc = nn.ReLU(), nn.Linear(36, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.act(x.reshape(-1, 1, 1, 6, 6)).flatten(1))
        return logits


def test_a_layer_that_has_no_features_is_empty_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise(size=6)
    net = network(seeded(Deep), data)
    with pytest.raises(StitchLabError, match="neither a map, tokens nor a vector"):
        pair(net, net, data).target("act")
    target = Pair.target

    def refused(self: Any, layer: str) -> Any:
        if layer == "relu":
            raise StitchLabError("neither a map, tokens nor a vector")
        return target(self, layer)

    monkeypatch.setattr(Pair, "target", refused)
    relu, other = probe("digits-a", store, layers=["relu", "layer1.0"], device="cpu", **FEW).rows()
    assert relu[2:] == (None, None, "neither a map, tokens nor a vector")
    assert other.accuracy is not None
