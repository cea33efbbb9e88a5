"""All that the reading wing says about a store, to be compared where PyTorch is there and where it is not.

It runs in both processes, so it imports nothing of the computing wing.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from stitchlab.catalog import architectures
from stitchlab.catalog.detectors import QUICK
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.presets import preset
from stitchlab.export.tables import cells_csv, ood_csv, run_json
from stitchlab.figures import run_grids
from stitchlab.figures.heatmap import heatmap
from stitchlab.figures.networks import chain
from stitchlab.figures.story import story
from stitchlab.figures.words import conclusions
from stitchlab.results import channel_statistics, controls, cut_points, data_sets, networks, plan, trajectory
from stitchlab.results.cleaning import sizes
from stitchlab.results.detection import STATISTICS, DetectionResults
from stitchlab.results.networks import Network
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run, list_runs
from stitchlab.results.similarity import deciding
from stitchlab.store import Store
from stitchlab.store.checking import check


def told(root: str) -> str:
    """Say as JSON text what there is to read in the store at ``root``."""
    store = Store(root)
    there = networks.list_networks(store)
    return json.dumps(
        {
            "preset": asdict(preset("paper")),
            "architectures": architectures.offered_names(),
            "networks": [_network(store, network) for network in there],
            "controls": controls.names(there),
            "data": [asdict(record) | {"natural": record.natural} for record in data_sets.at_hand(store).values()],
            "runs": [_run(run) for run in list_runs(store)],
            "rooms": [amount.room for amount in sizes(store)],
            "files": {path.name: wrong for path, wrong in check(store)},
        },
        sort_keys=True,
        default=lambda values: np.asarray(values).tolist(),
    )


def _network(store: Store, network: Network) -> dict[str, Any]:
    cuts = cut_points.kept(store, network.id)
    return {
        "record": network.record(),
        "confusion": networks.confusion(store, network),
        "cuts": cuts and cuts.record(),
        "figure": cuts and chain(cuts).to_json(),
    }


def _run(run: Run) -> dict[str, Any]:
    """What a run says, what detectors say of it, what TLM's walks are, and how all of that looks."""
    request, found = run.request, DetectionResults(run)
    again = resolve(
        run.store,
        request.front,
        request.end,
        front_layers=request.front_layers,
        end_layers=request.end_layers,
        methods=request.methods,
        indices=request.indices,
        tlm=request.tlm,
        dm_images=request.dm.images,
        eval_images=request.eval_images,
        seed=request.seed,
    )
    draft = resolve(run.store, controls.RANDOM + run.record["front"]["name"], request.end, seed=5)
    drawn = [
        *(
            grid
            for metric in METRICS
            for grid in (*run_grids.metric_grids(run, metric), *run_grids.difference_grids(run, metric))
        ),
        *run_grids.index_grids(run),
        *run_grids.detection_grids(found, "knn", "auroc"),
    ]
    kept = [found.arrays(STATISTICS, *cell) for cell in found.cells]
    return {
        "id": run.id,
        "again": again.id,
        "complete": run.complete,
        "missing": [asdict(u) for u in plan.missing(run)],
        "cells.csv": cells_csv(run),
        "run.json": run_json(run),
        "matrix": run.matrix("dm", "accuracy"),
        "draft": [draft.id, draft.draft, draft.title, asdict(draft.request), len(plan.missing(draft))],
        "ood.csv": ood_csv(found, QUICK, found.cells),
        "belief": [asdict(found.reliability("knn", j)) for j in request.end_layers],
        "statistics": kept,
        "ranks": [channel_statistics.effective_rank(each["spectrum"]) for each in kept if each],
        "walks": [trajectory.kept(run, i, j) for i, j in request.cells],
        "figures": [heatmap(grid).to_json() for grid in drawn],
        "story": story(found),
        "conclusions": [conclusions(found, deciding(found, "frechet", *cell), *cell) for cell in request.cells],
    }
