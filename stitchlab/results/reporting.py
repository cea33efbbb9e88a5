"""Write what a paper should report beside the numbers of a stitching comparison."""

from __future__ import annotations

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.results.checks.answers import Answers
from stitchlab.results.detection import NATIVE, DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.recipe import words
from stitchlab.results.run import Run


def report(run: Run, answers: Answers | None = None) -> str:
    """Write the facts that a paper should report about a run, one per line, also those that are missing.

    Args:
        run: the run.
        answers: those of the checks; None if they were not computed.

    Returns:
        plain text.
    """
    request, names = run.request, [run.record[side]["name"] for side in ("front", "end")]
    items = {
        "Direction": f"{names[0]} → {names[1]} (front → end); state the other direction too",
        "Compared": f"{len(request.front_layers)} × {len(request.end_layers)} layers on {request.eval_images:,} "
        f"test images of {run.record['data']['label']}",
        "Own accuracy": "not known" if run.own_accuracy is None else f"{run.own_accuracy:.4f} (end network)",
    }
    items |= {METHOD_LABELS["tlm"]: words(run)} if "tlm" in request.methods else {}
    dm = {METHOD_LABELS["dm"]: f"least squares on K = {request.dm.images} training images"}
    items |= dm if "dm" in request.methods else {}
    items |= {
        "Seeds": f"networks {_seeds(run)}; comparison {request.seed}; repeat over several",
        "Distribution": _detectors(run),
        "Checks": _checks(answers),
        "Run": run.id,
    }
    return "\n".join(f"{name}: {text}" for name, text in items.items())


def _seeds(run: Run) -> str:
    seeds = [run.record[side].get("seed") for side in ("front", "end")]
    return " and ".join(dict.fromkeys("trained elsewhere" if seed is None else str(seed) for seed in seeds))


def _detectors(run: Run) -> str:
    """List the detectors that were applied, at how many end layers each is believed, and the known outliers."""
    detection = fullest_settings(run)
    results, layers = DetectionResults(run, detection), run.request.end_layers
    applied = [name for name in DETECTORS if any(results.entry(name, NATIVE, "", j) is not None for j in layers)]
    if not applied:
        return "no detector has judged this run yet"
    counts = {name: sum(bool(results.reliability(name, j).holds) for j in layers) for name in applied}
    parts = [
        f"{DETECTORS[name].label} (believed at {count} of {len(layers)} end layers)"
        for name, count in counts.items()
        if count
    ]
    if doubted := len(applied) - len(parts):
        parts.append(f"{doubted} more detector{'s' * (doubted != 1)}, not believed at any")
    outliers = detection.outliers
    label = OUTLIERS[outliers].label if outliers in OUTLIERS else outliers.removeprefix(DATA)
    return f"{', '.join(parts)}; known outliers: {label}"


def _checks(answers: Answers | None) -> str:
    """List the checks that each method's accuracy passes and fails, or say that they were not computed."""
    if answers is None:
        return "not computed yet"
    rows = [row for row in answers.rows() if row.statistic == CHECKS[row.check].statistics[0].name]
    parts = []
    for method, label in METHOD_LABELS.items():
        of_method = [row for row in rows if row.subject == f"{method}/accuracy"]
        checks = {
            verdict: ", ".join(CHECKS[row.check].label for row in of_method if row.verdict == verdict) or "none"
            for verdict in ("pass", "fail")
        }
        parts += [f"{label} passes {checks['pass']}, and fails {checks['fail']}"] if of_method else []
    return f"on {answers.checking.title}: {'; '.join(parts)}" if parts else "none of these methods"
