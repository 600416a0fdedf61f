from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from features.errors import BadInput
from training.limits import Limits, limits_of

PAGE = Path(__file__).parents[2] / "docs" / "retraining.md"


def test_what_is_not_said_stays_as_shipped() -> None:
    assert limits_of("") == limits_of(" , ") == Limits()
    said = limits_of(" swap_share = 0.3, slice_rows=80,psi=0")
    assert said == Limits(swap_share=0.3, slice_rows=80, psi=0.0)
    assert type(said.slice_rows) is int


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("swap=0.3", "no limit 'swap': give NAME=NUMBER of roc_auc_loss"),
        ("swap_share", "swap_share is '': give a number of at least 0"),
        ("swap_share=-0.1", "swap_share is '-0.1'"),
        ("psi=nan", "psi is 'nan'"),
        ("psi=inf", "psi is 'inf'"),
        ("slice_rows=1.5", "slice_rows is '1.5': give a whole number"),
        ("calibration_ratio=0.99", "calibration_ratio is '0.99': give a number of at least 1"),
        ("psi=1,psi=2", "the limit psi is given twice"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_name(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        limits_of(text)


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_every_limit_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
