"""Draws linear probes: their settings, their curves over layers, their numbers, and files."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.glossary import meaning
from stitchlab.catalog.keys import COMPUTE
from stitchlab.errors import StitchLabError
from stitchlab.export import probes as files
from stitchlab.export.options import Options
from stitchlab.figures import probes as figures
from stitchlab.jobs import JobQueue, probes_job
from stitchlab.results import data_sets, networks
from stitchlab.results.networks import Network
from stitchlab.results.probes import TRAIN_IMAGES, Probes, find
from stitchlab.store import Store
from stitchlab.ui import embedding
from stitchlab.ui.asking import cuts_of
from stitchlab.ui.charts import chart

ABOUT = (
    f"**Linear probe**: {meaning('linear probe')} Here it is a logistic regression on a layer's averages over "
    "positions, or its class token (Alain & Bengio 2016)."
)
BLOCKS = "Blocks"
ALL_CUT_POINTS = "All cut points"
OWN_DATA = ""  # the choice of the data that each network came with
BOUND: Any = {"bind": "query-params"}


def draw(store: Store, jobs: JobQueue, network: Network) -> None:
    """Draw the probes' curves of a network and of others to compare, and the button that computes missing ones.

    Args:
        store: holds networks, data and probes.
        jobs: the queue.
        network: the chosen network.
    """
    st.markdown(ABOUT)
    chosen = _choose(store, jobs, network)
    _compute(jobs, [probes for probes in chosen if not probes.complete])
    with_results = [probes for probes in chosen if probes.kept]
    if not with_results:
        return
    chart(network.name, figures.figure(with_results, dark=ui.dark()), "probes", "linear probes")
    _numbers(with_results)
    _files(with_results)


def _choose(store: Store, jobs: JobQueue, network: Network) -> list[Probes]:
    """Draw the pickers; return the probes that they describe: those of the network, then of the others."""
    left, middle, right = st.columns([5, 4, 4])
    with left:
        others = _beside(store, network)
    with middle:
        data = _data(store)
    choices = [BLOCKS, ALL_CUT_POINTS]
    probed_layers = right.segmented_control("Layers", choices, default=BLOCKS, key="probed", required=True, **BOUND)
    train_images, eval_images, seed = _images()
    probes = []
    for probed_network in (network, *others):
        cuts = cuts_of(store, jobs, probed_network)
        if cuts is None:
            continue  # the page is drawn again once the answer has come
        layers = [point.name for point in cuts.points] if probed_layers == ALL_CUT_POINTS else None
        try:
            probes.append(
                find(
                    store,
                    probed_network.id,
                    data=data or None,
                    layers=layers,
                    train_images=train_images,
                    eval_images=eval_images,
                    seed=seed,
                )
            )
        except StitchLabError as error:
            ui.show_error(error)
    return probes


def _beside(store: Store, network: Network) -> list[Network]:
    """Choose the networks whose curves are drawn in the same figure."""
    others = {other.name: other for other in networks.list_networks(store) if other.id != network.id}
    st.session_state["beside"] = [name for name in st.session_state.get("beside", []) if name in others]
    chosen = st.multiselect(
        "Beside it",
        list(others),
        key="beside",
        max_selections=figures.MAX_NETWORKS - 1,
        placeholder="Other networks",
        help="Their curves in the same figure.",
        **BOUND,
    )
    return [others[name] for name in chosen]


def _images() -> tuple[int | None, int | None, int]:
    """Choose how many images probes are trained and tested on, and the seed by which these are drawn."""
    left, middle, right = st.columns([4, 4, 5])
    train_images = left.number_input(
        "Training images",
        1,
        None,
        None,
        key="probe_train",
        placeholder=f"at most {TRAIN_IMAGES:,}",
        help="The probe is trained on the first images of the training split's permutation.",
    )
    eval_images = middle.number_input("Test images", 1, None, None, key="probe_test", placeholder="all")
    seed = right.number_input("Seed", 0, 2**32 - 1, 0, key="probe_seed", help="Decides which images are drawn.")
    return train_images, eval_images, seed


def _data(store: Store) -> str:
    """Choose the data to probe on, by fingerprint; `OWN_DATA` for what each network came with."""
    records = {record.fingerprint: record for record in data_sets.known(store)}
    labels = [record.label for record in records.values()]
    labels_by_key = {
        key: record.label if labels.count(record.label) == 1 else f"{record.label} ({key[:6]})"
        for key, record in records.items()
    }
    return str(
        st.selectbox(
            "Data set",
            [OWN_DATA, *records],
            key="probe_data",
            format_func=lambda key: labels_by_key.get(key, "Each network's own"),
            help="The probe predicts its classes, whichever classes the network knows.",
        )
    )


def _compute(jobs: JobQueue, incomplete: list[Probes]) -> None:
    """Show the progress of probes, why some failed, and a button that computes the others."""
    not_queued = []
    for probes in incomplete:
        job = probes_job(probes.wanted())
        status = jobs.status(job)
        if status is not None and status.active:
            ui.watch(jobs, job)
            continue
        if status is not None and status.message:
            st.error(ui.literal(f"{probes.network.name}: {status.message}"), icon=":material/error:")
        not_queued.append(probes)
    if not not_queued or embedding.embedded():
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    count = sum(len(probes.lacking) for probes in not_queued)
    names = ", ".join(probes.network.name for probes in not_queued)
    place, clicked = ui.sentence_with_button(
        "Compute linear probes", ":material/play_arrow:", primary=True, key="probe", shortcut=COMPUTE
    )
    remark = f"Not probed yet: {count:,} layer{'' if count == 1 else 's'} of {names}."
    place.info(ui.literal(remark), icon=":material/info:")
    if clicked:
        ui.queue(lambda: _submit(jobs, not_queued))


def _submit(jobs: JobQueue, incomplete: list[Probes]) -> None:
    for probes in incomplete:
        jobs.probe(probes.wanted(), f"linear probes of {probes.network.name}")


def _numbers(with_results: list[Probes]) -> None:
    """Draw the caption of the figure, and all numbers as a table."""
    st.caption(ui.literal(files.caption(with_results).partition(": ")[2]))
    percent = st.column_config.NumberColumn(format="%.2f %%")
    st.dataframe(
        [
            {
                "Network": row.network,
                "Layer": row.layer,
                "Accuracy": row.accuracy and 100 * row.accuracy,
                "On its training images": row.train_accuracy and 100 * row.train_accuracy,
                "Remark": row.reason,
            }
            for probes in with_results
            for row in probes.rows()
        ],
        column_config={"Accuracy": percent, "On its training images": percent},
        hide_index=True,
        width="stretch",
        alt="Accuracy of the probe of every layer",
    )


def _files(with_results: list[Probes]) -> None:
    """Offer files of the curves, made while the panel is open: a file made on a click is gone before it is fetched."""
    if embedding.embedded():
        return
    panel = st.expander("Save these curves", icon=":material/download:", key="probe_files", on_change="rerun")
    if not panel.open:
        return
    with panel:
        left, right = st.columns(2, vertical_alignment="bottom")
        suffix = str(left.selectbox("File", list(files.LABELS), key="probe_file", format_func=files.LABELS.__getitem__))
        dark = suffix in ("svg", "pdf", "png") and left.toggle("Dark", key="probe_dark")
        name = files.file_name(with_results, suffix)
        right.download_button(
            f"Download .{suffix}",
            files.make(with_results, suffix, Options(dark=bool(dark))),
            name,
            files.MEDIA_TYPES[suffix],
            icon=":material/download:",
            on_click="ignore",
            key="probe_take",
            width="stretch",
        )
        st.caption(f"`{name}`")
