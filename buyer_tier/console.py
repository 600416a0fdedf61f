"""Where the command line prints: tables for people, JSON for machines, progress beside them."""

from __future__ import annotations

import json

from rich.console import Console

out = Console()
err = Console(stderr=True)


def emit(value: object) -> None:
    """Print one JSON document to standard output."""
    print(json.dumps(value, ensure_ascii=False, default=str))
