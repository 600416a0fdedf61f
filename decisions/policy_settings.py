"""Every setting of a policy with its path, kind and declaration, read off the dataclasses."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .policy import Policy
from .setting import DECLARED, Setting

Kind = Literal["true or false", "whole number", "number", "text", "list of texts"]
Path = tuple[str, ...]
Value = bool | int | float | str | tuple[str, ...] | frozenset[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """One setting: where it stands in a file, what it takes, what it means.

    ``default`` is None also for the one setting that must be given, the version.
    """

    path: Path
    kind: Kind
    optional: bool
    default: Value
    setting: Setting
    is_set: bool

    @property
    def name(self) -> str:
        """The path as a person writes it."""
        return ".".join(self.path)


@lru_cache
def declared() -> dict[Path, Declared]:
    """Give every setting by its path, in the order in which files are written."""
    found = {d.path: d for d in _walk(Policy, ())}
    return dict(sorted(found.items(), key=lambda item: len(item[0])))


@lru_cache
def parts() -> dict[Path, type]:
    """Give the tables of a file by their paths, in order; the empty path is the file itself."""
    return dict(_parts(Policy, ()))


def _parts(owner: type, above: Path) -> list[tuple[Path, type]]:
    found = [(above, owner)]
    for name, hint in get_type_hints(owner).items():
        if is_dataclass(hint) and isinstance(hint, type):
            found += _parts(hint, (*above, name))
    return found


def _walk(owner: type, above: Path) -> list[Declared]:
    hints, found = get_type_hints(owner), []
    for field in fields(owner):
        if is_dataclass(hints[field.name]):
            found += _walk(hints[field.name], (*above, field.name))
        elif DECLARED in field.metadata:
            found.append(_declared(field, hints[field.name], (*above, field.name)))
    return found


def _declared(field: Any, hint: Any, path: Path) -> Declared:
    options = get_args(hint)
    optional = NoneType in options
    plain = next(o for o in options if o is not NoneType) if optional else hint
    return Declared(
        path=path,
        kind=_kind(plain),
        optional=optional,
        default=None if field.default is MISSING else field.default,
        setting=field.metadata[DECLARED],
        is_set=get_origin(plain) is frozenset,
    )


def _kind(hint: Any) -> Kind:
    if get_origin(hint) in (frozenset, tuple):
        return "list of texts"
    plain: dict[Any, Kind] = {bool: "true or false", int: "whole number", float: "number"}
    return plain.get(hint, "text")


def value_at(policy: Policy, path: Path) -> Value:
    """Read a setting of a policy."""
    found: Any = policy
    for name in path:
        found = getattr(found, name)
    value: Value = found
    return value
