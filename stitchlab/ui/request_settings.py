"""Draws the pickers of a comparison's settings: methods and indices, the data set, TLM's recipe, how many images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypedDict, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stitchlab.catalog.augmentations import AUGMENTATIONS
from stitchlab.catalog.glossary import meaning
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES, ROWS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.request import (
    AUTO,
    INITS,
    METHODS,
    MIN_PERMUTATIONS,
    TARGETS,
    AugmentationName,
    DirectMatching,
    Method,
    TaskLoss,
)
from stitchlab.results import data_sets
from stitchlab.results.chance import PERMUTATIONS, PERMUTATIONS_PER_COLUMN
from stitchlab.results.networks import Network
from stitchlab.store import Store
from stitchlab.ui import links
from stitchlab.ui.picking import note_change, set_default

Name = TypeVar("Name", bound=str)  # one of the choices of a picker

METHODS_HELP = "  \n".join(meaning(METHOD_LABELS[name].lower()) for name in METHODS)
#: What each kind of index compares.
INDICES_HELP = (
    meaning("similarity index")
    + "  \nWhat they compare: "
    + "; ".join(
        f"{', '.join(index.label for index in INDICES.values() if index.needs == needs)}: {what}"
        for needs, what in ROWS.items()
    )
    + "."
)
RECIPES_HELP = (
    "paper: Adam, 30 epochs at a constant rate, augmented images. plain: the same without augmentation. quick: "
    "5 epochs of SOAP, in a sixth of the time. Its accuracies are mostly higher, and rarely a point lower; its "
    "distances and Fréchet ratios differ. Compare only numbers of the same recipe."
)


class Measures(TypedDict):
    """Holds the measures that are computed for every cell."""

    methods: Sequence[Method]
    indices: Sequence[str]


class Amounts(TypedDict):
    """Holds the number of images of direct matching and of the evaluation, the number of permutations, the seed."""

    dm_images: int
    eval_images: int | None
    null: int
    seed: int


class Settings(Measures, Amounts):
    """Holds the arguments of `stitchlab.results.resolve.resolve` that the pickers set."""

    data: str | None
    tlm: TaskLoss


def settings(store: Store, end: Network) -> Settings:
    """Draw the pickers; return their values as arguments of `stitchlab.results.resolve.resolve`."""
    left, middle, right = st.columns(3)
    measures = _measures(left, middle)
    with right:
        data = _data(store, end)
    data_record = data_sets.find(store, data or end.data_fingerprint)
    return {**measures, "data": data, "tlm": _tlm(data_record.augmentation), **_amounts()}


def _measures(left: DeltaGenerator, right: DeltaGenerator) -> Measures:
    """Choose the measures that are computed for every cell: methods and similarity indices."""
    set_default("methods", list(METHODS), METHODS)
    methods = left.pills(
        "Methods",
        METHODS,
        selection_mode="multi",
        key="methods",
        on_change=note_change,
        format_func=METHOD_LABELS.__getitem__,
        wrap=True,
        help=METHODS_HELP,
    )
    set_default("indices", list(DEFAULT_INDICES), INDICES)
    indices = right.multiselect(
        "Similarity indices",
        list(INDICES),
        key="indices",
        on_change=note_change,
        format_func=lambda name: INDICES[name].label,
        wrap=True,
        help=INDICES_HELP,
    )
    return {"methods": methods or [], "indices": indices or []}


def _data(store: Store, end: Network) -> str | None:
    """Choose the data set to compare on, only from those that the store knows, so that no visitor can give a path."""
    labels = {record.name: record.label for record in data_sets.known(store) if record.classes == end.classes}
    names = list(labels | {end.data: ""})
    ambiguous = [label for label in labels.values() if list(labels.values()).count(label) > 1]
    titles = {name: name if labels.get(name, "") in ("", *ambiguous) else labels[name] for name in names}
    set_default("data", end.data, names)
    chosen = st.selectbox(
        "Data set",
        names,
        key="data",
        format_func=titles.__getitem__,
        on_change=note_change,
        help="Images of the comparison; by default the data that the end network was trained on.",
    )
    return None if chosen == end.data else chosen


def _tlm(usual: AugmentationName) -> TaskLoss:
    """Choose the settings of task loss matching: a recipe, and changes to it; ``usual`` is the data's augmentation."""
    first, second, third = st.columns(3)
    recipe = _one_of(first, "TLM recipe", "recipe", list(PRESETS), on_change=_take_recipe, help=RECIPES_HELP)
    augment = _one_of(
        second,
        "TLM augmentation",
        "augment",
        (AUTO, *AUGMENTATIONS),
        format_func=lambda name: f"auto: {AUGMENTATIONS[usual].short}" if name == AUTO else AUGMENTATIONS[name].short,
        help="How training images are changed before the networks see them. auto: the usual augmentation of this "
        "data set, as in the paper's code. DM's images are never changed.",
    )
    images = _count(
        third,
        "TLM training images",
        "train_images",
        None,
        placeholder="all",
        help="TLM trains on the first images of the training split's permutation.",
    )
    first, second, third, fourth = st.columns(4)
    epochs = _count(first, "TLM epochs", "epochs", links.DEFAULTS["epochs"])
    set_default("lr", links.DEFAULTS["lr"])
    lr = second.number_input("TLM learning rate", 0.0, None, step=1e-3, format="%g", key="lr", on_change=note_change)
    targets = _one_of(third, "TLM targets", "targets", TARGETS, help="soft: the end network's own outputs")
    init = _one_of(
        fourth,
        "TLM starts from",
        "init",
        INITS,
        help="default: PyTorch's initialisation. dm: the map that direct matching finds.",
    )
    return preset(recipe, epochs=epochs, lr=lr, targets=targets, init=init, augment=augment, images=images)


def _amounts() -> Amounts:
    """Choose the images of direct matching and of the evaluation, the number of permutations, and the seed."""
    first, second, third, fourth = st.columns(4)
    dm_images = _count(first, "Training images for DM (K)", "dm_images", DirectMatching.images)
    eval_images = _count(second, "Test images for evaluation (M)", "eval_images", None, placeholder="all")
    null = _count(
        third,
        "Permutations for chance",
        "null",
        None,
        minimum=MIN_PERMUTATIONS,
        placeholder="none",
        help=f"How often images are permuted. {meaning('permutation null')} {PERMUTATIONS} are "
        f"usual, and {PERMUTATIONS_PER_COLUMN} for each end layer where those are more.",
    )
    set_default("seed", 0)
    seed = fourth.number_input("Seed", 0, 2**32 - 1, key="seed", on_change=note_change, help=meaning("seed"))
    return {
        "dm_images": dm_images or DirectMatching.images,
        "eval_images": eval_images,
        "null": null or 0,
        "seed": seed,
    }


def _one_of(place: DeltaGenerator, label: str, key: str, choices: Collection[Name], **options: Any) -> Name:
    """Draw a picker of one choice; the default is the first."""
    set_default(key, next(iter(choices)), choices)
    choice: Name = place.selectbox(label, choices, key=key, **{"on_change": note_change, **options})
    return choice


def _count(
    place: DeltaGenerator, label: str, key: str, default: int | None, *, minimum: int = 1, **options: Any
) -> int | None:
    """Draw a picker of a number; None means what its placeholder says."""
    set_default(key, default)
    number: int | None = place.number_input(label, minimum, None, key=key, on_change=note_change, **options)
    return number


def _take_recipe() -> None:
    recipe = PRESETS[st.session_state["recipe"]]
    st.session_state.update({"epochs": recipe.epochs, "lr": recipe.lr, "augment": recipe.augment})
    note_change()
