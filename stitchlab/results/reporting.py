"""Write what a paper should report beside the numbers of a stitching comparison."""

from __future__ import annotations

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.results.checks.answers import Answers
from stitchlab.results.detection import NATIVE, DetectionResults
from stitchlab.results.judged_with import judged_with
from stitchlab.results.recipe import words
from stitchlab.results.run import Run


def report(run: Run, answers: Answers | None = None) -> str:
    """Write what to report about a run, one item per line, including what is missing.

    Args:
        run: whose settings are told.
        answers: of checks, where such were computed.

    Returns:
        plain text.
    """
    request, names = run.request, [run.record[side]["name"] for side in ("front", "end")]
    known = {
        "Direction": f"{names[0]} → {names[1]} (front → end); state the other direction too",
        "Compared": f"{len(request.front_layers)} × {len(request.end_layers)} layers on {request.eval_images:,} "
        f"test images of {run.record['data']['label']}",
        "Own accuracy": "not known" if run.own_accuracy is None else f"{run.own_accuracy:.4f} (end network)",
    }
    known |= {METHOD_LABELS["tlm"]: words(run)} if "tlm" in request.methods else {}
    known |= (
        {METHOD_LABELS["dm"]: f"least squares on K = {request.dm.images} training images"}
        if ("dm" in request.methods)
        else {}
    )
    known |= {
        "Seeds": f"networks {_seeds(run)}; comparison {request.seed}; repeat over several",
        "Distribution": _detectors(run),
        "Checks": _checks(answers),
        "Run": run.id,
    }
    return "\n".join(f"{name}: {said}" for name, said in known.items())


def _seeds(run: Run) -> str:
    seeds = [run.record[side].get("seed") for side in ("front", "end")]
    return " and ".join(dict.fromkeys("trained elsewhere" if seed is None else str(seed) for seed in seeds))


def _detectors(run: Run) -> str:
    """Say which detectors judged this run, with which outliers, and at how many end layers each is believed."""
    detection = judged_with(run)
    found, layers = DetectionResults(run, detection), run.request.end_layers
    judged = [name for name in DETECTORS if any(found.entry(name, NATIVE, "", j) is not None for j in layers)]
    if not judged:
        return "no detector has judged this run yet"
    counts = {name: sum(bool(found.reliability(name, j).holds) for j in layers) for name in judged}
    said = [
        f"{DETECTORS[name].label} (believed at {count} of {len(layers)} end layers)"
        for name, count in counts.items()
        if count
    ]
    if doubted := len(judged) - len(said):
        said.append(f"{doubted} more detector{'s' * (doubted != 1)}, not believed at any")
    outliers = detection.outliers
    known = OUTLIERS[outliers].label if outliers in OUTLIERS else outliers.removeprefix(DATA)
    return f"{', '.join(said)}; known outliers: {known}"


def _checks(answers: Answers | None) -> str:
    """Say which checks each method passed and failed, or that they were not computed."""
    if answers is None:
        return "not computed yet"
    rows = [row for row in answers.rows() if row.statistic == CHECKS[row.check].statistics[0].name]
    said = []
    for method, label in METHOD_LABELS.items():
        of = [row for row in rows if row.subject == f"{method}/accuracy"]
        named = {
            verdict: ", ".join(CHECKS[row.check].label for row in of if row.verdict == verdict) or "none"
            for verdict in ("pass", "fail")
        }
        said += [f"{label} passes {named['pass']}, and fails {named['fail']}"] if of else []
    return f"on {answers.checking.title}: {'; '.join(said)}" if said else "none of these methods"
