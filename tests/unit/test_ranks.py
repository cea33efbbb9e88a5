"""The ranks of a run: every number against NumPy, scikit-learn and plain loops; what is kept, and what is undefined."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import index_references
import numpy as np
import pytest
import torch
from grids import harm
from handy import sure
from reference import MAP, VECTOR, Whole, positions, prepared
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from toys import network, noise, pair, seeded

from benchmarks.plain import capture
from stitchlab.catalog.indices import INDICES
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split
from stitchlab.errors import Cancelled, StitchLabError, UnknownName
from stitchlab.grid import ranks as computing
from stitchlab.grid.ask import ask, compare
from stitchlab.grid.ranks import compute
from stitchlab.indices.two_layers import value_or_reason
from stitchlab.models import store as models
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import DirectMatching, Precision, Request, TaskLoss
from stitchlab.results import networks, probes
from stitchlab.results import ranks as reading
from stitchlab.results.cleaning import clean, delete_run
from stitchlab.results.ranks import PROBE, ROOM, STITCHED, Ranks, grid_of
from stitchlab.results.resolve import NotFoundYet
from stitchlab.results.run import Run
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.task import initial
from stitchlab.stitch.truncation import bases, cut_name
from stitchlab.store import Store

LAYERS, KINDS = ["layer1.0", "flatten"], {"layer1.0": MAP, "flatten": VECTOR}
SMALL: dict[str, Any] = {
    "front_layers": LAYERS,
    "end_layers": LAYERS,
    "tlm": TaskLoss(epochs=1, images=300),
    "dm_images": 40,
    "eval_images": 150,
    "indices": list(INDICES),
}
FEW: dict[str, Any] = {**SMALL, "indices": ["cka"], "methods": ["dm"]}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def computed(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    """The ranks of a grid with all indices. Only read them."""
    root = tmp_path_factory.mktemp("ranks") / "cache"
    shutil.copytree(digits_store.root, root)
    return compute(compare("digits-a", "digits-b", Store(root), device="cpu", **SMALL), CPU)


class Sides:
    """Both networks of a run and its data, whole; the front's layers are cut by NumPy's SVD of all rows."""

    def __init__(self, run: Run) -> None:
        self.front, self.end = (models.load(name, run.store, device="cpu") for name in ("digits-a", "digits-b"))
        self.data: DataSet = datasets.load("digits", run.store)
        self.request = run.request

    def first(self, split: Split, count: int) -> Tensor:
        return torch.randperm(len(split), generator=torch.Generator().manual_seed(self.request.seed))[:count]

    def native(self, net: LoadedNetwork, layer: str, images: Tensor) -> Tensor:
        return capture(net.module, layer, prepared(net, images))

    def cutter(self, layer: str, rank: int | None) -> Callable[[Tensor], Tensor]:
        """What cuts rows (..., C): float64."""
        if rank is None:
            return lambda rows: rows.double()
        images, _ = self.data.train.take(self.first(self.data.train, self.request.dm.images))
        rows = positions(self.native(self.front, layer, images), KINDS[layer]).flatten(0, 1).double()
        mean = rows.mean(0)
        _, values, vectors = np.linalg.svd((rows - mean).numpy(), full_matrices=False)
        v = torch.from_numpy(vectors[: min(rank, int((values > 1e-6 * values[0]).sum()))].T)
        return lambda x: mean + (x.double() - mean) @ v @ v.T

    def cut(self, layer: str, rank: int) -> Callable[[Tensor], Tensor]:
        """What cuts activations."""
        cut, axis = self.cutter(layer, rank), 1 if KINDS[layer] is MAP else -1
        return lambda x: cut(x.movedim(axis, -1)).movedim(-1, axis)

    def whole(self, layer: str, rank: int) -> Whole:
        """The stitched network with a hook that cuts."""
        module, cut = copy.deepcopy(self.front.module), self.cut(layer, rank)
        module.get_submodule(layer).register_forward_hook(lambda module, args, out: cut(out).float())
        return Whole(replace(self.front, module=module), self.end, layer, layer, KINDS[layer], KINDS[layer])


@pytest.fixture(scope="module")
def sides(computed: Ranks) -> Sides:
    return Sides(computed.run)


def test_ranks_halve() -> None:
    assert grid_of(64) == (1, 2, 4, 8, 16, 32, 64)
    assert grid_of(1) == (1,)
    assert grid_of(2048) == (16, 32, 64, 128, 256, 512, 1024, 2048)


def test_at_all_channels_stands_what_the_run_has(computed: Ranks) -> None:
    run = computed.run
    assert computed.complete
    assert not computed.lacking
    assert computed.layers == tuple(LAYERS)
    assert computed.names == ("tlm", "dm", *INDICES, "probe")
    assert [computed.ranks(layer) for layer in LAYERS] == [(1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32, 64)]
    for name in computed.names:
        for metric in reading.metrics(name):
            for layer in LAYERS:
                curve, why = computed.curve(name, metric, layer), computed.reasons(name, metric, layer)
                assert len(curve) == len(why) == len(computed.ranks(layer))
                assert [value is None for value in curve] == [bool(reason) for reason in why]
                if name != PROBE:
                    assert curve[-1] == run.value(name, metric, layer, layer)
                    assert why[-1] == run.reason(name, metric, layer, layer)
                kept = computed.run.store.get("ranks", computed.key(name, layer))
                assert kept is not None
                assert kept["versions"]["torch"] == torch.__version__


@pytest.mark.parametrize("layer", LAYERS)
def test_direct_matching_is_numpys(computed: Ranks, sides: Sides, layer: str) -> None:
    images, _ = sides.data.train.take(sides.first(sides.data.train, 40))
    test = sides.first(sides.data.test, 150)
    for k, rank in enumerate(computed.ranks(layer)[:-1]):
        whole = sides.whole(layer, rank)
        weight, bias = (torch.from_numpy(part).float() for part in whole.direct(images))
        accuracy, distance = whole.evaluate(sides.data.test, test, weight, bias)
        assert computed.curve("dm", "accuracy", layer)[k] == pytest.approx(accuracy, abs=1.1 / 150)
        assert computed.curve("dm", "distance", layer)[k] == pytest.approx(distance, rel=1e-3)
        pixels, labels = sides.data.test.take(test)
        with torch.no_grad():
            logits = whole.logits(pixels, weight, bias)[0].double()
            own = sides.end.module(prepared(sides.end, pixels)).double()
        right, theirs = ((made.argmax(1) == labels).numpy() for made in (logits, own))
        p, q = (made.softmax(1).numpy() for made in (logits, own))
        wanted = {
            "agreement": float((logits.argmax(1) == own.argmax(1)).double().mean()),
            "jsd": float((jensenshannon(p, q, base=2, axis=1) ** 2).mean()),
            "error_consistency": float(cohen_kappa_score(right, theirs)),
        }
        for metric, value in wanted.items():
            close = 1e-3 if metric == "jsd" else 0.03
            assert computed.curve("dm", metric, layer)[k] == pytest.approx(value, abs=close), metric


@pytest.mark.parametrize("layer", LAYERS)
def test_task_loss_matching_is_a_plain_loop_from_where_the_uncut_cell_begins(
    computed: Ranks, sides: Sides, layer: str
) -> None:
    order = sides.first(sides.data.train, 300).sort().values
    train = Split(sides.data.train.images[order.numpy()], sides.data.train.labels[order.numpy()])
    start = initial(pair(sides.front, sides.end, sides.data), (layer, layer), 0, None)
    test = sides.first(sides.data.test, 150)
    for k, rank in enumerate(computed.ranks(layer)[:-1]):
        whole = sides.whole(layer, rank)
        weight, bias, _ = whole.train(
            train, start.weight.detach(), start.bias.detach(), seed=0, epochs=1, batch=256, lr=1e-3
        )
        accuracy, distance = whole.evaluate(sides.data.test, test, weight, bias)
        assert computed.curve("tlm", "accuracy", layer)[k] == pytest.approx(accuracy, abs=1.1 / 150)
        assert computed.curve("tlm", "distance", layer)[k] == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("layer", LAYERS)
def test_indices_are_those_of_cut_activations(computed: Ranks, sides: Sides, layer: str) -> None:
    images, _ = sides.data.test.take(sides.first(sides.data.test, 150))
    x, y = (sides.native(net, layer, images) for net in (sides.front, sides.end))
    for k, rank in enumerate(computed.ranks(layer)[:-1]):
        for name, index in INDICES.items():
            wanted = value_or_reason(name, sides.cut(layer, rank)(x), y.double())
            ours = computed.curve(name, index.metric, layer)[k]
            if isinstance(wanted, str):
                assert (ours, computed.reasons(name, index.metric, layer)[k]) == (None, wanted)
            else:
                assert ours == pytest.approx(wanted, abs=1e-5), (name, rank)


@pytest.mark.parametrize("layer", LAYERS)
def test_probes_are_scikit_learns_on_cut_features(computed: Ranks, sides: Sides, layer: str) -> None:
    parts = []
    for split, count in ((sides.data.train, 300), (sides.data.test, 150)):
        chosen = sides.first(split, count)
        images, classes = split.take(chosen)
        pooled = positions(sides.native(sides.front, layer, images), KINDS[layer]).double().mean(1)
        parts.append((pooled, classes.numpy()))
    assert computed.train_images == 300
    for k, rank in enumerate(computed.ranks(layer)):
        cut = sides.cutter(layer, None if rank == computed.ranks(layer)[-1] else rank)
        (x, labels), (test, wanted) = ((cut(pooled).numpy(), of) for pooled, of in parts)
        scaler = StandardScaler().fit(x)
        score = LogisticRegression(max_iter=1000).fit(scaler.transform(x), labels).score(scaler.transform(test), wanted)
        assert computed.curve(PROBE, "accuracy", layer)[k] == pytest.approx(score, abs=1.1 / 150)


def test_tokens(store: Store) -> None:
    layers = ["blocks.0", "blocks.5"]
    run = compare("vit", "vit", store, device="cpu", **{**FEW, "front_layers": layers, "end_layers": layers})
    found = compute(run, CPU)
    assert found.complete
    for layer in layers:
        distances = [sure(distance) for distance in found.curve("dm", "distance", layer)]
        assert distances == sorted(distances, reverse=True), "the more directions, the nearer a layer is to itself"
        assert distances[-1] == pytest.approx(0, abs=1e-6)
        assert found.curve("cka", "similarity", layer)[-1] == pytest.approx(1)


def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, tuple[str, ...]]]:
    """What is computed from now on: kind, layer, names."""
    seen = []

    def spied(kind: str, work: Any) -> Any:
        def spy(at: Any, names: Sequence[str], report: Any) -> Any:
            seen.append((kind, at.name, tuple(names)))
            return work(at, names, report)

        return spy

    for kind, work in computing.COMPUTE.items():
        monkeypatch.setitem(computing.COMPUTE, kind, spied(kind, work))
    return seen


def test_what_was_stopped_goes_on_and_what_is_damaged_is_computed_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = compare("digits-a", "digits-b", store, device="cpu", **{**SMALL, "indices": ["cka", "opd"]})

    def impatient(what: str, done: float) -> None:
        assert 0 <= done <= 1 + 1e-9
        if "task loss matching into flatten" in what:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        compute(run, CPU, impatient)
    assert Ranks(run).lacking == [("tlm", "flatten")]
    assert not Ranks(run).complete
    at_all = run.value("tlm", "accuracy", "flatten", "flatten")
    assert Ranks(run).curve("tlm", "accuracy", "flatten") == [*[None] * 6, at_all]
    assert Ranks(run).reasons("tlm", "accuracy", "flatten") == [""] * 7
    seen = noted(monkeypatch)
    done = compute(run, CPU)
    assert done.complete
    assert seen == [("tlm", "flatten", ("tlm",))]
    for name in ("opd", PROBE):
        harm(store.path(ROOM, done.key(name, "layer1.0"), ".json"))
    assert Ranks(run).lacking == [("opd", "layer1.0"), (PROBE, "layer1.0")]
    again = compute(run, CPU)
    assert seen[1:] == [("indices", "layer1.0", ("opd",)), (PROBE, "layer1.0", (PROBE,))]
    for name in ("opd", PROBE):
        metric = reading.metrics(name)[0]
        assert again.curve(name, metric, "layer1.0") == done.curve(name, metric, "layer1.0")
    monkeypatch.setattr(computing, "load_pair", None)
    assert compute(run, CPU).complete


def test_the_probe_of_a_front_network_is_that_of_all_its_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    compute(ask("digits-a", "digits-b", store, **FEW), CPU)
    seen = noted(monkeypatch)
    compute(ask("digits-a", "digits-a", store, **FEW), CPU)
    assert {kind for kind, _, _ in seen} == {"dm", "indices"}


def test_training_may_begin_from_direct_matching(store: Store) -> None:
    recipe = TaskLoss(epochs=1, images=2, lr=1e-12, init="dm")
    found = compute(ask("digits-a", "digits-b", store, **{**SMALL, "tlm": recipe, "indices": []}), CPU)
    for layer in LAYERS:
        assert found.curve("tlm", "accuracy", layer) == found.curve("dm", "accuracy", layer)


def test_what_is_not_finite_is_empty_with_its_reason_and_no_neighbours_fault(store: Store) -> None:
    net = models.load("digits-a", store, device="cpu")
    module = copy.deepcopy(net.module)
    with torch.no_grad():
        module.get_parameter("layer2.0.bn1.bias")[0] = torch.nan
    models.save(store, replace(networks.find(store, "digits-a"), name="bad"), module)
    wanted = {**SMALL, "indices": ["cka", "pwcca"]}
    good, bad = (compute(compare(name, "digits-b", store, device="cpu", **wanted), CPU) for name in ("digits-a", "bad"))
    assert bad.complete
    for name in bad.names:
        for metric in reading.metrics(name):
            assert bad.curve(name, metric, "layer1.0") == good.curve(name, metric, "layer1.0")
            count = len(bad.computed(name, "flatten"))
            assert bad.curve(name, metric, "flatten") == [None] * 7
            why = bad.reasons(name, metric, "flatten")
            assert set(why[:count]) == {
                "the front network's activations at flatten are not finite on some training images of the basis"
            }
            assert all(why)


class White(nn.Module):
    """Infinite where a pixel is white."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(1, 12, 1), Spike(), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.act(self.conv(x) / (x < 1.99)).mean((2, 3)))
        return logits


class Spike(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


def test_reasons_of_test_images_are_of_the_layer_and_not_of_a_cut_one() -> None:
    data = noise(size=6, train=60, test=20)
    images = np.minimum(data.test.images, 200)
    images[7, 0, 2, 2] = 255
    data = replace(
        data, train=Split(np.minimum(data.train.images, 200), data.train.labels), test=Split(images, data.test.labels)
    )
    nets = [network(seeded(White, seed), data) for seed in range(2)]
    calm = replace(data, test=data.train)
    there = pair(nets[0], nets[1], data)
    known = bases(there, ["act"], torch.arange(30))["act"]
    assert known is not None
    ranks: Any = SimpleNamespace(
        cut=lambda layer: (1, 10), run=SimpleNamespace(request=SimpleNamespace(seed=0, eval_images=20))
    )
    at = computing._Layer(ranks, there, "act", known, torch.arange(30))
    found = computing._direct(at, ["dm"], lambda what, done: None)["dm"]
    why = "the front network's activations at act are not finite"
    assert [numbers["accuracy"] for numbers in found] == [(None, why)] * 2
    assert [numbers["distance"][0] for numbers in found] == [None] * 2
    fine = replace(at, pair=pair(nets[0], nets[1], calm))
    assert all(
        value is not None
        for numbers in computing._direct(fine, ["dm"], lambda what, done: None)["dm"]
        for value, _ in numbers.values()
    )
    assert Stitch(there.source("act"), there.target("act")).weight.shape == (12, 12)
    assert cut_name("act", 1) in cut_name("act", 10)


class Far(nn.Module):
    """Vectors (``hidden``) far from 0, beside which they hardly vary."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.hidden, self.fc = nn.Flatten(), nn.Linear(36, 12), nn.Linear(12, 4)
        nn.init.constant_(self.hidden.bias, 20.0)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.hidden(self.flat(x)))
        return logits


def test_rounding_noise_of_what_was_cut_away_is_no_direction() -> None:
    data = noise(size=6, train=60, test=60)
    nets = [network(seeded(Far, seed), data) for seed in range(2)]
    there = pair(nets[0], nets[1], data)
    known = bases(there, ["hidden"], torch.arange(60))["hidden"]
    assert known is not None
    ranks: Any = SimpleNamespace(
        cut=lambda layer: (1, 3), run=SimpleNamespace(request=SimpleNamespace(seed=0, eval_images=60))
    )
    at = computing._Layer(ranks, there, "hidden", known, torch.arange(60))
    found = computing._compared(at, ["cca"], lambda what, done: None)["cca"]
    (train, _), (test, _) = data.train.take(torch.arange(60)), data.test.take(data.test.order(0))
    rows, x, y = (
        capture(net.module, "hidden", prepared(net, images)).double().numpy()
        for net, images in ((nets[0], train), (nets[0], test), (nets[1], test))
    )
    vectors = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2]
    for rank, numbers in zip((1, 3), found, strict=True):
        scores = (x - rows.mean(0)) @ vectors[:rank].T
        assert numbers["similarity"][0] == pytest.approx(index_references.cca(scores, y), abs=1e-4)


REQUEST = Request(
    front="a" * 64,
    end="b" * 64,
    data="d" * 64,
    front_layers=("x", "y"),
    end_layers=("x", "y"),
    eval_images=50,
    indices=("cka",),
)


def keys(request: Request, channels: int = 8, images: int = 500) -> dict[tuple[str, str], str]:
    """The keys of ranks that nobody has."""
    made = object.__new__(Ranks)
    made.run = cast(Run, SimpleNamespace(request=request, record={"data": {"train": images}}))
    made.layers, made.names = request.front_layers, (*request.methods, *request.indices, PROBE)
    made._ranks = dict.fromkeys(made.layers, grid_of(channels))
    return dict(made._keys)


CHANGES: dict[str, tuple[Request, set[str]]] = {
    "front": (replace(REQUEST, front="c" * 64), {"tlm", "dm", "cka", PROBE}),
    "end": (replace(REQUEST, end="c" * 64), {"tlm", "dm", "cka"}),
    "data": (replace(REQUEST, data="c" * 64), {"tlm", "dm", "cka", PROBE}),
    "seed": (replace(REQUEST, seed=1), {"tlm", "dm", "cka", PROBE}),
    "precision": (replace(REQUEST, precision=cast(Precision, "bf16")), {"tlm", "dm", "cka", PROBE}),
    "images of evaluation": (replace(REQUEST, eval_images=49), {"tlm", "dm", "cka", PROBE}),
    "K": (replace(REQUEST, dm=DirectMatching(images=99)), {"tlm", "dm", "cka", PROBE}),
    "recipe": (replace(REQUEST, tlm=TaskLoss(lr=1e-4)), {"tlm"}),
    "training images": (replace(REQUEST, tlm=TaskLoss(images=99)), {"tlm", PROBE}),
    **{
        f"version of {name}": (replace(REQUEST, definitions={**REQUEST.definitions, "cka": 1, name: 9}), changed)
        for name, changed in {
            "dm": {"dm"},
            "tlm": {"tlm"},
            "evaluation": {"tlm", "dm"},
            "functional": {"tlm", "dm"},
            "cka": {"cka"},
        }.items()
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_hangs_on_all_that_its_numbers_depend_on(change: str) -> None:
    request, names = CHANGES[change]
    before = keys(replace(REQUEST, definitions={**REQUEST.definitions, "cka": 1}))
    after = keys(
        request if "cka" in request.definitions else replace(request, definitions={**request.definitions, "cka": 1})
    )
    assert {name for name, layer in before if before[name, layer] != after[name, layer]} == names
    assert len(set(before.values())) == len(before) == 8


@pytest.mark.parametrize(("module", "names"), [(reading, {"tlm", "dm", "cka", PROBE}), (probes, {PROBE})])
def test_a_key_hangs_on_its_definitions(monkeypatch: pytest.MonkeyPatch, module: Any, names: set[str]) -> None:
    request = replace(REQUEST, definitions={**REQUEST.definitions, "cka": 1})
    before = keys(request)
    assert all(before[where] != key for where, key in keys(request, channels=16).items()), "of the ranks"
    assert {name for (name, _), key in keys(request, images=499).items() if key != before[name, "x"]} >= {PROBE}
    monkeypatch.setattr(module, "VERSION", 7)
    assert {name for (name, layer), key in keys(request).items() if key != before[name, layer]} == names


def test_what_has_no_ranks_says_so(store: Store) -> None:
    with pytest.raises(StitchLabError, match="ranks need a run whose front and end layers are the same") as raised:
        Ranks(ask("digits-a", "digits-b", store, **{**FEW, "end_layers": ["flatten"]}))
    assert "\n" not in str(raised.value)
    run = ask("digits-a", "digits-b", store, **FEW)
    found = Ranks(run)
    for wrong in (
        ("tlm", "accuracy", "flatten"),
        ("dm", "penalty", "flatten"),
        ("dm", "accuracy", "layer2.0"),
        ("cka", "distance", "flatten"),
        (PROBE, "distance", "flatten"),
    ):
        with pytest.raises(UnknownName):
            found.curve(*wrong)
    assert found.curve("dm", "accuracy", "flatten") == [None] * 7
    assert set(STITCHED) == {"accuracy", "distance", "agreement", "jsd", "error_consistency"}
    shutil.rmtree(store.root / "layers")
    with pytest.raises(NotFoundYet):
        Ranks(run)
    assert compute(run, CPU).complete, "whoever computes finds where it can be cut"


def test_ranks_stay_as_long_as_a_run_that_they_are_of(store: Store) -> None:
    runs = [ask("digits-a", end, store, **FEW) for end in ("digits-a", "digits-b")]
    mine, theirs = (compute(run, CPU).keys for run in runs)
    assert set(store.keys(ROOM)) == mine | theirs
    clean(store, min_age_s=-1)
    assert set(store.keys(ROOM)) == mine | theirs
    delete_run(store, runs[0].id)
    assert set(store.keys(ROOM)) == theirs
    store.path(ROOM, "f" * 64, ".json").write_text("{}")
    clean(store, min_age_s=-1)
    assert set(store.keys(ROOM)) == theirs


def test_nothing_is_computed_of_what_was_opened_from_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask("digits-a", "digits-b", store, **FEW)
    monkeypatch.setattr(Store, "source", SimpleNamespace(file="somebodys.stitch"))
    with pytest.raises(StitchLabError, match=r"opened from somebodys\.stitch"):
        compute(run, CPU)
    assert not Path(store.root / ROOM).exists()
