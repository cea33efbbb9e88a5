"""Describes for the report a run's networks, data and recipe, the definitions, and how it was computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from stitchlab.catalog.data_sets import FOLDER
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES, ROWS, Index
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.export.report.grids import judging, scales
from stitchlab.figures.histograms import DECADES
from stitchlab.figures.sets import SET_LABELS
from stitchlab.figures.template import COLOURS
from stitchlab.figures.words import IMAGES_AND_SETS
from stitchlab.results import data_sets
from stitchlab.results import recipe as recipes
from stitchlab.results.definitions import changed, listed, remark
from stitchlab.results.detection import NATIVE_RATIO, NATIVE_WITHIN, OUTLIERS_LEAST, TIMES, DetectionResults
from stitchlab.results.duration import seconds
from stitchlab.results.records import Side
from stitchlab.results.run import Run
from stitchlab.results.similarity import ACCURATE, FAR, FAR_RATIO, INACCURATE, NEAR_RATIO
from stitchlab.results.version import VERSION

CITATIONS = (
    "@inproceedings{balogh2025how,\n"
    "  title     = {How not to Stitch Representations to Measure Similarity:\n"
    "               Task Loss Matching versus Direct Matching},\n"
    "  author    = {Balogh, Andr{\\'a}s and Jelasity, M{\\'a}rk},\n"
    "  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},\n"
    "  year      = {2025},\n"
    "  note      = {arXiv:2412.11299}\n"
    "}\n\n"
    "@software{stitchlab,\n"
    "  title   = {StitchLab: which measures of similarity between neural networks' representations lie},\n"
    f"  version = {{{VERSION}}}\n"
    "}\n"
)

#: What no entry of the catalog defines: names with their sentences.
STITCHING = [
    [
        "Stitching",
        "The front network runs up to a layer, one affine map is put in place, and the end network goes on from one of "
        "its own layers. A cell is one front layer with one end layer.",
    ],
    [
        "Task loss matching (TLM)",
        "The map is trained on the task, both networks frozen; its recipe is given with every number.",
    ],
    [
        "Direct matching (DM)",
        "The map is least squares to the end network's own (native) activations of the same images; nothing is "
        "trained.",
    ],
]
JUDGING = [
    [
        "Believed",
        "A detector is believed at an end layer where evaluation images against native ones that were held out of its "
        f"fit give AUROC 0.5 (within {NATIVE_WITHIN:g}, or 0.5 in its interval) and known outliers at least "
        f"{OUTLIERS_LEAST:g}; the Fréchet ratio where native images have at most {NATIVE_RATIO:g} and outliers "
        f"{TIMES:g} times as much. † marks end layers where it is not.",
    ],
    [
        "Accurate",
        f"At least {ACCURATE:.0%} of what the end network's own accuracy has above chance is left; inaccurate: less "
        f"than {INACCURATE:.0%}.",
    ],
    [
        "Out of distribution",
        f"AUROC {FAR:g} or Fréchet ratio {FAR_RATIO:g} and more; close to native: ratio {NEAR_RATIO:g} at most, and "
        "nearer than known outliers.",
    ],
    ["Images and sets", IMAGES_AND_SETS],
]


def catalog() -> dict[str, Any]:
    """Return what is the same in every report: colours, names, and the definitions of all numbers."""
    return {
        "version": VERSION,
        "scales": scales(),
        "colours": COLOURS,
        "sets": SET_LABELS,
        "decades": DECADES,
        "methods": METHOD_LABELS,
        "citations": CITATIONS,
        "definitions": _definitions(),
        "metrics": {metric.name: metric.label for metric in METRICS.values()},
        "indices": {index.name: [index.label, index.metric] for index in INDICES.values()},
        "detectors": {
            d.name: {"label": d.label, "compares": d.compares, "metrics": d.metrics} for d in DETECTORS.values()
        },
        "verdicts": {metric.name: metric.label for metric in OOD_METRICS.values()},
    }


def _definitions() -> list[list[Any]]:
    """List headings with what they define: pairs of a name and a sentence."""
    return [
        [
            "Stitched networks",
            [
                *STITCHING,
                *([metric.label, f"{metric.meaning}; {metric.better} = more similar."] for metric in METRICS.values()),
            ],
        ],
        ["Similarity indices", [[index.label, _index(index)] for index in INDICES.values()]],
        [
            "In or out of distribution",
            [
                *([d.label, f"{d.meaning} ({d.reference})."] for d in DETECTORS.values()),
                *([metric.label, f"{metric.meaning}."] for metric in OOD_METRICS.values()),
                *JUDGING,
            ],
        ],
    ]


def _index(index: Index) -> str:
    """Define a similarity index in one sentence, with its range, what it is of, and where it is undefined."""
    undefined = f" Undefined {index.undefined}." if index.undefined else ""
    return (
        f"{index.meaning[0].upper()}{index.meaning[1:]}; {index.metric}, {index.low:g} to {index.high:g}. "
        f"Of {ROWS[index.needs]} ({index.reference}).{undefined}"
    )


def facts(run: Run) -> list[list[str]]:
    """List what was stitched, on what and how: names and sentences for the head of the report."""
    request, record = run.request, run.record
    made = [
        [
            "Front network",
            f"{record['front']['name']} ({record['front']['architecture']}), own accuracy "
            f"{_own(run.front_accuracy, run)}",
        ],
        [
            "End network",
            f"{record['end']['name']} ({record['end']['architecture']}), own accuracy {_own(run.own_accuracy)}",
        ],
        ["Data", f"{record['data']['label']}, {request.eval_images:,} test images"],
    ]
    made += [["Task loss matching", _remarked(run, "tlm", recipes.words(run))]] if "tlm" in request.methods else []
    if "dm" in request.methods:
        least_squares = f"least squares on {request.dm.images:,} training images"
        made.append(["Direct matching", _remarked(run, "dm", least_squares)])
    if request.null:
        made.append(["Chance", f"what each index says by {request.null} permutations of the images"])
    if not run.complete:
        made.append(["Unfinished", f"{len(run.cells)} of {run.total} results are computed; the others are grey"])
    return made


def _own(accuracy: float | None, of_front: Run | None = None) -> str:
    if of_front is not None and not of_front.front_scored:
        return "not defined: it predicts other classes"
    return "not known" if accuracy is None else f"{accuracy:.4f}"


def _remarked(run: Run, name: str, said: str) -> str:
    return ", ".join(filter(None, (said, remark(run.request, name))))


def recipe(run: Run) -> str:
    """Say the recipe of TLM in words, and warn where it is not the paper's; empty without TLM."""
    if "tlm" not in run.request.methods:
        return ""
    other = (
        ""
        if recipes.is_the_papers(run)
        else (" Its distances, and what detectors say, are not those of the paper's recipe.")
    )
    return f"Task loss matching: {recipes.words(run)}.{other}"


def provenance(run: Run, found: DetectionResults) -> list[list[str]]:
    """Say how a run was computed: the essentials of run.json, without folders of the machine that made it."""
    told, request = run.provenance(), run.request
    spent = ", ".join(f"{name} {seconds(count)}" for name, count in told["seconds"].items() if count)
    versions = "; ".join(", ".join(f"{name} {number}" for name, number in of.items()) for of in told["versions"])
    lines = {
        "Run": f"{run.id}, requested {run.record['created']}",
        **_source(run),
        "Report": f"StitchLab {VERSION}",
        "Front network": _network(run, "front", told["weights"]),
        "End network": _network(run, "end", told["weights"]),
        "Data": f"{run.record['data']['label']}{_folder(run.record['data'])}, {run.record['data']['train']:,} training "
        f"and {run.record['data']['test']:,} test images, fingerprint {run.record['data']['fingerprint'][:16]}",
        "Evaluation": f"the first {request.eval_images:,} test images of the seed's permutation",
        "Task loss matching": recipes.words(run) if "tlm" in request.methods else "",
        "Direct matching": f"{request.dm.images:,} training images" if "dm" in request.methods else "",
        "Seed": str(request.seed),
        "Precision": request.precision,
        "Known outliers": outliers(found, found.detection.outliers) if judging(found) else "",
        "Learned detector": "fine-tuned on " + ", ".join(outliers(found, k) for k in found.detection.training_outliers)
        if any(name == "energy" for name, _ in judging(found))
        else "",
        "Definitions": ", ".join(f"{name} {number}" for name, number in sorted(request.definitions.items())),
        "Changed since": listed(changed(request)),
        "Device": ", ".join(told["devices"]),
        "Threads": ", ".join(map(str, told["threads"])),
        "Versions": versions,
        "Time": spent,
    }
    return [[name, said] for name, said in lines.items() if said]


def outliers(found: DetectionResults, kind: str) -> str:
    """Name a kind of outliers for people: a made one, or another data set."""
    if kind in OUTLIERS:
        return OUTLIERS[kind].label.lower()
    data = data_sets.of_fingerprint(found.run.store, kind.removeprefix(DATA))
    return f"data {kind.removeprefix(DATA)[:16]}" if data is None else data.label


def _source(run: Run) -> dict[str, str]:
    """Say which file a run was read from, and who made that."""
    if (source := run.source) is None:
        return {}
    kind = "StitchLab's gallery" if source.gallery else "an opened file"
    return {
        "Read from": f"{source.file}, {kind}, made {source.made} by StitchLab {source.maker}",
        "Called": source.title,
        "Told": source.story,
        "Command": source.command,
    }


def _network(run: Run, side: Side, weights: Mapping[str, str | None]) -> str:
    network, checksum = run.record[side], weights.get(side)
    sha = f", weights SHA-256 {checksum[:16]}" if checksum else ""
    return f"{network['name']}, {network['architecture'].split('/')[-1]}, fingerprint {network['id'][:16]}{sha}"


def _folder(data: Mapping[str, Any]) -> str:
    """Return the last part of the folder's name, where data is one: its path is nobody else's business."""
    name = str(data["name"])
    return f" (folder {PurePath(name.removeprefix(FOLDER)).name})" if name.startswith(FOLDER) else ""
