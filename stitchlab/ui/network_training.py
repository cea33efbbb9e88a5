"""Draws the training of a network: a form, whose values the worker checks again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog import architectures
from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Attack, Recipe, recipe
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue
from stitchlab.results import data_sets, demo, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store
from stitchlab.ui.asking import ask_worker

MAX_SEEDS = 20  # of one training, each for a network
EPSILON_STEPS = 255  # ε is chosen as a multiple of the range of pixel values, divided by this


def train(store: Store, jobs: JobQueue) -> None:
    """Draw the form of a training."""
    st.markdown(
        "Training runs in the background, on this machine or on your cluster: you may close the page. The "
        "command line has more options, and accepts your own classes: `python -m stitchlab train --help`."
    )
    left, right = st.columns(2)
    with left:
        architecture_name = architecture()
    with right:
        data = data_set(store)
    options, size = shape(architecture_name, data)
    choice = _recipe(architecture_name, data)
    if not fits(jobs, architecture_name, data, options, size) or choice is None:
        return
    place, clicked = ui.sentence_with_button("Train", ":material/play_arrow:", primary=True, key="train")
    training_recipe, seeds, name = choice
    names = [_name(store, name, data, architecture_name, seed, several=len(seeds) > 1) for seed in seeds]
    place.markdown(
        f"**{', '.join(names)}**: {training_recipe.epochs} epochs over {data.train:,} images, "
        f"{training_recipe.optimiser.upper()}, one cycle of the learning rate up to {training_recipe.lr:g}, "
        f"batches of {training_recipe.batch}."
    )
    if clicked:
        arguments = {
            "arch": architecture_name,
            "data": data.fingerprint or data.name,
            "options": options,
            "size": size,
            "epochs": training_recipe.epochs,
            "augment": list(training_recipe.augment),
            "label_noise": training_recipe.label_noise,
            "attack": training_recipe.attack,
        }
        ui.queue(lambda: _submit(store, jobs, names, [{**arguments, "seed": seed} for seed in seeds]))


def _submit(store: Store, jobs: JobQueue, names: list[str], arguments: list[dict[str, Any]]) -> None:
    check_names_free(store, jobs, names)
    for name, arguments_of_network in zip(names, arguments, strict=True):
        jobs.train({"name": name, **arguments_of_network})


def check_names_free(store: Store, jobs: JobQueue, names: list[str]) -> None:
    """Check that these names can be given to new networks.

    Args:
        store: holds the networks.
        jobs: the queue, which knows the networks that are being made.
        names: the names of the new networks.

    Raises StitchLabError if a network with such a name exists or is being made.
    """
    for name in names:
        networks.check_name_free(store, name)
    check_not_being_made(jobs, names)


def check_not_being_made(jobs: JobQueue, names: list[str]) -> None:
    """Check that no network with such a name is being made. Raises StitchLabError if one is."""
    busy = {name for name, status in jobs.networks_in_progress().items() if status.active}
    for name in names:
        if name in busy:
            raise StitchLabError(f"{name} is being made already: choose another name, or wait")


def _name(store: Store, own_name: str, data: DataRecord, architecture_name: str, seed: int, *, several: bool) -> str:
    if own_name:
        return f"{own_name}-s{seed}" if several else own_name
    return networks.some_name(store, f"{data.label}-{architecture_name.rpartition('/')[2]}-s{seed}")


def architecture() -> str:
    """Draw the choice of an architecture and return its name."""
    st.session_state.setdefault("arch", demo.ARCHITECTURE)  # an uploaded file may have set another
    return str(
        st.selectbox(
            "Architecture",
            architectures.offered_names(),
            key="arch",
            format_func=lambda name: f"{name} · {ARCHITECTURES[name].label}" if name in ARCHITECTURES else name,
            help="StitchLab's own, made for small images, and torchvision's. Type to search.",
        )
    )


def data_set(store: Store) -> DataRecord:
    """Choose a data set from this machine; the default is the one that was loaded last."""
    records = data_sets.at_hand(store)
    newest = max(records.values(), key=lambda record: record.loaded)
    if st.session_state.get("training_data") not in records:
        st.session_state["training_data"] = newest.name
    name = st.selectbox(
        "Data set",
        list(records),
        key="training_data",
        format_func=lambda key: records[key].label,
        help="The data sets on this machine. Add others under Data sets.",
    )
    return records[str(name)]


def shape(arch: str, data: DataRecord) -> tuple[dict[str, Any], int | None]:
    """Choose the architecture's options, and the input size in pixels per side; None: the size of the images."""
    entry = architectures.entry(arch)
    columns = st.columns(max(3, 1 + len(entry.options)))
    options: dict[str, Any] = {}
    for column, (name, default) in zip(columns, entry.options.items(), strict=False):
        if name in entry.words:
            options[name] = column.selectbox(name.capitalize(), entry.words[name], key=f"{arch}-{name}")
        else:
            options[name] = int(column.number_input(name.capitalize(), 1, None, default, key=f"{arch}-{name}"))
    size = columns[len(entry.options)].number_input(
        "Input size",
        1,
        1024,
        None,
        key="size",
        placeholder=f"as the images: {data.shape[1]}",
        help="Pixels per side; images are resized to it. torchvision's networks were made for 224.",
    )
    return options, None if size is None else int(size)


def _recipe(arch: str, data: DataRecord) -> tuple[Recipe, list[int], str] | None:
    """Choose the recipe, the seeds and the name; None, with a message, if they are not valid."""
    entry = architectures.entry(arch)
    if entry.optimiser is None:
        st.info("This is a control: it is not trained. Compare offers it as a front network.", icon=":material/info:")
        return None
    default = recipe(entry.optimiser, data.train, natural=data.natural)
    left, middle, right = st.columns(3)
    name = left.text_input("Name", key="name", placeholder="from data, architecture and seed")
    epochs = middle.number_input(
        "Epochs", 1, None, None, key="train_epochs", placeholder=f"as the recipe: {default.epochs}"
    )
    seeds = right.text_input("Seeds", "0", key="seeds", help="One network for each: 0, 1, 2")
    with st.expander("Recipe: augmentation, label noise, adversarial training", icon=":material/tune:"):
        changes = _changes(default, natural=data.natural)
    try:
        chosen_recipe = recipe(entry.optimiser, data.train, natural=data.natural, epochs=epochs, **changes)
        return chosen_recipe, _seeds(seeds), name
    except StitchLabError as error:
        ui.show_error(error)
        return None


def _changes(usual: Recipe, *, natural: bool) -> dict[str, Any]:
    """Choose the changes to training images and labels, as arguments of `recipe`; the defaults are the usual ones."""
    first, second, third, fourth = st.columns(4)
    augment = first.pills(
        "Augmentation",
        AUGMENTATION_STEPS,
        selection_mode="multi",
        default=usual.augment,
        key=f"augment-{natural}",
        help="Shifts of up to an eighth of the side; mirroring with probability one half.",
    )
    label_noise = second.slider(
        "Label noise",
        0.0,
        1.0,
        0.0,
        0.05,
        key="label_noise",
        help="Share of the training labels that are replaced by another class.",
    )
    epsilon = third.number_input(
        "Adversarial ε (of 255)",
        0,
        EPSILON_STEPS,
        0,
        key="epsilon",
        help="0: none. 8 is usual on CIFAR-10: every step trains on images that PGD "
        "changed by up to 8/255 (Madry et al. 2018).",
    )
    steps = fourth.number_input("Adversarial steps", 1, 100, Attack.steps, key="steps", disabled=not epsilon)
    attack = Attack(epsilon / EPSILON_STEPS, int(steps)) if epsilon else None
    return {"augment": augment or (), "label_noise": label_noise, "attack": attack}


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= MAX_SEEDS or not all(part.isdecimal() for part in parts):
        raise StitchLabError(f"expected 1 to {MAX_SEEDS} seeds such as 0, 1, 2, got {text!r}")
    return list(dict.fromkeys(int(part) for part in parts))


def fits(jobs: JobQueue, arch: str, data: DataRecord, options: dict[str, Any], size: int | None) -> bool:
    """Say where the network could be cut, or why it does not fit the images.

    Args:
        jobs: the queue, which asks a worker.
        arch: name of the architecture.
        data: the data set to train on.
        options: of the architecture, by name.
        size: of the input, in pixels per side; None: the size of the images.

    Returns: whether it fits; also False until the worker has answered.
    """
    record = ask_worker(
        jobs,
        "architecture_cut_points",
        arch,
        data.fingerprint or data.name,
        options,
        size,
        awaited="where it could be cut",
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
