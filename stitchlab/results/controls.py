"""Name and look up controls: front networks in which nothing was learned, to compare measures against.

`stitchlab.models.controls` makes a control when a run with it is computed. Here are their names, and their records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stitchlab.request import checked_seed, content_id
from stitchlab.results import networks
from stitchlab.results.networks import Network
from stitchlab.store import Store

RANDOM = "random-init of "  # followed by a network's name: an untrained network of the same architecture
NOISE = "noise"


def is_control(name: str) -> bool:
    """Tell whether a front network's name is that of a control."""
    return name == NOISE or name.startswith(RANDOM)


def names(all_networks: Sequence[Network]) -> list[str]:
    """List the controls that a comparison offers, given the networks of the store."""
    return [NOISE, *(RANDOM + n.name for n in all_networks if n.origin.get("how") != "control")]


def pattern(store: Store, name: str, end: Network) -> Network:
    """Find the network whose shape a control has: the end network for noise, X for ``random-init of X``.

    Args:
        store: where networks are.
        name: of the control.
        end: the end network of the comparison.

    Raises:
        StitchLabError: as `networks.find`.
    """
    return end if name == NOISE else networks.find(store, name.removeprefix(RANDOM))


def draft(store: Store, name: str, end: Network, seed: int) -> Network:
    """Describe a control that is not made yet: its record, without an id.

    An untrained network has the cut points of the network that it is like: ``origin["like"]`` is that network's id.

    Args:
        store: where networks are.
        name, seed: of the control.
        end: the end network of the comparison.

    Raises:
        StitchLabError: the seed is not valid, or as `networks.find`.
    """
    like = pattern(store, name, end)
    random = name != NOISE
    origin = {"how": "control", "control": RANDOM + like.name if random else NOISE, "of": _made_for(name, like)}
    untrained = replace(
        like,
        id="",
        name=networks.some_name(store, f"{name}-s{seed}"),
        seed=checked_seed(seed),
        accuracy=None,
        parameters=like.parameters if random else 0,
        created="",
        origin=origin | ({"like": like.id} if random else {}),
    )
    if random:
        return untrained
    return replace(
        untrained,
        architecture=NOISE,
        options={},
        mean=(0.0,) * like.channels,
        std=(1.0,) * like.channels,
        resize=None,
        code=None,
    )


def _made_for(name: str, like: Network) -> str:
    """Return a hash of what a control is made for: classes and input for noise, else the id of the trained network."""
    return content_id([like.classes, *like.input] if name == NOISE else like.id)


def kept(store: Store, name: str, end: Network, seed: int) -> Network | None:
    """Find the control of this name in the store.

    Two trained networks of one architecture share their untrained control of one seed.

    Args:
        store: where networks are.
        name, seed: of the control.
        end: the end network of the comparison.

    Returns:
        None if it is not made yet.

    Raises:
        StitchLabError: as `networks.find`.
    """
    like = pattern(store, name, end)
    made_for = _made_for(name, like)
    for network in networks.list_networks(store):
        if (network.origin.get("how"), network.seed) == ("control", seed) and (
            network.origin.get("of") == made_for or (name != NOISE and _same_architecture(network, like))
        ):
            return network
    return None


def _same_architecture(control: Network, like: Network) -> bool:
    """Tell whether two networks are equal except for their weights, so that their untrained versions are equal."""
    fields = ("architecture", "options", "classes", "input", "mean", "std", "resize", "interpolation", "code")
    return all(getattr(control, field) == getattr(like, field) for field in fields)
