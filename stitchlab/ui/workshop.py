"""Train and import on the screen: forms whose words are looked up again on the worker, and what is under way."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog import architectures
from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Attack, Recipe, recipe
from stitchlab.errors import StitchLabError
from stitchlab.figures import networks as figures
from stitchlab.jobs import Jobs, Status
from stitchlab.jobs import making as job_of
from stitchlab.results import data_sets, demo, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.data_sets import DataRecord
from stitchlab.store import Store, uploads
from stitchlab.ui.asking import answered
from stitchlab.ui.charts import chart

SEEDS = 20  # networks in one go, at most
MORE = 1.2  # times as many points of a curve as are drawn, and it is drawn again
EPSILONS = 255  # ε is picked in so many parts of the range of pixels


def under_way(jobs: Jobs) -> None:
    """Networks that are being made, with their curves, those that were not made in the end, and a word when one is."""
    begun = jobs.begun()
    for name in st.session_state.get("being_made", set()) - begun.keys():
        st.toast(f"{name} is there now.", icon=":material/check_circle:")
    st.session_state["being_made"] = {name for name, status in begun.items() if status.active}
    for name, status in begun.items():
        if status.active:
            _watch(jobs, name)
        else:
            _ended(jobs, name, status)


def _watch(jobs: Jobs, name: str) -> None:
    points = jobs.curve(name)
    # Short epochs would have the page drawn again at every look, while somebody fills in a form.
    ui.watch(jobs, job_of(name), lambda: len(jobs.curve(name)) > MORE * len(points))
    if points:
        chart(name, figures.curve(points, max(10, len(points)), dark=ui.dark()), f"curve-{name}",
              f"Accuracy of {name} by epoch so far", "training")


def _ended(jobs: Jobs, name: str, status: Status) -> None:
    text, clicked = ui.beside("Dismiss", ":material/close:", key=f"dismiss-{name}")
    if status.state == "failed":
        text.error(f"{name} was not made: {status.message}", icon=":material/error:")
    else:
        text.info(f"{name} was {status.state}; nothing of it is kept.", icon=":material/info:")
    if clicked:
        jobs.forget(job_of(name))
        st.rerun()


def train(store: Store, jobs: Jobs) -> None:
    """The form of a training."""
    st.markdown("Trains on this machine, or on your cluster, in the background: the page may be closed. More choices, "
                "and your own classes, are on the command line: `python -m stitchlab train --help`.")
    left, right = st.columns(2)
    with left:
        arch = _architecture()
    with right:
        data = _data(store)
    options, size = _shape(arch, data)
    chosen = _recipe(arch, data)
    if not _fits(jobs, arch, data, options, size) or chosen is None:
        return
    text, clicked = ui.beside("Train", ":material/play_arrow:", primary=True, key="train")
    how, seeds, name = chosen
    names = [_name(store, name, data, arch, seed, many=len(seeds) > 1) for seed in seeds]
    text.markdown(f"**{', '.join(names)}**: {how.epochs} epochs over {data.train:,} images, "
                  f"{how.optimiser.upper()}, one cycle of the learning rate up to {how.lr:g}, batches of {how.batch}.")
    if clicked:
        wanted = {"arch": arch, "data": data.fingerprint or data.name, "options": options, "size": size,
                  "epochs": how.epochs, "augment": list(how.augment), "label_noise": how.label_noise,
                  "attack": how.attack}
        ui.queue(lambda: _submit(store, jobs, names, [{**wanted, "seed": seed} for seed in seeds]))


def _submit(store: Store, jobs: Jobs, names: list[str], wanted: list[dict[str, Any]]) -> None:
    _free(store, jobs, names)
    for name, what in zip(names, wanted, strict=True):
        jobs.train({"name": name, **what})


def _free(store: Store, jobs: Jobs, names: list[str]) -> None:
    """Raises StitchLabError where a network of such a name is there or being made."""
    busy = {name for name, status in jobs.begun().items() if status.active}
    for name in names:
        networks.free_name(store, name)
        if name in busy:
            raise StitchLabError(f"{name} is being made already: choose another name, or wait")


def _name(store: Store, name: str, data: DataRecord, arch: str, seed: int, *, many: bool) -> str:
    if name:
        return f"{name}-s{seed}" if many else name
    return networks.some_name(store, f"{data.label}-{arch.rpartition('/')[2]}-s{seed}")


def _architecture() -> str:
    return str(st.selectbox(
        "Architecture", architectures.known(), index=architectures.known().index(demo.ARCHITECTURE), key="arch",
        format_func=lambda name: (
            f"{name} · {ARCHITECTURES[name].label}" if name in ARCHITECTURES else name),
        help="Of StitchLab's own, made for small images, and of torchvision. Type to search."))


def _data(store: Store) -> DataRecord:
    """A data set that is here; the others are got under Data sets."""
    there = data_sets.at_hand(store)
    name = st.selectbox("Data set", list(there), key="training_data", format_func=lambda key: there[key].label,
                        help="Those that are on this machine. Others: Data sets.")
    return there[str(name)]


def _shape(arch: str, data: DataRecord) -> tuple[dict[str, Any], int | None]:
    """What decides the network's shape: the architecture's options and the size of its input."""
    found = architectures.entry(arch)
    columns = st.columns(max(3, 1 + len(found.options)))
    options: dict[str, Any] = {}
    for column, (name, default) in zip(columns, found.options.items(), strict=False):
        if name in found.words:
            options[name] = column.selectbox(name.capitalize(), found.words[name], key=f"{arch}-{name}")
        else:
            options[name] = int(column.number_input(name.capitalize(), 1, None, default, key=f"{arch}-{name}"))
    size = columns[len(found.options)].number_input(
        "Input size", 1, 1024, None, key="size", placeholder=f"as the images: {data.shape[1]}",
        help="Pixels a side; images are brought to it. torchvision's networks were made for 224.")
    return options, None if size is None else int(size)


def _recipe(arch: str, data: DataRecord) -> tuple[Recipe, list[int], str] | None:
    """The recipe, the seeds and the name; None, with a word, where they are none."""
    found = architectures.entry(arch)
    if found.optimiser is None:
        st.info("This is a control, which learns nothing: Compare offers it as front network.", icon=":material/info:")
        return None
    known = recipe(found.optimiser, data.train, natural=data.natural)
    one, two, three = st.columns(3)
    name = one.text_input("Name", key="name", placeholder="after data, architecture and seed")
    epochs = two.number_input("Epochs", 1, None, None, key="train_epochs", placeholder=f"recipe's own: {known.epochs}")
    seeds = three.text_input("Seeds", "0", key="seeds", help="Several in one go: 0, 1, 2")
    with st.expander("Recipe: augmentation, noise of labels, adversary", icon=":material/tune:"):
        one, two, three, four = st.columns(4)
        augment = one.pills("Augmentation", AUGMENTATION_STEPS, selection_mode="multi", default=known.augment,
                            key=f"augment-{data.natural}", help="Shifts by up to an eighth, mirrors half of the time.")
        noise = two.slider("Noise of labels", 0.0, 1.0, 0.0, 0.05, key="label_noise",
                           help="Share of the training labels that are replaced by another class's.")
        epsilon = three.number_input("Adversary's ε, of 255", 0, EPSILONS, 0, key="epsilon",
                                     help="0: none. 8 is usual on CIFAR-10: every step is taken on images that PGD "
                                     "moved by up to 8/255 (Madry et al. 2018).")
        steps = four.number_input("Adversary's steps", 1, 100, Attack.steps, key="steps", disabled=not epsilon)
    try:
        attack = Attack(epsilon / 255, int(steps)) if epsilon else None
        how = recipe(found.optimiser, data.train, natural=data.natural, epochs=epochs, augment=augment or (),
                     label_noise=noise, attack=attack)
        return how, _seeds(seeds), name
    except StitchLabError as error:
        st.error(str(error), icon=":material/error:")
        return None


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= SEEDS or not all(part.isdecimal() for part in parts):
        raise StitchLabError(f"1 to {SEEDS} seeds such as 0, 1, 2 were expected; {text!r} came")
    return list(dict.fromkeys(int(part) for part in parts))


def _fits(jobs: Jobs, arch: str, data: DataRecord, options: dict[str, Any], size: int | None) -> bool:
    """Says how the network would be cut, or why the images do not fit."""
    record = answered(jobs, "architecture_cut_points", arch, data.fingerprint or data.name, options, size,
                      what="where it could be cut")
    if record is None:
        return False
    cuts = Cuts.from_record(record)
    st.caption(f":material/check_circle: {len(cuts.defaults())} blocks, {len(cuts.points)} places to cut, "
               f"{cuts.points[-1].parameters:,} parameters, {cuts.flops / 1e6:,.1f} million operations an image.")
    return True


def bring(store: Store, jobs: Jobs) -> None:
    """The form of an import."""
    st.markdown("Brings trained weights: safetensors, or a torch state dict, which is read without executing anything "
                f"in it. Up to {uploads.LIMIT_MB} MB here; larger files, published weights and your own classes come "
                "in by `python -m stitchlab import`.")
    state = st.session_state
    upload = st.file_uploader("Weights", [suffix[1:] for suffix in uploads.SUFFIXES], max_upload_size=uploads.LIMIT_MB,
                              key=f"upload-{state.get('uploads', 0)}")
    left, right = st.columns(2)
    with left:
        arch = _architecture()
    with right:
        data = _data(store)
    options, size = _shape(arch, data)
    one, two, three, four = st.columns(4)
    name = one.text_input("Name", key="import_name")
    mean = two.text_input("Mean of its input", key="mean", placeholder="0 of pixels in 0..1",
                          help="One number a channel. CIFAR-10: 0.4914, 0.4822, 0.4465. ImageNet: 0.485, 0.456, 0.406")
    std = three.text_input("Deviation of its input", key="std", placeholder="1",
                           help="CIFAR-10: 0.2470, 0.2435, 0.2616. ImageNet: 0.229, 0.224, 0.225")
    classes = four.number_input("Outputs", 1, None, None, key="classes",
                                placeholder=f"as the data: {len(data.classes)}", help="Where it tells other classes, "
                                "its accuracy is not defined; it can still be a front network.")
    if not _fits(jobs, arch, data, options, size):
        return
    text, clicked = ui.beside("Import", ":material/upload:", primary=True, key="import")
    text.markdown("It is measured on the data set's test images. What does not fit is refused, and leaves nothing.")
    if clicked and upload is None:
        st.error("Choose a file first.", icon=":material/error:")
    elif clicked and upload is not None:
        def submit() -> None:
            wanted = {"name": name, "arch": arch, "data": data.fingerprint or data.name, "options": options,
                      "size": size, "classes": classes, "mean": _numbers(mean), "std": _numbers(std),
                      "called": upload.name}
            _free(store, jobs, [name])
            jobs.bring(uploads.keep(store, upload.name, upload.getbuffer()), wanted)
            state["uploads"] = state.get("uploads", 0) + 1  # the browser's copy goes

        ui.queue(submit)


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise StitchLabError(f"numbers such as 0.49, 0.48, 0.45 were expected; {text!r} came") from None
