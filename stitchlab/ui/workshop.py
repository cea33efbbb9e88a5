"""Draws the training of a network: a form whose values the worker checks again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog import architectures
from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Attack, Recipe, recipe
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs
from stitchlab.results import data_sets, demo, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store
from stitchlab.ui.asking import answered

SEEDS = 20  # networks in one go, at most
EPSILONS = 255  # ε is picked in so many parts of the range of pixels


def train(store: Store, jobs: Jobs) -> None:
    """Draw the form of a training."""
    st.markdown(
        "Training runs in the background, on this machine or on your cluster: you may close the page. The "
        "command line has more options, and takes your own classes: `python -m stitchlab train --help`."
    )
    left, right = st.columns(2)
    with left:
        arch = architecture()
    with right:
        data = data_set(store)
    options, size = shape(arch, data)
    chosen = _recipe(arch, data)
    if not fits(jobs, arch, data, options, size) or chosen is None:
        return
    text, clicked = ui.beside("Train", ":material/play_arrow:", primary=True, key="train")
    how, seeds, name = chosen
    names = [_name(store, name, data, arch, seed, many=len(seeds) > 1) for seed in seeds]
    text.markdown(
        f"**{', '.join(names)}**: {how.epochs} epochs over {data.train:,} images, "
        f"{how.optimiser.upper()}, one cycle of the learning rate up to {how.lr:g}, batches of {how.batch}."
    )
    if clicked:
        wanted = {
            "arch": arch,
            "data": data.fingerprint or data.name,
            "options": options,
            "size": size,
            "epochs": how.epochs,
            "augment": list(how.augment),
            "label_noise": how.label_noise,
            "attack": how.attack,
        }
        ui.queue(lambda: _submit(store, jobs, names, [{**wanted, "seed": seed} for seed in seeds]))


def _submit(store: Store, jobs: Jobs, names: list[str], wanted: list[dict[str, Any]]) -> None:
    free(store, jobs, names)
    for name, what in zip(names, wanted, strict=True):
        jobs.train({"name": name, **what})


def free(store: Store, jobs: Jobs, names: list[str]) -> None:
    """Check that these names can be given to new networks.

    Args:
        store: where networks are.
        jobs: the queue, where networks are being made.
        names: that are to be given.

    Raises StitchLabError where a network of such a name is there or being made.
    """
    for name in names:
        networks.check_name_free(store, name)
    idle(jobs, names)


def idle(jobs: Jobs, names: list[str]) -> None:
    """Check that no network of such a name is being made. Raises StitchLabError where one is."""
    busy = {name for name, status in jobs.begun().items() if status.active}
    for name in names:
        if name in busy:
            raise StitchLabError(f"{name} is being made already: choose another name, or wait")


def _name(store: Store, name: str, data: DataRecord, arch: str, seed: int, *, many: bool) -> str:
    if name:
        return f"{name}-s{seed}" if many else name
    return networks.some_name(store, f"{data.label}-{arch.rpartition('/')[2]}-s{seed}")


def architecture() -> str:
    """Draw the choice of an architecture and return its name."""
    st.session_state.setdefault("arch", demo.ARCHITECTURE)  # a file that is to be imported may have set another
    return str(
        st.selectbox(
            "Architecture",
            architectures.known(),
            key="arch",
            format_func=lambda name: f"{name} · {ARCHITECTURES[name].label}" if name in ARCHITECTURES else name,
            help="Of StitchLab's own, made for small images, and of torchvision. Type to search.",
        )
    )


def data_set(store: Store) -> DataRecord:
    """Choose a data set that is on this machine, at first the one that was loaded last."""
    there = data_sets.at_hand(store)
    newest = max(there.values(), key=lambda record: record.loaded)
    if st.session_state.get("training_data") not in there:
        st.session_state["training_data"] = newest.name
    name = st.selectbox(
        "Data set",
        list(there),
        key="training_data",
        format_func=lambda key: there[key].label,
        help="Those that are on this machine. Add others under Data sets.",
    )
    return there[str(name)]


def shape(arch: str, data: DataRecord) -> tuple[dict[str, Any], int | None]:
    """Choose the architecture's options and the input size in pixels a side; None: as the images."""
    found = architectures.entry(arch)
    columns = st.columns(max(3, 1 + len(found.options)))
    options: dict[str, Any] = {}
    for column, (name, default) in zip(columns, found.options.items(), strict=False):
        if name in found.words:
            options[name] = column.selectbox(name.capitalize(), found.words[name], key=f"{arch}-{name}")
        else:
            options[name] = int(column.number_input(name.capitalize(), 1, None, default, key=f"{arch}-{name}"))
    size = columns[len(found.options)].number_input(
        "Input size",
        1,
        1024,
        None,
        key="size",
        placeholder=f"as the images: {data.shape[1]}",
        help="Pixels a side; images are resized to it. torchvision's networks were made for 224.",
    )
    return options, None if size is None else int(size)


def _recipe(arch: str, data: DataRecord) -> tuple[Recipe, list[int], str] | None:
    """Choose the recipe, the seeds and the name; None, with a message, where they are not valid."""
    found = architectures.entry(arch)
    if found.optimiser is None:
        st.info("This is a control: it is not trained. Compare offers it as a front network.", icon=":material/info:")
        return None
    known = recipe(found.optimiser, data.train, natural=data.natural)
    one, two, three = st.columns(3)
    name = one.text_input("Name", key="name", placeholder="from data, architecture and seed")
    epochs = two.number_input("Epochs", 1, None, None, key="train_epochs", placeholder=f"as the recipe: {known.epochs}")
    seeds = three.text_input("Seeds", "0", key="seeds", help="One network for each: 0, 1, 2")
    with st.expander("Recipe: augmentation, label noise, adversarial training", icon=":material/tune:"):
        changes = _changes(known, natural=data.natural)
    try:
        how = recipe(found.optimiser, data.train, natural=data.natural, epochs=epochs, **changes)
        return how, _seeds(seeds), name
    except StitchLabError as error:
        ui.say(error)
        return None


def _changes(usual: Recipe, *, natural: bool) -> dict[str, Any]:
    """Choose what is done to training images and labels, as `recipe` takes it, at first what is usual."""
    one, two, three, four = st.columns(4)
    augment = one.pills(
        "Augmentation",
        AUGMENTATION_STEPS,
        selection_mode="multi",
        default=usual.augment,
        key=f"augment-{natural}",
        help="Shifts by up to an eighth, mirrors half of the time.",
    )
    noise = two.slider(
        "Label noise",
        0.0,
        1.0,
        0.0,
        0.05,
        key="label_noise",
        help="Share of the training labels that are replaced by another class.",
    )
    epsilon = three.number_input(
        "Adversarial ε (of 255)",
        0,
        EPSILONS,
        0,
        key="epsilon",
        help="0: none. 8 is usual on CIFAR-10: every step trains on images that PGD "
        "changed by up to 8/255 (Madry et al. 2018).",
    )
    steps = four.number_input("Adversarial steps", 1, 100, Attack.steps, key="steps", disabled=not epsilon)
    attack = Attack(epsilon / EPSILONS, int(steps)) if epsilon else None
    return {"augment": augment or (), "label_noise": noise, "attack": attack}


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= SEEDS or not all(part.isdecimal() for part in parts):
        raise StitchLabError(f"expected 1 to {SEEDS} seeds such as 0, 1, 2, got {text!r}")
    return list(dict.fromkeys(int(part) for part in parts))


def fits(jobs: Jobs, arch: str, data: DataRecord, options: dict[str, Any], size: int | None) -> bool:
    """Say where the network could be cut, or why the images do not fit.

    Args:
        jobs: the queue, which asks a worker.
        arch: name of the architecture.
        data: the data set to train on.
        options: of the architecture, by name.
        size: of the input, in pixels a side; None: as the images.

    Returns: whether it fits; False also until the worker has answered.
    """
    record = answered(
        jobs,
        "architecture_cut_points",
        arch,
        data.fingerprint or data.name,
        options,
        size,
        what="where it could be cut",
    )
    if record is None:
        return False
    cuts = Cuts.from_record(record)
    st.caption(
        f":material/check_circle: It has {len(cuts.defaults())} blocks and can be cut at {len(cuts.points)} "
        f"layers; {cuts.points[-1].parameters:,} parameters, {cuts.flops / 1e6:,.1f} million operations per "
        "image."
    )
    return True
