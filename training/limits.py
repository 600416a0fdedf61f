"""What a retraining may do without a person, and how a person says otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Final

from features.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a retraining may do without a person.

    Attributes
    ----------
    roc_auc_loss, average_precision_loss : float
        How much worse the interval's lower end may be than the champion.
    loss_share_rise : float
        How much more of the money asked back the interval's upper end may give to abusers.
    calibration_error : float
        Largest calibration error on the rows judged, if the champion's is not larger.
    calibration_ratio : float
        Abuse found per abuse expected, at most this factor off, beyond what its interval explains.
    slice_roc_auc_loss, slice_approval_loss : float
        Per slice: loss of ROC-AUC beyond chance, and of the share of honest buyers that are quality users.
    slice_rows, slice_positives : int
        Below this a slice is too small to judge.
    swap_share : float
        Buyers that change tier per quality user of the champion.
    psi : float
        Largest population stability index of a feature that the model uses.
    load_seconds, answer_seconds : float
        Processor time in a clean process.
    """

    roc_auc_loss: float = 0.02
    average_precision_loss: float = 0.05
    loss_share_rise: float = 0.01
    calibration_error: float = 0.05
    calibration_ratio: float = 1.5
    slice_roc_auc_loss: float = 0.03
    slice_approval_loss: float = 0.05
    slice_rows: int = 50
    slice_positives: int = 10
    swap_share: float = 0.2
    psi: float = 0.25
    load_seconds: float = 20.0
    answer_seconds: float = 0.05


COUNTS: Final = ("slice_rows", "slice_positives")


def limits_of(text: str) -> Limits:
    """Read limits that differ from the defaults, as `swap_share=0.3,psi=0.5`.

    Raises
    ------
    BadInput
        No such limit, or not a number that it can be.
    """
    found: dict[str, float] = {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, said = (word.strip() for word in part.partition("="))
        if name in found:
            raise BadInput(f"the limit {name} is given twice")
        found[name] = _number(name, said)
    return replace(Limits(), **found)  # type: ignore[arg-type]


def _number(name: str, said: str) -> float:
    known = [field.name for field in fields(Limits)]
    if name not in known:
        raise BadInput(f"there is no limit {name!r}: give NAME=NUMBER of {', '.join(known)}")
    least = 1.0 if name == "calibration_ratio" else 0.0
    try:
        value = int(said) if name in COUNTS else float(said)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        kind = "a whole number" if name in COUNTS else "a number"
        raise BadInput(f"the limit {name} is {said!r}: give {kind} of at least {least:g}")
    return value
