"""Name controls: front networks in which nothing was learned, to compare measures against.

They are made when work is asked for, by `stitchlab.models.controls`; here is how they are called, and whether one is
there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stitchlab.request import checked_seed, content_id
from stitchlab.results import networks
from stitchlab.results.networks import Network
from stitchlab.store import Store

RANDOM = "random-init of "  # a network's name behind it: the same architecture, untrained
NOISE = "noise"


def is_control(name: str) -> bool:
    """Tell whether a front network's name asks for a control."""
    return name == NOISE or name.startswith(RANDOM)


def names(there: Sequence[Network]) -> list[str]:
    """List the controls that a comparison offers, given the networks of the store."""
    return [NOISE, *(RANDOM + n.name for n in there if n.origin.get("how") != "control")]


def pattern(store: Store, name: str, end: Network) -> Network:
    """Find the network that a control imitates: the end network for noise, else X of ``random-init of X``.

    Args:
        store: where networks are.
        name: of the control.
        end: the end network that it is stitched to.

    Raises:
        StitchLabError: as `networks.find`.
    """
    return end if name == NOISE else networks.find(store, name.removeprefix(RANDOM))


def draft(store: Store, name: str, end: Network, seed: int) -> Network:
    """Describe a control that is not made yet: its record, without an id.

    ``origin`` says what it is of, and which network it is like (its id), whose cut points it has; noise has its own.

    Args:
        store: where networks are.
        name, seed: of the control.
        end: the end network that it is stitched to.

    Raises:
        StitchLabError: the seed is not valid, or as `networks.find`.
    """
    like = pattern(store, name, end)
    random = name != NOISE
    origin = {"how": "control", "control": RANDOM + like.name if random else NOISE, "of": _of(name, like)}
    made = replace(
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
        return made
    return replace(
        made,
        architecture=NOISE,
        options={},
        mean=(0.0,) * like.channels,
        std=(1.0,) * like.channels,
        resize=None,
        code=None,
    )


def _of(name: str, like: Network) -> str:
    """Return a hash of what a control is made for: classes and input for noise, else a network without its weights."""
    return content_id([like.classes, *like.input] if name == NOISE else like.id)


def kept(store: Store, name: str, end: Network, seed: int) -> Network | None:
    """Find the control of this name in the store.

    Untrained networks of one architecture are one network, whichever of its trained ones it was made after.

    Args:
        store: where networks are.
        name, seed: of the control.
        end: the end network that it is stitched to.

    Returns:
        None if it is not made yet.

    Raises:
        StitchLabError: as `networks.find`.
    """
    like = pattern(store, name, end)
    of = _of(name, like)
    for there in networks.list_networks(store):
        if (there.origin.get("how"), there.seed) == ("control", seed) and (
            there.origin.get("of") == of or (name != NOISE and _untrained(there, like))
        ):
            return there
    return None


def _untrained(control: Network, like: Network) -> bool:
    """Tell whether a control is what an untrained network like this one would be."""
    same = ("architecture", "options", "classes", "input", "mean", "std", "resize", "interpolation", "code")
    return all(getattr(control, name) == getattr(like, name) for name in same)
