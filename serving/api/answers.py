"""Answers as JSON, written by msgspec."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response


class Json(Response):
    """Anything that msgspec writes; `msgspec.Raw` passes stored bytes through."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return msgspec.json.encode(content)
