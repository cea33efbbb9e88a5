"""Draws random numbers of a seed for code that takes no generator, such as ``torch.nn`` modules as they are built.

PyTorch's default generator belongs to the whole process: who seeds it spoils, and is spoilt by, whatever other threads
draw meanwhile (of a notebook, say). A mode of torch functions is the thread's own, and hands each draw a generator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

#: What draws, by name: functions of ``torch`` and of tensors, and of ``torch.nn.init`` what PyTorch passes through a
#: mode as a whole. All take a generator.
DRAWS = {
    "_sample_dirichlet",
    "_standard_gamma",
    "bernoulli",
    "bernoulli_",
    "binomial",
    "cauchy_",
    "exponential_",
    "geometric_",
    "kaiming_uniform_",
    "log_normal_",
    "multinomial",
    "normal",
    "normal_",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "random_",
    "randperm",
    "uniform_",
}


class Seeded(TorchFunctionMode):
    """Makes what this thread draws on the CPU, while it lasts, come from one generator with this seed.

    The numbers are those that PyTorch's default generator gives with this seed; that one is neither read nor changed.

    >>> with Seeded(0):
    ...     ours = torch.rand(3)
    >>> torch.equal(ours, torch.rand(3, generator=torch.Generator().manual_seed(0)))
    True
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in DRAWS and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self._generator}
        return func(*args, **kwargs)
