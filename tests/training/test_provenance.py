from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from training.provenance import fingerprint, git_commit

from .events import market

LOG = market(n_buyers=5, n_days=100)


def test_the_fingerprint_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = LOG.take(pa.array(np.random.default_rng(0).permutation(len(LOG))))
    assert fingerprint(shuffled) == fingerprint(LOG)


def replaced(name: str, values: pa.Array) -> pa.Table:
    return LOG.set_column(LOG.column_names.index(name), name, values)


@pytest.mark.parametrize(
    "other",
    [
        LOG.slice(1),
        replaced("buyer_id", LOG["buyer_id"].combine_chunks()[::-1]),
        replaced("stage", pa.array(["x"] * len(LOG))),
        replaced("amount_fen", pa.array([5001] * len(LOG), pa.int64())),
    ],
)
def test_any_other_content_has_another_fingerprint(other: pa.Table) -> None:
    assert fingerprint(other) != fingerprint(LOG)


def test_the_commit_is_that_of_this_code_or_none() -> None:
    commit = git_commit()
    assert commit is None or len(commit.removesuffix("+dirty")) == 40
