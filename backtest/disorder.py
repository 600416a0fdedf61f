"""A log whose answers became known before the questions."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import BadInput
from features.scan import Log

from .laid_down import ANSWERS, COLUMNS, asking_of, plain_schema
from .requests import IN_TIME
from .spool import Spool


def refuse_disorder(log: Log, facts: Spool) -> None:
    """Refuse a log that has answers before the questions: its times cannot be believed.

    Parameters
    ----------
    facts : Spool
        Events of `laid_down.KINDS`.

    Raises
    ------
    BadInput
        It has.
    """
    before, none = pa.array([], pa.string()), plain_schema(COLUMNS).empty_table()
    early, unasked = [none], [none]
    for month in facts.months:
        table = facts.read(month).sort_by(IN_TIME)
        asked, answers = asking_of(table), table.filter(pc.is_in(table["kind"], value_set=pa.array(ANSWERS)))
        answers = answers.filter(pc.invert(pc.is_in(answers["after_sale_id"], value_set=before)))
        at = pc.index_in(answers["after_sale_id"], value_set=asked["after_sale_id"], skip_nulls=True)
        is_early = pc.fill_null(pc.less(answers["recorded_at"], asked["recorded_at"].take(at)), False)
        early.append(answers.filter(is_early))
        unasked.append(answers.filter(pc.is_null(at)))
        cases = asked["after_sale_id"].drop_null()
        before = pa.concat_arrays([before, *cases.chunks])
    never = pa.concat_tables(unasked)
    found = pa.concat_tables([*early, never.filter(pc.is_in(never["after_sale_id"], value_set=before))])
    if count := len(found):
        case = found.sort_by(IN_TIME)["after_sale_id"][0].as_py()
        raise BadInput(
            f"{log.name}: events out of order: {count} answers became known before their refund was asked "
            f"for, such as that of {case}; correct recorded_at"
        )
