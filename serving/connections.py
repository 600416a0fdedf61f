"""A client's connection: uvicorn's, but the head of a request takes neither for ever nor any size."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 20.0
HEAD_BYTES: Final = 1 << 16
"""Counted from the second piece on: one piece, which may hold the end of another request, always fits."""


class Connection(HttpToolsProtocol):
    """Closes when a head is not complete in time. How long a body may take is seen to where it is read."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._in_head, self._heads, self._size = True, 0, 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, transport.close)

    def on_message_begin(self) -> None:
        """Note the beginning of a request."""
        self._in_head, self._size = True, 0
        self._heads += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note the end of a request's head."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, and see to it that a head that is not complete will be, or nothing follows it."""
        heads = self._heads
        super().data_received(data)
        if not self._in_head:
            self._unset_late()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)
        if self._in_head and heads == self._heads:
            self._size += len(data)
            if self._size > HEAD_BYTES:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._unset_late()
        super().connection_lost(exc)

    def _unset_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
