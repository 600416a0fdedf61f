"""Where the service's log goes and what its lines look like."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import msgspec
import structlog


def configure_logs(*, quiet: bool = False) -> None:
    """Log one line per event on standard error: JSON, or columns for a person at a terminal.

    ``quiet`` leaves out what is only information, for commands that have their own output.
    """
    person = sys.stderr.isatty()
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
    return msgspec.json.encode(line, enc_hook=repr)
