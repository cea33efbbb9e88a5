"""Cut points in the store: found once, kept under the network's id with the version of how they are found."""

from __future__ import annotations

import json

import pytest
import torchvision
from grids import harm

from stitchlab.models import cut_points as finding
from stitchlab.models import store as model_store
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.request import content_id
from stitchlab.results import cut_points, networks
from stitchlab.results.cut_points import ROOM, VERSION, CutPoint, Cuts, selections
from stitchlab.results.networks import Network
from stitchlab.store import Store

WRONG = Cuts([CutPoint("wrong", (), (1,), True, 1)], 1, 1, True)


def key(network: Network) -> str:
    return f"{network.id}-{VERSION}"


def former(network: Network) -> str:
    """The key that they had when they were kept by architecture."""
    return content_id(
        {
            "architecture": network.architecture,
            "options": network.options,
            "classes": len(network.classes),
            "input": network.input,
            "code": None,
            "version": 2,
            "network": "",
            "torchvision": torchvision.__version__,
            "timm": None,
        }
    )


def test_a_networks_own_are_kept_when_it_is_made(store: Store) -> None:
    network = networks.find(store, "digits-a")
    assert set(store.keys(ROOM)) == {key(network) for network in networks.list_networks(store)}
    kept = cut_points.kept(store, network.id)
    assert kept is not None
    assert kept.record() == finding.cut_points_of_architecture(model_store.architecture(network), network).record()
    assert kept.record() == Cuts.from_record(json.loads(json.dumps(kept.record()))).record()
    assert kept.points == Cuts.from_record(json.loads(json.dumps(kept.record()))).points


def test_reading_them_finds_nothing_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    network = networks.find(store, "vit")
    cut_points.delete(store, network.id)
    assert cut_points.kept(store, network.id) is None
    first = cut_points_of_any(store, network)
    assert store.has(ROOM, key(network))
    monkeypatch.setattr(finding, "cut_points_of_architecture", lambda *_: pytest.fail("they are known"))
    again = cut_points.kept(store, network.id)
    assert again is not None
    assert again.record() == cut_points_of_any(store, network).record() == first.record()


def test_entries_of_the_former_layout_and_of_other_versions_are_not_used(store: Store) -> None:
    network = networks.find(store, "vit")
    cut_points.delete(store, network.id)
    others = [former(network), network.id, f"{network.id}-{VERSION - 1}", f"{network.id}-{VERSION + 1}"]
    for other in others:
        store.put(ROOM, other, WRONG.record())
    assert cut_points.kept(store, network.id) is None
    found = cut_points_of_any(store, network)
    assert found.defaults() == [f"blocks.{b}" for b in range(6)]
    assert set(others) <= set(store.keys(ROOM)), "they stay as they were"


def test_damaged_ones_are_found_again(store: Store) -> None:
    network = networks.find(store, "digits-a")
    before = cut_points_of_any(store, network).record()
    harm(store.path(ROOM, key(network), ".json"))
    assert cut_points.kept(store, network.id) is None
    assert cut_points_of_any(store, network).record() == before
    assert cut_points.kept(store, network.id) is not None


def test_they_go_with_their_network_and_with_no_other(store: Store) -> None:
    network = networks.find(store, "digits-a")
    store.put(ROOM, f"{network.id}-{VERSION - 1}", WRONG.record())
    networks.delete(store, "digits-a")
    assert store.keys(ROOM) == sorted(key(networks.find(store, name)) for name in ("digits-b", "vit"))


def chain(blocks: list[str], between: list[str] | None = None) -> Cuts:
    """Made-up cut points: blocks, which a grid offers unasked, and others, which it does not."""
    points = [CutPoint(name, (), (1,), True, 1) for name in blocks]
    return Cuts([*points, *(CutPoint(name, (), (1,), False, 1) for name in between or [])], 1, 1, True)


def test_choices_of_a_deep_networks_layers() -> None:
    """ResNet-like: three stages of six blocks; each choice in network order, the last block in every one that skips."""
    blocks = [f"layer{stage}.{k}" for stage in (1, 2, 3) for k in range(6)]
    found = selections(chain(blocks, ["relu", "flatten"]))
    assert list(found) == [
        "All blocks (18)",
        "Every second block (9)",
        "Every third block (6)",
        "Every fourth block (5)",
        "The last block of each stage (3)",
        "Stage layer1 (6)",
        "Stage layer2 (6)",
        "Stage layer3 (6)",
        "All cut points (20)",
    ]
    assert found["Every second block (9)"] == blocks[1::2]
    assert found["Every fourth block (5)"] == [blocks[k] for k in (1, 5, 9, 13, 17)]
    assert found["The last block of each stage (3)"] == ["layer1.5", "layer2.5", "layer3.5"]
    assert found["Stage layer2 (6)"] == blocks[6:12]
    for layers in found.values():
        assert layers == [name for name in [*blocks, "relu", "flatten"] if name in layers]


@pytest.mark.parametrize("blocks", [[f"relu{k}" for k in range(1, 9)], [f"blocks.{k}" for k in range(8)], ["fc"]])
def test_networks_without_stages_have_no_choice_by_stage(blocks: list[str]) -> None:
    found = selections(chain(blocks))
    assert not [title for title in found if "tage" in title]
    assert found[f"All blocks ({len(blocks)})"] == blocks
    assert "All cut points" not in " ".join(found), "they are the blocks"


def test_stages_begin_where_names_differ() -> None:
    blocks = [f"features.denseblock{b}.denselayer{k}" for b in (1, 2) for k in (1, 2, 3)]
    assert selections(chain(blocks))["Stage features.denseblock2 (3)"] == blocks[3:]
