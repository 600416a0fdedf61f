"""Draw the page on the simulated marketplace: ``python -m backtest.calibration [FILE of Online Retail II]``.

Simulates the default market, puts the table between the marks of ``docs/marketplace.md`` and draws the
pictures beside it. Without the file the picture of orders per buyer shows the simulation alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from backtest.marketplace import MarketConfig, simulate
from features.sources.online_retail_ii import import_online_retail_ii

from .figures import Likeness, orders_of
from .page import put
from .pictures import draw

PAGE: Final = Path("docs/marketplace.md")
PICTURE: Final = Path("docs/images/marketplace.png")


def main() -> None:
    """Write both."""
    ours = Likeness(orders_of(simulate(MarketConfig()).events))
    retail = [Likeness(orders_of(import_online_retail_ii(Path(name)).events)) for name in sys.argv[1:2]]
    PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), ours.figures()), encoding="utf-8")
    draw(ours, retail[0] if retail else None, PICTURE)


if __name__ == "__main__":
    main()
