"""The one place that compiles: a function becomes machine code, kept beside its source.

Kernels take and give NumPy arrays and plain numbers. Where the sources lie cannot be written to and there is
no cache folder either (``NUMBA_CACHE_DIR`` names one), they are compiled again in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile on first use, without Python objects; keeps the function's type for the checker."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba finds no folder for the cache
        return cast(Function, numba.njit(nogil=True, error_model="numpy")(function))
