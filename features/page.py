"""The catalog as a page: ``python -m features.page FILE`` writes it, ``--check FILE`` compares."""

from __future__ import annotations

import sys
from pathlib import Path

from .catalog import CATALOG
from .compile import Catalog, Feature

WORSE = {1: "more", -1: "less", 0: "—"}


def page(catalog: Catalog) -> str:
    """Render the catalog as Markdown: reasons with their texts, then every feature under its reason."""
    lines = [
        "# Features",
        "",
        "Generated from `features/catalog.py` by `make format`; do not edit.",
        "",
        f"Catalog `{catalog.version}`: {catalog.n_features} features, {len(catalog.reasons)} reason codes. "
        "A feature at `as_of` sees what was recorded before it; a window of *w* days is "
        "`[as_of − w, as_of)` of `recorded_at`. “Worse” says in which direction the feature may only raise "
        "the probability of abuse; — leaves it to the data. Amounts are in fen.",
    ]
    for code, text in catalog.reasons.items():
        lines += ["", f"## {code}", "", f"{text.en} · {text.zh}", "", "| feature | en | zh | worse |"]
        lines += ["|---|---|---|---|", *(_row(f) for f in catalog.features if f.family.reason == code)]
    return "\n".join(lines) + "\n"


def _row(feature: Feature) -> str:
    title = feature.title
    return f"| `{feature.name}` | {title.en} | {title.zh} | {WORSE[feature.direction]} |"


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
