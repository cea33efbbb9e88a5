"""Makes adversarial images: projected gradient descent on the pixels within an ℓ∞ ball.

Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks": from a random point of the ball,
δ ← clip(δ + α sign ∇δ loss, −ε, ε), pixels kept within 0..255, α = 2.5 ε / steps. During the attack the network is in
eval mode, so that its batch norm statistics come from the images that it is trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stitchlab.catalog.training_recipes import Attack
from stitchlab.cutting.logits import logits_of

PATH_LENGTH_RADII = 2.5  # length of all steps together, in radii of the ball


def attack_images(
    module: nn.Module,
    prepare: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    generator: torch.Generator,
) -> Tensor:
    """Change images by at most ε each pixel so that the module classifies them worse.

    Args:
        module: takes what ``prepare`` returns; its mode and its parameters' gradients are left as they were.
        prepare: turns pixels 0..255, float, into the module's input; differentiable.
        images: (N,C,H,W) in 0..255.
        labels: (N,) int64.
        attack: radius and number of steps.
        generator: on the CPU, for the random start in the ball.

    Returns:
        (N,C,H,W) float32 in 0..255.
    """
    clean, radius = images.float(), 255 * attack.epsilon
    start = torch.rand(clean.shape, generator=generator).to(clean.device)
    delta = project((2 * start - 1) * radius, clean, radius)
    training = module.training
    module.eval()
    for _ in range(attack.steps):
        delta = ascend(module, prepare, clean, labels, delta, radius, PATH_LENGTH_RADII * radius / attack.steps)
    module.train(training)
    return clean + delta


def ascend(
    module: nn.Module,
    prepare: Callable[[Tensor], Tensor],
    clean: Tensor,
    labels: Tensor,
    delta: Tensor,
    radius: float,
    step: float,
) -> Tensor:
    """Take one step of gradient ascent on the loss, and project the result into the ball and the range of pixels.

    Args:
        module, prepare, clean, labels: as for `attack_images`; ``clean`` are the unchanged images, in float.
        delta: (N,C,H,W), the change of the images so far.
        radius, step: of the ball, and length of the step, in units of pixels 0..255.

    Returns:
        the new change, (N,C,H,W).
    """
    with torch.enable_grad():
        delta = delta.detach().requires_grad_()
        loss = F.cross_entropy(logits_of(module(prepare(clean + delta))), labels)
    (gradient,) = torch.autograd.grad(loss, delta)
    return project(delta.detach() + step * gradient.sign(), clean, radius)


def project(delta: Tensor, clean: Tensor, radius: float) -> Tensor:
    """Clip a change of images so that it stays in the ball and pixels stay within 0..255.

    Args:
        delta: (N,C,H,W), the change.
        clean: (N,C,H,W) in 0..255, the unchanged images.
        radius: of the ℓ∞ ball, in units of pixels 0..255.

    Returns:
        (N,C,H,W).
    """
    return torch.clamp(clean + delta.clamp(-radius, radius), 0, 255) - clean
