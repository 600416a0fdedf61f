"""Compile once: machine code is kept on disk, and thrown away when any file that it is made of changes.

Numba keeps a function's code until the file of that function changes. A function that calls into another
file, or takes a constant from it, would then run on with what that file used to say. So the stamp here
covers all `SOURCES`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

SOURCES: Final = ("arrange", "declare", "events", "fold", "kernel", "machine_code", "matching", "plan")
"""Modules that hold compiled functions, and those whose constants are compiled in."""

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile to machine code on first use and keep it; runs without Python's lock."""
    machine: Any = njit(nogil=True, error_model="numpy")(function)
    if hasattr(machine, "_cache"):  # not under NUMBA_DISABLE_JIT
        with suppress(RuntimeError):  # no folder to keep it in: each process compiles for itself
            machine._cache = _Kept(function)
    typed: Callable[P, R] = machine
    return typed


@cache
def source_stamp(folder: Path = Path(__file__).parent) -> str:
    """Digest the text of all `SOURCES`."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((folder / f"{name}.py").read_bytes() + b"\0")
    return digest.hexdigest()


class _Stamped:
    def get_source_stamp(self) -> str:
        return source_stamp()


class _Given(_Stamped, UserProvidedCacheLocator):
    """In ``NUMBA_CACHE_DIR``."""


class _Beside(_Stamped, InTreeCacheLocator):
    """Beside the code, also where another user compiled it at install and this one may only read."""

    def ensure_cache_path(self) -> None:
        try:
            super().ensure_cache_path()
        except OSError:
            module = Path(self._py_file).stem
            if not any(Path(self.get_cache_path()).glob(f"{module}.*.nbi")):
                raise


class _OfUser(_Stamped, UserWideCacheLocator):
    """In the user's folder for caches."""


class _Files(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_Given, _Beside, _OfUser]  # noqa: RUF012 - as numba declares it


class _Kept(FunctionCache):
    _impl_class = _Files

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code; where that is impossible, such as on a full disk, this process still has it."""
        with suppress(OSError):
            super().save_overload(sig, data)
