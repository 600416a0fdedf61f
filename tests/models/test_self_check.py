from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.buyer_score import BuyerScore
from models.self_check import FILE, SelfCheckFailed, load_checked, save_checked

from .conftest import rows


@pytest.fixture
def saved(fitted: BuyerScore, tmp_path: Path) -> Path:
    save_checked(fitted, tmp_path, example=rows(4)[0])
    return tmp_path


def test_a_model_that_answers_as_it_did_loads(saved: Path, fitted: BuyerScore) -> None:
    X, _ = rows(seed=3)
    assert load_checked(saved).predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()


@pytest.mark.parametrize("name", ["trees.txt", "buyer_score.json"])
def test_a_changed_byte_is_found_before_anything_is_read(saved: Path, name: str) -> None:
    path = saved / name
    path.write_text(path.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(SelfCheckFailed, match="not the ones that were saved"):
        load_checked(saved)


def test_another_answer_than_the_known_one_is_found(saved: Path) -> None:
    kept = json.loads((saved / FILE).read_text())
    kept["log_odds"][0] += 1e-8
    (saved / FILE).write_text(json.dumps(kept))
    with pytest.raises(SelfCheckFailed, match="1 of 5 known answers differ, by up to 1e-08"):
        load_checked(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_known_answers_that_cannot_be_read_are_no_answers(saved: Path, text: str) -> None:
    (saved / FILE).write_text(text)
    with pytest.raises(SelfCheckFailed, match="cannot be read"):
        load_checked(saved)


def test_a_model_saved_before_there_were_known_answers_still_loads(saved: Path) -> None:
    (saved / FILE).unlink()
    assert load_checked(saved).n_trees_ > 0
