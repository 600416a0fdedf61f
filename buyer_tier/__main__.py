"""``python -m buyer_tier`` is ``buyer-tier``."""

from .cli import main

main()
