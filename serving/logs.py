"""Where the service's log goes and what its lines look like."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec
import structlog

TOGETHER_SECONDS: Final = 0.05
_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode
log = structlog.get_logger()


class _Answers:
    """The lines of answered requests: written together, one call of the system for many."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._noted = out, list[tuple[float, dict[str, Any]]]()
        atexit.register(self.write)

    def note(self, said: dict[str, Any]) -> None:
        self._noted.append((time.time(), said))
        if len(self._noted) == 1:
            asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self.write)

    def write(self) -> None:
        noted, self._noted = self._noted, []
        if noted:
            self._out.write(b"".join(_line(at, said) for at, said in noted))
            self._out.flush()


def _line(at: float, said: dict[str, Any]) -> bytes:
    when = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    return _encode({**said, "event": "answered", "level": "info", "timestamp": when}) + b"\n"


_answers: _Answers | None = None


def note_answer(request_id: str, **said: Any) -> None:
    """Log that a request was answered; under load the line follows within `TOGETHER_SECONDS`."""
    if _answers is None:
        log.info("answered", request_id=request_id, **said)
    else:
        _answers.note({"request_id": request_id, **said})


def configure_logs(*, quiet: bool = False) -> None:
    """Log one line per event on standard error: JSON, or columns for a person at a terminal.

    ``quiet`` leaves out what is only information, for commands that have their own output.
    """
    global _answers
    person = sys.stderr.isatty()
    _answers = None if person or quiet else _Answers(sys.stderr.buffer)
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if person
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if person else [structlog.processors.format_exc_info]),
    ]
    structlog.configure(
        processors=[*shared, render if person else structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=(
            structlog.PrintLoggerFactory(file=sys.stderr)
            if person
            else structlog.BytesLoggerFactory(file=sys.stderr.buffer)
        ),
        cache_logger_on_first_use=not quiet,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=render)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def trace_of(error: BaseException) -> str:
    """Tell the places and types of an error and its causes, not their texts: those may name a buyer."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        told.append("".join(traceback.format_tb(cause.__traceback__)) + type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    return "\n".join(reversed(told))


def _json(line: dict[str, Any], **_: Any) -> bytes:
    """Write a line several times as fast as the standard library does; every request has one."""
    return _encode(line)
