"""A step's requests with what is known when they come: the batch kernel over the histories so far."""

from __future__ import annotations

from itertools import starmap

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.batch import evaluate_spine
from features.catalog import CATALOG
from features.history import pack
from features.needs import needs_of
from models.buyer_score import BuyerScore
from models.deciding.many import buyer_evidences

from ..columns import micros_of
from ..known import Turn
from ..order_evidence import as_evidences, order_evidences
from ..requests import as_requests
from .archive import Archive


def turns_of(requests: pa.Table, archive: Archive, *, score: BuyerScore) -> list[Turn]:
    """Make the turns of a step: requests, evidence of orders, scored vectors.

    Parameters
    ----------
    requests : pa.Table
        `requests.SCHEMA`; several of a buyer only of one instant.
    archive : Archive
        With all that was recorded before each of them.
    """
    buyers = requests["buyer_id"].combine_chunks().unique()
    own = archive.of(buyers)
    vectors = _vectors(requests, pa.concat_tables([own, archive.beside(own, buyers)]))
    known = zip(
        range(len(requests)),
        as_requests(requests),
        as_evidences(order_evidences(requests, own)),
        buyer_evidences(vectors, score=score),
        strict=True,
    )
    return list(starmap(Turn, known))


def _vectors(requests: pa.Table, events: pa.Table) -> npt.NDArray[np.float64]:
    """Compute what a replay of the whole log gives: a history is its own events and its links' accounts."""
    histories = pack(events, needs=needs_of(CATALOG.plan))
    return evaluate_spine(histories, requests["buyer_id"], micros_of(requests["requested_at"]))
