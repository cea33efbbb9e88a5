"""Makes controls: front networks in whose activations nothing was learned (`stitchlab.results.controls`)."""

from __future__ import annotations

from dataclasses import replace

from stitchlab.models import store as model_store
from stitchlab.models.cut_points import of_architecture, outline
from stitchlab.request import derived_seed
from stitchlab.results import controls, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network
from stitchlab.store import Store


def cut_points_of(store: Store, name: str, end: Network, seed: int) -> Cuts:
    """Find where the front network of this name can be cut; a control is not made for it.

    Args:
        store: where networks are kept.
        name: of a network, its id, or a control's name.
        end: the end network, whose classes and images a control takes.
        seed: that a control is drawn from.

    Raises:
        UnknownName: no network has this name.
        StitchLabError: its images do not fit, or it can be cut nowhere.
    """
    if not controls.is_control(name):
        return outline(store, networks.find(store, name))
    if name != controls.NOISE:
        return outline(store, controls.pattern(store, name, end))
    made = controls.draft(store, name, end, seed)
    return of_architecture(model_store.architecture(made), made)


def front(store: Store, name: str, end: Network, seed: int) -> Network:
    """Find the front network of this name or id, without its module; a control is made and kept if need be.

    ``random-init of X`` is X's architecture, untrained; ``noise`` has activations that are noise. A good measure of
    similarity rates both low.

    Args:
        store: where networks are kept.
        name: of a network, its id, or a control's name.
        end: the end network, whose classes and images a control takes.
        seed: that a control is drawn from.

    Raises:
        UnknownName: no network has this name.
        StitchLabError: a control cannot be built or kept.
    """
    if not controls.is_control(name):
        return networks.find(store, name)
    if (there := controls.kept(store, name, end, seed)) is not None:
        return there
    made = controls.draft(store, name, end, seed)
    made = replace(made, origin={key: value for key, value in made.origin.items() if key != "like"})
    module = model_store.fresh(made, model_store.architecture(made), derived_seed("control", seed))
    # Untrained networks of one architecture are one network, whichever of its trained ones is named.
    record = store.intact(networks.ROOM, model_store.fingerprint(made, module.state_dict()))
    control = model_store.save(store, made, module) if record is None else Network.from_record(record)
    outline(store, control)
    return control
