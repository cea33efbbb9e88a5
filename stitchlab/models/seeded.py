"""Seeds the random numbers of code that takes no generator, such as the constructors of ``torch.nn`` modules.

PyTorch's default generator is shared by the whole process. Seeding it would change the draws of other threads (of a
notebook, for instance), and their draws would change ours. A torch function mode applies to one thread only, and passes
a generator to each function that draws.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

#: Names of the functions that draw random numbers: of ``torch``, of tensors, and those of ``torch.nn.init`` that
#: PyTorch passes to a mode as one call. All take a generator.
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
    """Makes this thread draw its random numbers on the CPU from one generator with this seed, inside a ``with`` block.

    The numbers are those of PyTorch's default generator with this seed, which is neither read nor changed.

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
