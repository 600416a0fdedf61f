"""Write the settings into the page on policies, or check that they stand there: ``python -m``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from decisions.policy_page import reference

_PLACE: Final = re.compile(r"(<!-- settings:[^\n]*-->\n).*?(<!-- /settings -->)", re.DOTALL)


def with_settings(page: str) -> str:
    """Put the reference of all settings into its place on a page."""
    return _PLACE.sub(lambda place: f"{place[1]}\n{reference()}\n{place[2]}", page)


def main(arguments: list[str]) -> int:
    """Write the page named; with ``--check`` only say whether it is up to date."""
    path = Path(arguments[-1])
    page = path.read_text("utf-8")
    written = with_settings(page)
    if written == page:
        return 0
    if "--check" in arguments:
        print(f"{path} is out of date: python -m buyer_tier.policy_page {path}", file=sys.stderr)
        return 1
    path.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
