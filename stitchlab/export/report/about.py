"""Describes a run for the report: its networks, data and recipe, the definitions of its numbers, its provenance."""

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
from stitchlab.export.report.grids import judged_metrics, scales
from stitchlab.figures.histograms import DECADES
from stitchlab.figures.sets import SET_LABELS
from stitchlab.figures.template import COLOURS
from stitchlab.figures.words import IMAGES_AND_SETS
from stitchlab.results import data_sets
from stitchlab.results import recipe as recipes
from stitchlab.results.definitions import changed, listed, remark
from stitchlab.results.detection import (
    MAX_NATIVE_AUROC_DEVIATION,
    MAX_NATIVE_RATIO,
    MIN_OUTLIERS_AUROC,
    MIN_OUTLIERS_RATIO_FACTOR,
    DetectionResults,
)
from stitchlab.results.duration import seconds
from stitchlab.results.records import Side
from stitchlab.results.run import Run
from stitchlab.results.similarity import ACCURATE, FAR, MAX_INACCURATE_SHARE, MAX_NEAR_RATIO, MIN_OUT_RATIO
from stitchlab.results.version import VERSION

Definition = list[str]  #: a name and its sentence: a list, since it becomes JSON

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

# Definitions that no entry of the catalog has: a name and a sentence each.
STITCHING_DEFINITIONS: list[Definition] = [
    [
        "Stitching",
        "The front network runs up to one of its layers, an affine map follows, and the end network continues from one "
        "of its own layers. A cell is one front layer with one end layer.",
    ],
    [
        "Task loss matching (TLM)",
        "The map is trained on the task, with both networks frozen; every number comes with its recipe.",
    ],
    [
        "Direct matching (DM)",
        "The map is fitted by least squares to the end network's own (native) activations of the same images; nothing "
        "is trained.",
    ],
]
DETECTION_DEFINITIONS: list[Definition] = [
    [
        "Believed",
        "A detector is believed at an end layer if evaluation images have AUROC 0.5 against native images that were "
        f"held out of its fit (within {MAX_NATIVE_AUROC_DEVIATION:g}, or with 0.5 in the interval), and known outliers "
        f"at least {MIN_OUTLIERS_AUROC:g}; the Fréchet ratio is believed if native images have at most "
        f"{MAX_NATIVE_RATIO:g} and outliers at least {MIN_OUTLIERS_RATIO_FACTOR:g} times as much. † marks end layers "
        "where a detector is not believed.",
    ],
    [
        "Accurate",
        f"The stitched network keeps at least {ACCURATE:.0%} of the end network's own accuracy above chance; "
        f"inaccurate: less than {MAX_INACCURATE_SHARE:.0%}.",
    ],
    [
        "Out of distribution",
        f"AUROC at least {FAR:g} or Fréchet ratio at least {MIN_OUT_RATIO:g}; close to native: ratio at most "
        f"{MAX_NEAR_RATIO:g}, and nearer than known outliers.",
    ],
    ["Images and sets", IMAGES_AND_SETS],
]


def catalog() -> dict[str, Any]:
    """Return the part that all reports share: colours, names, and the definitions of all numbers."""
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


def _definitions() -> list[tuple[str, list[Definition]]]:
    """List the groups of definitions, each with its heading."""
    return [
        (
            "Stitched networks",
            [
                *STITCHING_DEFINITIONS,
                *([metric.label, f"{metric.meaning}; {metric.better} = more similar."] for metric in METRICS.values()),
            ],
        ),
        ("Similarity indices", [[index.label, _index(index)] for index in INDICES.values()]),
        (
            "In or out of distribution",
            [
                *([d.label, f"{d.meaning} ({d.reference})."] for d in DETECTORS.values()),
                *([metric.label, f"{metric.meaning}."] for metric in OOD_METRICS.values()),
                *DETECTION_DEFINITIONS,
            ],
        ),
    ]


def _index(index: Index) -> str:
    """Define a similarity index: its meaning, its range, the rows that it compares, and when it is undefined."""
    undefined = f" Undefined {index.undefined}." if index.undefined else ""
    return (
        f"{index.meaning[0].upper()}{index.meaning[1:]}; {index.metric}, {index.low:g} to {index.high:g}. "
        f"Of {ROWS[index.needs]} ({index.reference}).{undefined}"
    )


def facts(run: Run) -> list[Definition]:
    """List what was compared, on which data and how, for the top of the report: a name and a sentence each."""
    request, record = run.request, run.record
    lines = [
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
    lines += [["Task loss matching", _remarked(run, "tlm", recipes.words(run))]] if "tlm" in request.methods else []
    if "dm" in request.methods:
        least_squares = f"least squares on {request.dm.images:,} training images"
        lines.append(["Direct matching", _remarked(run, "dm", least_squares)])
    if request.null:
        lines.append(["Chance", f"each index on {request.null} permutations of the images"])
    if not run.complete:
        lines.append(["Unfinished", f"{len(run.cells)} of {run.total} results are computed; the others are grey"])
    return lines


def _own(accuracy: float | None, front_of: Run | None = None) -> str:
    """Write a network's own accuracy; ``front_of`` is the run if it is the front network's."""
    if front_of is not None and not front_of.front_scored:
        return "not defined: it predicts other classes"
    return "not known" if accuracy is None else f"{accuracy:.4f}"


def _remarked(run: Run, name: str, text: str) -> str:
    """Add the remark that a definition needs, if any."""
    return ", ".join(filter(None, (text, remark(run.request, name))))


def recipe(run: Run) -> str:
    """Write the recipe of TLM in words, with a warning if it is not the paper's; empty without TLM."""
    if "tlm" not in run.request.methods:
        return ""
    warning = (
        ""
        if recipes.is_the_papers(run)
        else " The distances and the detectors' numbers are not those of the paper's recipe."
    )
    return f"Task loss matching: {recipes.words(run)}.{warning}"


def provenance(run: Run, results: DetectionResults) -> list[Definition]:
    """Say how a run was computed: the essentials of run.json, without folders of the machine that computed it."""
    provenance, request = run.provenance(), run.request
    times = ", ".join(f"{name} {seconds(count)}" for name, count in provenance["seconds"].items() if count)
    versions = "; ".join(
        ", ".join(f"{name} {number}" for name, number in packages.items()) for packages in provenance["versions"]
    )
    lines = {
        "Run": f"{run.id}, requested {run.record['created']}",
        **_source(run),
        "Report": f"StitchLab {VERSION}",
        "Front network": _network(run, "front", provenance["weights"]),
        "End network": _network(run, "end", provenance["weights"]),
        "Data": f"{run.record['data']['label']}{_folder(run.record['data'])}, {run.record['data']['train']:,} training "
        f"and {run.record['data']['test']:,} test images, fingerprint {run.record['data']['fingerprint'][:16]}",
        "Evaluation": f"the first {request.eval_images:,} test images of the seed's permutation",
        "Task loss matching": recipes.words(run) if "tlm" in request.methods else "",
        "Direct matching": f"{request.dm.images:,} training images" if "dm" in request.methods else "",
        "Seed": str(request.seed),
        "Precision": request.precision,
        "Known outliers": outliers(results, results.detection.outliers) if judged_metrics(results) else "",
        "Learned detector": "fine-tuned on "
        + ", ".join(outliers(results, k) for k in results.detection.training_outliers)
        if any(name == "energy" for name, _ in judged_metrics(results))
        else "",
        "Definitions": ", ".join(f"{name} {number}" for name, number in sorted(request.definitions.items())),
        "Changed since": listed(changed(request)),
        "Device": ", ".join(provenance["devices"]),
        "Threads": ", ".join(map(str, provenance["threads"])),
        "Versions": versions,
        "Time": times,
    }
    return [[name, text] for name, text in lines.items() if text]


def outliers(results: DetectionResults, kind: str) -> str:
    """Name known outliers for people: a synthetic kind, or another data set."""
    if kind in OUTLIERS:
        return OUTLIERS[kind].label.lower()
    data = data_sets.of_fingerprint(results.run.store, kind.removeprefix(DATA))
    return f"data {kind.removeprefix(DATA)[:16]}" if data is None else data.label


def _source(run: Run) -> dict[str, str]:
    """Say which file a run was read from, and when and by which version that was made."""
    if (source := run.source) is None:
        return {}
    kind = "StitchLab's gallery" if source.gallery else "an opened file"
    return {
        "Read from": f"{source.file}, {kind}, made {source.made} by StitchLab {source.maker}",
        "Title": source.title,
        "Description": source.story,
        "Command": source.command,
    }


def _network(run: Run, side: Side, weights: Mapping[str, str | None]) -> str:
    network, checksum = run.record[side], weights.get(side)
    sha = f", weights SHA-256 {checksum[:16]}" if checksum else ""
    return f"{network['name']}, {network['architecture'].split('/')[-1]}, fingerprint {network['id'][:16]}{sha}"


def _folder(data: Mapping[str, Any]) -> str:
    """Return the name of the folder, if the data set is one; its path stays private."""
    name = str(data["name"])
    return f" (folder {PurePath(name.removeprefix(FOLDER)).name})" if name.startswith(FOLDER) else ""
