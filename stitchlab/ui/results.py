"""A run on the screen: heatmaps that fill as cells come, the selected cell, and how it was all computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES, ROWS
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.errors import StitchLabError
from stitchlab.export.tables import cells_csv, run_json
from stitchlab.figures import grids
from stitchlab.jobs import Jobs, preparing
from stitchlab.results import recipe
from stitchlab.results.definitions import changed, listed, remark
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links
from stitchlab.ui.asking import PATIENCE
from stitchlab.ui.charts import heatmaps

SHOWN = {**{metric.name: metric.label for metric in METRICS.values()}, grids.SHOWN_INDICES: "Similarity indices"}
VIEWS = {"maps": "Side by side", "difference": "Difference", "table": "Table"}


def watched(jobs: Jobs, run: Run, draw: Callable[[Run], None]) -> None:
    """Draws a run, under its progress while it is worked on, and again whenever cells have come."""
    status = None if run.draft else jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: len(Run(run.store, run.record).cells) > len(run.cells))
    st.fragment(draw)(run)


def compute_bar(jobs: Jobs, run: Run) -> None:
    """What a run will cost, and the button that starts it; how the last try ended."""
    _compute_prepared(jobs, run.store)
    if run.draft:
        _draft_bar(jobs, run)
        return
    status = jobs.status(run.id)
    lacking = run.total - len(run.cells)
    if status is not None and status.active:
        return
    if status is not None and status.state == "failed":
        st.error(f"It stopped: {status.message}. What was finished is kept; Compute goes on from there.",
                 icon=":material/error:")
    if status is not None and status.state in ("cancelled", "interrupted") and lacking:
        st.info(f"It was {status.state}. What was finished is kept; Compute goes on from there.",
                icon=":material/info:")
    if not lacking and run.measured:
        st.caption(f":material/check_circle: All {run.total} results are there.")
        return
    text, clicked = ui.beside("Compute", ":material/play_arrow:", primary=True, key="compute")
    text.markdown(_price(jobs, run, lacking))
    if clicked:
        ui.queue(lambda: jobs.compute(run))


def _draft_bar(jobs: Jobs, run: Run) -> None:
    """The button that has a control made, and then its grid computed; until then the run has no id and no link."""
    wanted = run.wanted()
    status = jobs.status(job := preparing(wanted))
    if status is not None and status.active:
        ui.watch(jobs, job, key="cancel_preparing")
        return
    if status is not None:
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
    text, clicked = ui.beside("Compute", ":material/play_arrow:", primary=True, key="compute")
    text.markdown(f"**{run.total} results to compute.** The control is made first: {run.record['front']['name']}.")
    if clicked:
        st.session_state["preparing"] = job
        ui.queue(lambda: jobs.prepare(wanted))


def _compute_prepared(jobs: Jobs, store: Store) -> None:
    """Queues the run whose control this visitor had made, once that is done, and goes to its link."""
    job = st.session_state.get("preparing")
    status = jobs.status(job) if job else None
    if not job or status is None or status.state != "done" or status.result is None:
        return
    del st.session_state["preparing"]
    jobs.forget(job)
    try:
        made = Run.load(status.result["run"], store)
    except StitchLabError as error:  # it was deleted meanwhile
        st.error(str(error), icon=":material/error:")
        return
    st.query_params["run"] = made.id  # the page takes its link over
    ui.queue(lambda: jobs.compute(made))


def kept_bar(run: Run) -> bool:
    """Say why the pickers do not show a run; whether the button was clicked that has them ask for the same today."""
    others = changed(run.request)
    if not others or links.picked(run.store, run) is None:
        st.info(f"{run.title}: its networks are no longer in the store, or the pickers do not offer its settings, so "
                "this is what was kept of it.", icon=":material/inventory_2:")
        return False
    text, clicked = ui.beside("Ask again", ":material/update:", key="ask_again")
    text.info(f"{run.title}: definitions have changed since it was asked for ({listed(others)}), so this is what was "
              "kept of it. Under today's it is another run, which shares what has not changed.",
              icon=":material/inventory_2:")
    return clicked


def explore(run: Run) -> None:
    """The switches, the heatmaps or the table, and the selected cell."""
    shown, view = _switches(run)
    above, below = st.container(), st.container()
    with below:
        selected = _cell(run)
    with above:
        if view == "table":
            _table(run)
        else:
            figures(run, shown, view, key="grid", selected=selected)
    _how(run)


def figures(
    run: Run, shown: str, view: str = "maps", *, key: str, selected: tuple[str, str] | None = None
) -> None:
    """The heatmaps of what is shown, side by side on wide screens; with a key, their cells answer clicks."""
    made = grids.indices(run) if shown == grids.SHOWN_INDICES else (
        grids.difference(run, shown) if view == "difference" else grids.stitched(run, shown)
    )
    if not made:
        st.info("This run has nothing of that kind: choose something else to show, or add the method and compute.",
                icon=":material/info:")
        return
    heatmaps(run, made, f"{key}-{shown}-{view}", selected)


def _switches(run: Run) -> tuple[str, str]:
    bound: Any = {"bind": "query-params", "required": True}
    shown = st.segmented_control("Show", list(SHOWN), default="accuracy", key="show", format_func=SHOWN.__getitem__,
                                 wrap=True, **bound)
    left, right = st.columns([3, 1])
    view = left.segmented_control("As", list(VIEWS), default="maps", key="view", format_func=VIEWS.__getitem__, **bound)
    right.segmented_control("Picture", ["png", "svg"], default="png", key="picture", required=True,
                            format_func=str.upper, help="What the camera above a heatmap saves.")
    shown, view = shown or "accuracy", view or "maps"
    if view == "table":
        about = "A line a cell, every quantity a column; a click on a column's head sorts." + _tlm_recipe(run)
    elif shown in METRICS:
        about = f"**{METRICS[shown].label}**: {METRICS[shown].meaning}; {METRICS[shown].better} = more similar."
    else:
        about = ("Each index on its own scale. CKA compares images by images, all positions flattened; PWCCA and "
                 "Procrustes compare channels, averaged over positions. They see different things. Of unrelated layers "
                 "debiased CKA is about 0; CKA is not.")
    star = "★ best of its column. " if view == "maps" or shown == grids.SHOWN_INDICES else ""
    key = "" if view == "table" else f" {star}Grey: not computed yet, or undefined. Click a cell to select it."
    st.caption(about + key)
    return shown, view


def _cell(run: Run) -> tuple[str, str]:
    """The selected cell, with its numbers; by default the paper's: the last front layer into the first end layer."""
    rows, columns = run.request.front_layers, run.request.end_layers
    for key, layers in (("front_layer", rows), ("end_layer", columns)):
        if st.session_state.get(key, layers[0]) not in layers:
            del st.session_state[key]  # a layer of another grid
    st.subheader("One cell")
    left, right, door = st.columns([2, 2, 1], vertical_alignment="bottom")
    i = left.selectbox("Front layer", rows, index=len(rows) - 1, key="front_layer", bind="query-params")
    j = right.selectbox("End layer", columns, key="end_layer", bind="query-params")
    if run.request.methods and not run.draft:
        with door:
            ui.door("pages/2_Activations.py", "Its activations", links.query(run, front_layer=i, end_layer=j),
                    "In or out of distribution? What detectors say of this cell.")
    own = run.own_accuracy
    if own is not None:
        st.markdown(f"For scale: the end network **{run.record['end']['name']}** alone has accuracy **{own:.4f}** on "
                    f"the same {run.request.eval_images:,} test images; {_front(run)}.{_tlm_recipe(run)}")
    if run.request.methods:
        st.table([
            {"": metric.label,
             **{_label(run, m): _number(run.value(m, metric.name, i, j)) for m in run.request.methods},
             "What it is": f"{metric.meaning}; {metric.better} = more similar"} for metric in METRICS.values()
        ], border="horizontal")
    if run.request.indices:
        st.table([
            {"": _label(run, n), "Value": _number(run.value(n, INDICES[n].metric, i, j)),
             "What it is": _about_index(run, n)}
            for n in run.request.indices
        ], border="horizontal")
    for reason, names in _undefined(run, i, j).items():
        st.caption(f":material/info: Undefined, {', '.join(names)}: {reason}.")
    return i, j


def _label(run: Run, name: str) -> str:
    """Of a method or an index, for people, with a word where its definition is an earlier one."""
    label, said = METHOD_LABELS.get(name) or INDICES[name].label, remark(run.request, name)
    return f"{label} ({said})" if said else label


def _about_index(run: Run, name: str) -> str:
    index = INDICES[name]
    better = "higher" if index.metric == "similarity" else "lower"
    rows = "" if remark(run.request, name) else f". Of {ROWS[index.needs]}"  # an earlier definition's were others
    return (f"{index.metric}, {index.low:g} to {index.high:g}; {better} = more similar{rows} "
            f"({index.reference})").replace("-1", "−1")


def _undefined(run: Run, i: str, j: str) -> dict[str, list[str]]:
    """Which numbers of a cell are undefined, by the reason."""
    found: dict[str, list[str]] = {}
    for name, metric in run.quantities():
        if reason := run.reason(name, metric, i, j):
            label = f"{name.upper()} {METRICS[metric].label.lower()}" if metric in METRICS else INDICES[name].label
            found.setdefault(reason, []).append(label)
    return found


def _front(run: Run) -> str:
    """What the front network itself makes of the images."""
    name = run.record["front"]["name"]
    if not run.front_scored:
        return f"that of the front network {name} is not defined, since it tells other classes"
    return f"the front network {name}: {_number(run.front_accuracy)}"


def _tlm_recipe(run: Run) -> str:
    """No TLM number without its recipe, nor another than the paper's without a word of warning."""
    if "tlm" not in run.request.methods:
        return ""
    other = not recipe.is_the_papers(run)
    warning = " Its distances, and what detectors say, are not the paper's recipe's." if other else ""
    return f" Task loss matching: {recipe.words(run)}.{warning}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(run: Run) -> None:
    """A line a cell, a column a quantity: sorted by a click, copied as it stands. cells.csv is the long form."""
    names = {(method, metric): f"{method.upper()} {METRICS[metric].label.lower()}" if method in run.request.methods
             else _label(run, method) for method, metric in run.quantities()}
    st.dataframe(
        [{"Front layer": i, "End layer": j, **{name: run.value(*q, i, j) for q, name in names.items()}}
         for i in run.request.front_layers for j in run.request.end_layers],
        column_config={name: st.column_config.NumberColumn(format="%.4f") for name in names.values()},
        hide_index=True, width="stretch",
    )


def _how(run: Run) -> None:
    left, right = st.columns(2)
    left.download_button("Cells as CSV", lambda: cells_csv(run), f"stitchlab-{run.id}-cells.csv", "text/csv",
                         icon=":material/download:", width="stretch")
    right.download_button("How it was computed (run.json)", lambda: run_json(run), f"stitchlab-{run.id}.json",
                          "application/json", icon=":material/download:", width="stretch")
    how = st.expander("How it was computed", icon=":material/info:", key="how", on_change="rerun")
    if how.open:  # else it would be gathered on every look
        with how:
            _provenance(run)


def _provenance(run: Run) -> None:
    made, request = run.provenance(), run.request
    spent = ", ".join(f"{name.upper()} {ui.seconds(count)}" for name, count in made["seconds"].items() if count)
    versions = "; ".join(", ".join(f"{name} {number}" for name, number in v.items()) for v in made["versions"])
    lines = {
        "Run": f"`{run.id}`: {run.title}, asked for {made['created']}", "Task loss matching": recipe.words(run),
        "Direct matching": f"least squares on {request.dm.images:,} training images", "Seed": str(request.seed),
        "Evaluation": f"{request.eval_images:,} test images", "Device": ", ".join(made["devices"]),
        "Threads": ", ".join(map(str, made["threads"])),
        "Versions": versions, "Time": spent,
    }
    st.markdown("\n".join(f"- **{name}:** {value}" for name, value in lines.items() if value))
    st.json(made, expanded=False)


def _price(jobs: Jobs, run: Run, lacking: int) -> str:
    there = f"{len(run.cells)} of {run.total} results are there" if run.cells else f"{run.total} results to compute"
    estimate = jobs.estimate(run, wait=PATIENCE)
    if estimate.state == "failed":
        return estimate.message
    if estimate.state == "waiting":
        time = "looking for how long that takes"
    elif estimate.value is None:
        time = "nothing like it was timed on this machine yet"
    else:
        time = f"about {ui.seconds(estimate.value)}"
    return f"**{there}**{f'; {lacking} to compute' if run.cells else ''}: {time}."
