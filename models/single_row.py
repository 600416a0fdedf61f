"""One row at a time: what `Booster.predict` gives, without its preparation per call."""

from __future__ import annotations

import ctypes
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Final

import lightgbm as lgb
import numpy as np
from lightgbm import basic
from numpy.typing import NDArray

from . import trees

if TYPE_CHECKING:
    from .fast_shap import FastShap

_LIB: Final = basic._LIB  # type: ignore[attr-defined]
_RAW_SCORE: Final = 1
_FLOAT64: Final = 1
_SIGNATURE: Final = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
"""A call that keeps Python's lock, and so needs no other: LightGBM's buffers serve one row at a time. Letting
the lock go would cost more than the few microseconds of the row."""


class SingleRow:
    """Answers of one booster, a row at a time; any thread may ask.

    Parameters
    ----------
    booster : lightgbm.Booster
        As it is now; trees added later are not seen.
    """

    def __init__(self, booster: lgb.Booster) -> None:
        self.booster = booster
        self.n_features = booster.num_feature()
        config = ctypes.c_void_p()
        code = _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            ctypes.c_int(_RAW_SCORE),
            ctypes.c_int(0),
            ctypes.c_int(booster.best_iteration),
            ctypes.c_int(_FLOAT64),
            ctypes.c_int32(self.n_features),
            ctypes.c_char_p(b"num_threads=1"),
            ctypes.byref(config),
        )
        _check(code)
        self._config = config.value
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, config)
        pointer = ctypes.cast(_LIB.LGBM_BoosterPredictForMatSingleRowFast, ctypes.c_void_p).value
        self._predict = _SIGNATURE(pointer or 0)

    def margin(self, vector: NDArray[np.float64]) -> float:
        """Raw score of one vector of shape (n_features,), the very bits of `Booster.predict`.

        Raises
        ------
        ValueError
            For a vector of another length.
        """
        row = self._row(vector)
        length, margin = ctypes.c_int64(), ctypes.c_double()
        pointer = row.__array_interface__["data"][0]
        _check(self._predict(self._config, pointer, ctypes.addressof(length), ctypes.addressof(margin)))
        return margin.value

    def contributions(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact tree SHAP of one vector, shape (n_features + 1,), the base last; equal up to rounding.

        Raises
        ------
        ValueError
            For a vector of another length.
        """
        row = self._row(vector)
        if self._shap is None:
            return np.asarray(trees.shap(self.booster, row.reshape(1, -1))[0])
        return self._shap.contributions(row)

    @cached_property
    def _shap(self) -> FastShap | None:
        """Made when first asked for: only explanations need numba."""
        from .fast_shap import FastShap

        return FastShap.of(self.booster)

    def _row(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        row = np.ascontiguousarray(vector, dtype=np.float64)
        if row.shape != (self.n_features,):
            raise ValueError(f"the vector has shape {row.shape}, the model {self.n_features} features")
        return row


def _check(code: int) -> None:
    if code != 0:
        _LIB.LGBM_GetLastError.restype = ctypes.c_char_p
        raise basic.LightGBMError(_LIB.LGBM_GetLastError().decode())
