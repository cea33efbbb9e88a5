"""Controls: front networks in whose activations nothing was learned, which a good measure of similarity rates low."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stitchlab.models import store as networks
from stitchlab.models.store import Network, some_name
from stitchlab.request import checked_seed, content_id, derived_seed
from stitchlab.store import Store

RANDOM = "random-init of "  # a network's name behind it: the same architecture, untrained
NOISE = "noise"


def front(store: Store, name: str, end: Network, seed: int) -> Network:
    """The network of this name or id, or a control, which is made and kept if need be; without its module.

    ``random-init of X`` is X's architecture, untrained; ``noise`` has activations that are noise, for ``end``'s
    classes and images. A good measure of similarity rates both low. Raises as `networks.find`.
    """
    if name != NOISE and not name.startswith(RANDOM):
        return networks.find(store, name)
    like = end if name == NOISE else networks.find(store, name.removeprefix(RANDOM))
    of = [like.classes, *like.input] if name == NOISE else like.id
    for there in networks.list_networks(store):
        if (there.origin.get("how"), there.origin.get("of"), there.seed) == ("control", content_id(of), seed):
            return there
    origin = {"how": "control", "control": NOISE if name == NOISE else RANDOM + like.name, "of": content_id(of)}
    made = replace(like, id="", name=some_name(store, f"{name}-s{seed}"), seed=checked_seed(seed), accuracy=None,
                   origin=origin)
    if name == NOISE:
        made = replace(made, architecture=NOISE, options={}, mean=(0.0,) * like.channels, std=(1.0,) * like.channels,
                       resize=None, code=None)
    module = networks.fresh(made, networks.architecture(made), derived_seed("control", seed))
    # Untrained networks of one architecture are one network, whichever of its trained ones is named.
    kept = store.intact(networks.ROOM, networks.fingerprint(made, module.state_dict()))
    return networks.save(store, made, module) if kept is None else Network.from_record(kept)


def names(there: Sequence[Network]) -> list[str]:
    """Names that `front` makes beside those of these networks."""
    return [NOISE, *(RANDOM + n.name for n in there if n.origin.get("how") != "control")]
