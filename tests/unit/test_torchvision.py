"""torchvision's networks: all of them cut, tails equal to the whole, published weights with what belongs to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from toys import noise

from stitchlab.catalog.architectures import TORCHVISION
from stitchlab.cutting.fx_graph import TracedNetwork
from stitchlab.cutting.layered import Layered
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models import create as making
from stitchlab.models import importing, zoo
from stitchlab.models import store as model_store
from stitchlab.models.architectures_table import row
from stitchlab.models.cut_points import cut_points_of_any, cut_points_of_architecture
from stitchlab.models.store import prepare
from stitchlab.models.zoo import vision
from stitchlab.results.networks import Network
from stitchlab.store import Store

#: The smallest of each family, with an input as small as it takes. All others are built of the same blocks: `make slow`
#: runs them too.
FAMILIES = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "efficientnet_v2_s": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "maxvit_t": 224,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "resnext50_32x4d": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_0": 32,
    "swin_t": 32,
    "swin_v2_t": 64,
    "vgg11": 32,
    "vgg11_bn": 32,
    "vit_b_32": 32,
    "wide_resnet50_2": 32,
}
SMALLEST = {"vit_h_14": 28, "vit_l_16": 32, "vit_b_16": 32, "vit_l_32": 32, "swin_v2_b": 64, "swin_v2_s": 64}


def alive(module: torch.nn.Module, size: int) -> torch.nn.Module:
    """With weights and statistics that let something through to the logits, as a trained network's do."""
    generator = torch.Generator().manual_seed(3)
    norms = [child for child in module.modules() if isinstance(child, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        module.train()(torch.rand(4, 3, size, size, generator=generator))
    for name, parameter in module.named_parameters():
        if name.endswith("heads.head.weight"):
            torch.nn.init.normal_(parameter, std=0.02, generator=generator)
    return module.eval()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are filled with cheap numbers: drawing proper ones takes seconds a network."""

    def fill(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        with torch.no_grad():
            return tensor.uniform_(-1, 1).div_(max(1, tensor[0].numel() if tensor.dim() > 1 else 1) ** 0.5)

    for name in ("kaiming_normal_", "kaiming_uniform_", "trunc_normal_", "normal_", "xavier_uniform_", "uniform_"):
        monkeypatch.setattr(torch.nn.init, name, fill)


REST = [name.removeprefix(TORCHVISION) for name in vision.names() if name.removeprefix(TORCHVISION) not in FAMILIES]


@pytest.mark.parametrize("name", [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in REST)])
@pytest.mark.usefixtures("quickly")
@torch.no_grad()
def test_tails_equal_the_whole_network(name: str) -> None:
    size = FAMILIES.get(name) or SMALLEST.get(name, 32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = alive(zoo.build(f"torchvision/{name}", classes=5, channels=3, size=size), size)
    cuts = Layered(module, (3, size, size))
    assert cuts.traced
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    whole = module(x)
    assert (whole[0] - whole[1]).abs().max() > 0, "it says something of its images"
    blocks = cuts.defaults()
    assert len(blocks) >= 4
    chosen = [blocks[0], blocks[len(blocks) // 2], cuts.points[-2].name]
    for name, activation in zip(chosen, cuts.up_to(chosen)(x), strict=True):
        assert tuple(activation.shape[1:]) == cuts.find(name).shape, name
        torch.testing.assert_close(cuts.after(name)(activation), whole, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("name", vision.names())
def test_every_network_is_cut_without_its_weights(name: str) -> None:
    short = name.removeprefix(TORCHVISION)
    size = FAMILIES.get(short) or SMALLEST.get(short, 64)
    module = zoo.sketch(name, classes=5, channels=3, size=size)
    assert {p.device.type for p in module.parameters()} == {"meta"}
    graph = TracedNetwork(module, (3, size, size))
    assert len(graph.points) > 10
    assert sum(p.default for p in graph.points) >= 4
    assert graph.points[-1].parameters == sum(p.numel() for p in module.parameters())
    assert graph.points[-1].shape == (5,)


def test_names_are_torchvisions() -> None:
    assert set(vision.names()) == {
        f"torchvision/{name}" for name in torchvision.models.list_models(module=torchvision.models)
    }
    with pytest.raises(UnknownName, match="nearest: torchvision/resnet50"):
        zoo.architecture("torchvision/resnet51")


@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "swin_t", "vit_b_32", "squeezenet1_0"])
def test_grey_images(name: str) -> None:
    module = zoo.build(f"torchvision/{name}", classes=4, channels=1, size=32).eval()
    assert module(torch.zeros(2, 1, 32, 32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("inception_v3", 64, r"does not take images of 64×64 pixels .*sizes that it takes: 75, 96, 112"),
        ("maxvit_t", 100, r"not divisible by partition size 7.*sizes that it takes: 224, 448"),
        ("vit_b_16", 100, r"Input shape indivisible by patch size.*sizes that it takes: 96, 112, 128"),
    ],
)
def test_sizes_that_do_not_fit_name_those_that_do(name: str, size: int, message: str) -> None:
    with pytest.raises(StitchLabError, match=message) as raised:
        making.cut_points_for(f"torchvision/{name}", noise(3, 8), size=size)
    assert "\n" not in str(raised.value)


def test_an_outline_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    found = zoo.architecture("torchvision/resnet18")
    network = Network(
        name="n",
        architecture=found.name,
        options={},
        classes=("a", "b"),
        channels=3,
        size=64,
        mean=(),
        std=(),
        data="",
        data_fingerprint="",
        origin={},
    )
    first = cut_points_of_any(store, network)
    monkeypatch.setattr("stitchlab.models.cut_points.cut_points_of_architecture", lambda *_: pytest.fail("it is known"))
    assert (
        cut_points_of_any(store, network).record()
        == first.record()
        == cut_points_of_architecture(found, network).record()
    )
    assert cut_points_of_any(store, network).find("layer1").name == "layer1.1"


def test_the_table_in_the_docs_is_true() -> None:
    """Every architecture is in it, and a few lines that `stitchlab.models.architectures_table` makes are made again."""
    there = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text().splitlines()
    named = [line.split("`")[1] for line in there if line.startswith("| `")]
    if torchvision.__version__.split(".")[:2] == ["0", "29"]:  # later ones know more
        assert named == zoo.known_names()
    for name in ("tiny10", "noise", "mlp", "vit-tiny", "torchvision/resnet50", "torchvision/vit_b_16"):
        assert row(name) in there


class Pretend:
    """Stands for torchvision's server: gives the state dict that it is given."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors, self.calls = tensors, 0

    def __call__(self, url: str, *_: Any, **more: Any) -> dict[str, torch.Tensor]:
        self.calls += 1
        assert more["weights_only"]
        assert more["check_hash"]
        return dict(self.tensors)


def test_published_weights_bring_their_preprocessing_and_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = torchvision.models.resnet18(weights=None)
    server = Pretend(theirs.state_dict())
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", server)
    data = noise(3, 40, train=4, test=4)
    with pytest.raises(StitchLabError, match=r"is not on this machine .* add --download"):
        importing.import_weights("DEFAULT", store, arch="torchvision/resnet18", data=data, name="r18", device="cpu")
    with pytest.raises(StitchLabError, match="published weights come with their own size, classes: leave these out"):
        importing.import_weights(
            "DEFAULT", store, arch="torchvision/resnet18", data=data, name="r18", size=64, classes=3, device="cpu"
        )
    assert server.calls == 0
    made = importing.import_weights(
        "DEFAULT", store, arch="torchvision/resnet18", data=data, name="r18", download=True, device="cpu"
    )
    assert server.calls == 1
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    assert made.classes == tuple(weights.meta["categories"])
    assert made.accuracy is None
    loaded = model_store.load("r18", store, device="cpu")
    assert loaded.module is not None
    images = torch.from_numpy(data.test.images)
    expected = weights.transforms()(images)
    torch.testing.assert_close(prepare(loaded, images), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(prepare(loaded, images)), theirs.eval()(expected))
    with pytest.raises(UnknownName, match="no published weights of torchvision/resnet18 is called 'V7'"):
        importing.import_weights(
            "V7", store, arch="torchvision/resnet18", data=data, name="x", download=True, device="cpu"
        )


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_that_rescale_their_input_by_themselves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision publishes these with transform_input: here it is part of the preprocessing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = torchvision.models.get_model(
            name, weights=None, transform_input=True, aux_logits=True, init_weights=False
        )
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", Pretend(theirs.state_dict()))
    data = noise(3, 40, train=2, test=2)
    store = Store(tmp_path)
    importing.import_weights(
        "DEFAULT", store, arch=f"torchvision/{name}", data=data, name="n", download=True, device="cpu"
    )
    made = model_store.load("n", store, device="cpu")
    images = torch.from_numpy(data.test.images)
    expected = torchvision.models.get_model_weights(name).DEFAULT.transforms()(images)
    with torch.no_grad():
        torch.testing.assert_close(made.module(prepare(made, images)), theirs.eval()(expected), atol=1e-4, rtol=1e-4)


def test_without_a_network_published_weights_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known\nsecond line")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(StitchLabError, match=r"could not be downloaded from https://.* \(Name or service") as raised:
        importing.import_weights(
            "DEFAULT",
            Store(tmp_path),
            arch="torchvision/resnet18",
            data=noise(3, 40),
            name="r",
            download=True,
            device="cpu",
        )
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("networks/*"))
