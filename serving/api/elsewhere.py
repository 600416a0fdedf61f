"""What to say of a path or a method that does not exist: what exists in its place."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Route, compile_path

LIST: Final = "GET /openapi.json lists all there are"
NEAR: Final = 0.75
LONGEST: Final = 200
"""A longer path is near to none of ours, and comparing it would take its length squared."""


def no_path(app: FastAPI, path: str) -> str:
    """Name the path that was probably meant, by its template: nothing of what the client sent."""
    if len(path) <= LONGEST:
        templates = {route.path for route in _routes(app) if route.include_in_schema}
        likeness, template = max((_likeness(path, one), one) for one in templates)
        if likeness >= NEAR:
            return f"there is no such path; did you mean {template}? {LIST}"
    return f"there is no such path; {LIST}"


def methods_at(app: FastAPI, path: str) -> list[str]:
    """Name the methods that a path takes."""
    at = [route.methods for route in _routes(app) if compile_path(route.path)[0].match(path)]
    return sorted(set().union(*at))


def _routes(app: FastAPI) -> Iterator[Any]:
    """Give all routes, those of included routers with their whole path."""
    return (one for one in iter_route_contexts(app.routes) if isinstance(one.original_route, Route))


def _likeness(path: str, template: str) -> float:
    """Compare a path with a template whose parameters it may have filled in."""
    said, known = path.split("/"), template.split("/")
    for place, part in enumerate(known[: len(said)]):
        if part.startswith("{") and said[place]:
            said[place] = part
    return SequenceMatcher(None, "/".join(said), template, autojunk=False).ratio()
