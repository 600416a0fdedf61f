"""The event contract: the columns, kinds and codes of the append-only transaction log.

One row says that something happened to a buyer at ``occurred_at`` and that the platform knew of it at
``recorded_at``. Parquet files, ``POST /v1/events`` and the database table all hold these columns.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

KINDS: Final[tuple[str, ...]] = (
    "order_placed",
    "order_paid",
    "order_closed_unpaid",
    "order_shipped",
    "order_completed",
    "refund_requested",
    "refund_granted",
    "refund_rejected",
    "refund_withdrawn",
    "refund_found_shipped",
    "dispute_opened",
    "dispute_closed",
    "abuse_confirmed",
    "abuse_cleared",
    "identity_linked",
)
"""Every kind of event. The position is the kernel's code: append, never reorder."""

GOODS_TYPES: Final = ("physical", "virtual", "customized")
STAGES: Final = ("before_shipment", "after_shipment")
FAULTS: Final = ("buyer", "shop", "carrier", "platform", "none")
DISPUTE_OUTCOMES: Final = ("buyer", "merchant")
ACTORS: Final = ("buyer", "merchant", "platform", "auto")
LINK_TYPES: Final = ("device", "address", "payer")

ORDER_KINDS: Final = KINDS[:5]
REFUND_KINDS: Final = KINDS[5:10]
DISPUTE_KINDS: Final = KINDS[10:12]

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

SCHEMA: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("buyer_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("occurred_at", TIMESTAMP, nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        pa.field("order_id", pa.string()),
        pa.field("after_sale_id", pa.string()),
        pa.field("shop_id", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("goods_type", pa.string()),
        pa.field("amount_fen", pa.int64()),
        pa.field("stage", pa.string()),
        pa.field("fault", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("actor", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("link_type", pa.string()),
        pa.field("link_value", pa.string()),
        pa.field("line_count", pa.int32()),
        pa.field("imputed", pa.string()),
    ]
)
"""Columns and types. The last two are additions that a producer may leave out: ``line_count`` is the
number of distinct items of an order or refund, ``imputed`` names, separated by commas, the columns
whose value an importer inferred rather than read."""

OPTIONAL_COLUMNS: Final = ("line_count", "imputed")
NULLABLE_COLUMNS: Final = tuple(f.name for f in SCHEMA if f.nullable)
REQUIRED_COLUMNS: Final = tuple(name for name in SCHEMA.names if name not in OPTIONAL_COLUMNS)
VOCABULARY: Final = {
    "kind": KINDS,
    "goods_type": GOODS_TYPES,
    "stage": STAGES,
    "fault": FAULTS,
    "actor": ACTORS,
    "link_type": LINK_TYPES,
}
"""Columns whose values come from a closed list. ``outcome`` is closed only for ``dispute_closed``."""

SORT_KEYS: Final = ("buyer_id", "recorded_at", "occurred_at", "event_id")
"""The one order of a history: by the time it became known; ties by when it happened, then by id."""
