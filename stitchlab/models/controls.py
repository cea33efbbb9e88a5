"""Makes controls: front networks in whose activations nothing was learned (`stitchlab.results.controls`)."""

from __future__ import annotations

from dataclasses import replace

from stitchlab.models import store as model_store
from stitchlab.models.cut_points import cut_points_of_any, cut_points_of_architecture
from stitchlab.request import derived_seed
from stitchlab.results import controls, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network
from stitchlab.store import Store


def cut_points_of(store: Store, name: str, end: Network, seed: int) -> Cuts:
    """Find the cut points of the front network of this name, without making it where it is a control.

    Args:
        store: where networks are kept.
        name: a network's name or id, or a control's name.
        end: the end network; a control has its classes and input.
        seed: of a control's weights.

    Raises:
        UnknownName: no network has this name.
        StitchLabError: the images do not fit, or there is no cut point.
    """
    if not controls.is_control(name):
        return cut_points_of_any(store, networks.find(store, name))
    if name != controls.NOISE:
        return cut_points_of_any(store, controls.pattern(store, name, end))
    draft = controls.draft(store, name, end, seed)
    return cut_points_of_architecture(model_store.architecture(draft), draft)


def front(store: Store, name: str, end: Network, seed: int) -> Network:
    """Find the front network of this name or id, without its module; a missing control is made and saved.

    ``random-init of X`` is X's architecture with untrained weights, and the activations of ``noise`` are noise. A good
    measure of similarity rates both low.

    Args:
        store: where networks are kept.
        name: a network's name or id, or a control's name.
        end: the end network; a control has its classes and input.
        seed: of a control's weights.

    Raises:
        UnknownName: no network has this name.
        StitchLabError: a control cannot be built or saved.
    """
    if not controls.is_control(name):
        return networks.find(store, name)
    if (existing := controls.kept(store, name, end, seed)) is not None:
        return existing
    draft = controls.draft(store, name, end, seed)
    draft = replace(draft, origin={key: value for key, value in draft.origin.items() if key != "like"})
    module = model_store.build_fresh(draft, model_store.architecture(draft), derived_seed("control", seed))
    # "random-init of X" and "random-init of Y" are the same network where X and Y have the same architecture.
    record = store.intact(networks.ROOM, model_store.fingerprint(draft, module.state_dict()))
    control = model_store.save(store, draft, module) if record is None else Network.from_record(record)
    cut_points_of_any(store, control)
    return control
