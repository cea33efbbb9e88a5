"""What a grid shows, in sentences built from its numbers; nothing is said that they do not say."""

from __future__ import annotations

from stitchlab.run import Run


def finding(run: Run) -> list[str]:
    """Sentences on a grid's corners: last → first beside first → first, TLM beside DM; none before they exist."""
    first, last = run.request.front_layers[0], run.request.front_layers[-1]
    into = run.request.end_layers[0]
    tlm, dm = (run.value(method, "accuracy", last, into) for method in ("tlm", "dm"))
    here, matched = (run.value(method, "accuracy", first, into) for method in ("tlm", "dm"))
    if tlm is None or dm is None or here is None or matched is None or run.own_accuracy is None or first == last:
        return []
    verdict = (
        "Read as a measure, TLM would call them more similar than two corresponding first layers; "
        "what it measures is what a trained map can still bring through the end network, not similarity."
        if tlm > here else "Here TLM rates the corresponding first layers higher than that."
    )
    return [
        f"Bottom left: the last layer of the front network ({last}), put in at the first layer of the end network "
        f"({into}). **Task loss matching rates it {tlm:.2f}, direct matching {dm:.2f}**; the end network alone has "
        f"{run.own_accuracy:.2f}.",
        f"Top left: first layer into first layer, which TLM rates {here:.2f} and DM {matched:.2f}. {verdict}",
    ]
