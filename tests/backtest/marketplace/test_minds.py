from __future__ import annotations

import numpy as np
import pytest

from backtest.marketplace.minds import NO_LIMIT, Minds
from backtest.marketplace.plan import Cases
from backtest.marketplace.vocabulary import STAGE

ABUSER, HONEST = 0, 1


def minds(patience: int = 3) -> Minds:
    return Minds(np.array([True, False]), np.array([patience, patience]))


def case(fen: int, *, who: int = ABUSER, scripted: bool = True, stage: str = "before_shipment") -> Cases:
    one = {name: np.zeros(1, np.int64) for name in Cases.__dataclass_fields__}
    one |= {"buyer": np.array([who]), "paid_fen": np.array([fen]), "stage": np.array([STAGE[stage]])}
    return Cases(**{**one, "scripted": np.array([scripted])})  # type: ignore[arg-type]


def feel(them: Minds, of: Cases, *, auto: bool, revoked: bool = False) -> tuple[bool, bool, bool]:
    them.forget()
    them.feel(of, auto=np.array([auto]), revoked=np.array([revoked]))
    who = int(of.buyer[0])
    return bool(them.moved[who]), bool(them.slower[who]), bool(them.leaves[who])


MOVED, SLOWER, LEAVES, NOTHING = (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)


@pytest.mark.parametrize(
    ("answers", "felt", "limit"),
    [
        ([(5_000, True)], NOTHING, NO_LIMIT),
        ([(5_000, False)], MOVED, 5_000),
        ([(5_000, True), (5_001, False)], MOVED, 5_001),
        ([(5_000, True), (5_000, False)], SLOWER, NO_LIMIT),
        ([(9_000, False), (8_000, False)], MOVED, 8_000),
        ([(8_000, False), (9_000, False)], NOTHING, 8_000),
        ([(9_000, False), (8_000, False), (7_000, False)], (1, 1, 0), 7_000),
        ([(9_000, False), (8_000, False), (500, True), (7_000, False)], MOVED, 7_000),
        ([(9_000 - i, False) for i in range(5)], MOVED, 8_996),
        ([(9_000 - i, False) for i in range(6)], (1, 0, 1), 8_995),
    ],
)
def test_what_answers_teach(answers: list[tuple[int, bool]], felt: tuple[int, int, int], limit: int) -> None:
    them = minds()
    for fen, auto in answers:
        last = feel(them, case(fen), auto=auto)

    assert last == felt
    assert them.limit[ABUSER] == limit


@pytest.mark.parametrize(
    "of",
    [
        case(5_000, scripted=False),
        case(5_000, stage="after_shipment"),
        case(5_000, who=HONEST, scripted=False),
    ],
)
def test_only_their_own_scripts_before_shipment_teach_them(of: Cases) -> None:
    assert feel(minds(), of, auto=False) == NOTHING


@pytest.mark.parametrize(("scripted", "stage"), [(False, "before_shipment"), (True, "after_shipment")])
def test_any_answer_tells_that_the_account_is_revoked(scripted: bool, stage: str) -> None:
    of = case(5_000, scripted=scripted, stage=stage)

    assert feel(minds(), of, auto=True, revoked=True) == LEAVES
    assert feel(minds(), case(5_000, who=HONEST), auto=True, revoked=True) == NOTHING


def test_who_gave_an_account_up_learns_nothing_more_with_it() -> None:
    them = minds()
    them.give_up(np.array([ABUSER]))

    assert feel(them, case(5_000), auto=False, revoked=True) == NOTHING


def test_a_new_account_knows_the_limit_and_has_patience_again() -> None:
    them = minds(patience=1)
    feel(them, case(9_000), auto=False)
    them.grow(np.array([ABUSER]))
    new = 2

    assert them.limit[new] == 9_000
    assert feel(them, case(8_000, who=new), auto=False) == (1, 1, 0)
    assert feel(them, case(7_000, who=new), auto=False) == (1, 0, 1)
