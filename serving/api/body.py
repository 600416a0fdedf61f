"""Read a request's JSON body: bounded in size and time, then checked in one strict pass.

FastAPI's own reading parses first and authenticates after, holds any size in memory and lets Python's
lenient JSON through (lone surrogates, digits without end), hence this one; the schema that it would have
documented is given by ``documented``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from .problems import Problem, invalid_document

MIB: Final = 1 << 20
MAX_BYTES: Final = MIB
MAX_EVENTS_BYTES: Final = 16 * MIB
DRAINED_BYTES: Final = 64 * MIB
"""What is read and thrown away of a body that is too large, so that the client gets to read the answer
rather than a reset connection."""

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model], *, limit: int = MAX_BYTES) -> Callable[[Request], Awaitable[Model]]:
    """Make the dependency that reads a body of this model."""
    receive = raw(limit=limit)

    async def read(request: Request) -> Model:
        return parsed(model, await receive(request))

    return read


def raw(*, limit: int) -> Callable[[Request], Awaitable[bytes]]:
    """Make the dependency that reads a body as it is."""

    async def read(request: Request) -> bytes:
        try:
            async with asyncio.timeout(request.app.state.settings.body_timeout_seconds):
                return await _content(request, limit)
        except TimeoutError as error:
            raise too_slow() from error
        except ClientDisconnect as error:
            raise Problem(408, "the client left before the body was complete") from error

    return read


def parsed(model: type[Model], content: bytes) -> Model:
    """Check a body; raise the problem that names what is wrong with it."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise invalid_document(error) from error


def too_slow() -> Problem:
    """Give the problem of a body that does not come."""
    return Problem(408, "the body did not arrive in time", headers={"Connection": "close"})


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """Give the OpenAPI of a body; ``openapi.schema`` adds the model itself."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def _content(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAINED_BYTES:
            break
        if size <= limit:
            parts.append(chunk)
        else:
            parts.clear()
    if size > limit:
        raise Problem(413, f"the body is larger than {limit // MIB} MiB", headers={"Connection": "close"})
    return b"".join(parts)
