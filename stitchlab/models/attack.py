"""Makes adversarial images: projected gradient descent on the pixels within an ℓ∞ ball.

Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks": from a random point of the ball,
δ ← clip(δ + α sign ∇δ loss, −ε, ε), pixels kept within 0..255, α = 2.5 ε / steps. The network is in eval mode
meanwhile, so that its batch norm statistics are those of the images it is trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stitchlab.catalog.training_recipes import Attack
from stitchlab.cutting.logits import logits_of

REACH = 2.5  # how far all steps together could go, in radii of the ball


def attacked(
    module: nn.Module,
    prepare: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    how: Attack,
    generator: torch.Generator,
) -> Tensor:
    """Make images that the module classifies worse, at most ε from those given.

    Args:
        module: takes what ``prepare`` gives; its mode and its parameters' gradients are left as they were.
        prepare: pixels 0..255, float, to what the module takes; differentiable.
        images: (N,C,H,W) in 0..255.
        labels: (N,) int64.
        how: radius and steps.
        generator: on the CPU, for where each image starts.

    Returns (N,C,H,W) float32 in 0..255.
    """
    clean, radius = images.float(), 255 * how.epsilon
    start = torch.rand(clean.shape, generator=generator).to(clean.device)
    delta = bounded((2 * start - 1) * radius, clean, radius)
    training = module.training
    module.eval()
    for _ in range(how.steps):
        delta = stepped(module, prepare, clean, labels, delta, radius, REACH * radius / how.steps)
    module.train(training)
    return clean + delta


def stepped(
    module: nn.Module,
    prepare: Callable[[Tensor], Tensor],
    clean: Tensor,
    labels: Tensor,
    delta: Tensor,
    radius: float,
    size: float,
) -> Tensor:
    """Take one step of gradient ascent on the loss, back into the ball and the range of pixels.

    Args:
        module, prepare, clean, labels: as for `attacked`; ``clean`` in float.
        delta: (N,C,H,W), what has been added to the clean images so far.
        radius, size: of the ball and of the step, in units of pixels 0..255.

    Returns:
        the new delta, (N,C,H,W).
    """
    with torch.enable_grad():
        delta = delta.detach().requires_grad_()
        loss = F.cross_entropy(logits_of(module(prepare(clean + delta))), labels)
    (gradient,) = torch.autograd.grad(loss, delta)
    return bounded(delta.detach() + size * gradient.sign(), clean, radius)


def bounded(delta: Tensor, clean: Tensor, radius: float) -> Tensor:
    """Give the nearest change of the images that stays in the ball and leaves pixels within 0..255.

    Args:
        delta: (N,C,H,W), the change.
        clean: (N,C,H,W) in 0..255, the images that it is added to.
        radius: of the ℓ∞ ball, in units of pixels 0..255.

    Returns:
        (N,C,H,W).
    """
    return torch.clamp(clean + delta.clamp(-radius, radius), 0, 255) - clean
