"""The catalog as a page: ``python -m features.page FILE`` writes it, ``--check FILE`` compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from .catalog import CATALOG
from .compile import Catalog, Feature
from .declare import BASKET_GAP, Family
from .links import MAX_ACCOUNTS_PER_LINK
from .wording import definition

WORSE: Final = {1: "more", -1: "less", 0: "—"}
TABLE: Final = ("| feature | en | zh |", "|---|---|---|")


HEAD: Final = """# Features

Generated from `features/catalog.py` by `make format`; do not edit.

Catalog `{version}`: {n_features} features, {n_reasons} reason codes. Enough is said here to compute every
number by hand; `tests/features/oracle.py` does so, slowly, and is what the kernel is tested against.

- A feature at `as_of` sees the buyer's events with `recorded_at` before `as_of`; a window of *w* days those
  in `[as_of − w, as_of)` of `recorded_at`, `life` all of them. Events are in the order of `recorded_at`,
  `occurred_at`, `event_id`.
- A null amount or count adds nothing to a sum and is left out of a median; the median of an even number is
  the mean of the middle two. Amounts are in fen. Counts and sums are exact integers; what follows is computed
  in double precision, the products first.
- What is null or unknown meets no condition that does not name null. An empty id is none, and what has no
  shop, category or order is not counted among them.
- An order is one buyer's: the same `order_id` of another buyer is another order. Its payment is its first
  `order_paid` in that order; `pay_lag` is `occurred_at` minus the payment's, and, like “paid”, unknown before
  it. Orders are of one basket when their payments follow one another and occurred at most {basket:g} minutes
  apart; an event's order counts as such if it was so by that event, and an event without an order is neither
  of a basket nor not.
- “Number of shops with …” counts a shop once, at its latest such event; “and no later …” takes it out again.
- `peer_linked`, `peer_abuse_confirmed` and `peer_abuse_cleared` stand for what another account's links and
  verdicts tell of this buyer, known once all parts of it are. Only the first {peers} accounts of a link are
  peers of each other, of those first recorded at one instant the lesser ids; of verdicts before the link, and
  of those recorded at one instant, only the last counts.
- “Worse” says in which direction the feature may only raise the probability of abuse; — leaves it to the
  data.
"""


def page(catalog: Catalog) -> str:
    """Render the catalog as Markdown: reasons with their texts, then every family under its reason."""
    head = HEAD.format(
        version=catalog.version,
        n_features=catalog.n_features,
        n_reasons=len(catalog.reasons),
        basket=BASKET_GAP.total_seconds() / 60,
        peers=MAX_ACCOUNTS_PER_LINK,
    )
    lines = [head.rstrip("\n")]
    for code, text in catalog.reasons.items():
        lines += ["", f"## {code}", "", f"{text.en} · {text.zh}"]
        for family in (f for f in catalog.families if f.reason == code):
            lines += ["", *_family(family, [f for f in catalog.features if f.family is family])]
    return "\n".join(lines) + "\n"


def _family(family: Family, features: list[Feature]) -> list[str]:
    rows = [f"| `{f.name}` | {f.title.en} | {f.title.zh} |" for f in features]
    worse = WORSE[features[0].direction]
    return [f"**Definition.** {definition(family)}. Worse: {worse}.", "", *TABLE, *rows]


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` say whether the file holds it."""
    checking = "--check" in arguments
    path = Path(next(a for a in arguments if a != "--check"))
    if not checking:
        path.write_text(page(CATALOG), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != page(CATALOG):
        sys.stderr.write(f"{path} does not show catalog {CATALOG.version}: run `make format`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
