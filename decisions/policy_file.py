"""Policies as TOML: read with every mistake named, written in one canonical form, compared.

docs/policies.md is the format's reference, generated from the same declarations.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .policy import Policy
from .policy_checks import contradictions
from .policy_lines import line_of, syntax_error
from .policy_settings import Declared, Path, Value, declared, parts, value_at
from .policy_values import SettingError, read_value, written

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


class PolicyError(ValueError):
    """A text that is no policy: one line that says what was found, where, and what to do.

    Parameters
    ----------
    source : str
        The file's name.
    mistakes : list of (int or None, str)
        Each with its line, where it has one.
    """

    def __init__(self, source: str, mistakes: Sequence[tuple[int | None, str]]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            "; ".join(f"{source}:{line}: {said}" if line else f"{source}: {said}" for line, said in mistakes)
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which two policies differ, as a file writes it; None where it is off."""

    setting: str
    before: str | None
    after: str | None


def parse(text: str, *, source: str) -> Policy:
    """Read a policy.

    Parameters
    ----------
    text : str
        TOML. What it leaves out is as in the notice.
    source : str
        The file's name, for messages.

    Raises
    ------
    PolicyError
        All problems in one line, each with its place.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line, said = syntax_error(text, error)
        raise PolicyError(source, [(line, f"not TOML: {said}")]) from error
    values: dict[Path, Value] = {}
    problems = list(_read(content, (), values))
    if not problems:
        policy: Policy = _built(values)
        problems = list(contradictions(policy))
        if not problems:
            return policy
    raise PolicyError(source, [(line_of(text, path), f"{'.'.join(path)} {said}") for path, said in problems])


def _read(content: dict[str, Any], above: Path, values: dict[Path, Value]) -> Iterator[tuple[Path, str]]:
    for name, found in content.items():
        path = (*above, name)
        if path in parts():
            if isinstance(found, dict):
                yield from _read(found, path, values)
            else:
                yield path, f"must be a table, [{'.'.join(path)}]"
        elif path in declared():
            try:
                values[path] = read_value(declared()[path], found)
            except SettingError as bad:
                yield path, str(bad)
        else:
            yield path, _unknown(path)
    if not above and "version" not in content:
        yield ("version",), "is missing; name the policy"
    elif not above and ("version",) in values and not _VERSION.fullmatch(str(values["version",])):
        yield ("version",), "must be 1 to 64 letters, digits, or any of . _ + -"


def _unknown(path: Path) -> str:
    here = [p[-1] for p in (*declared(), *parts()) if p and p[:-1] == path[:-1]]
    if near := difflib.get_close_matches(path[-1], here, n=1):
        return f"is not a setting; did you mean {near[0]}?"
    elsewhere = [".".join(p) for p in declared() if p[-1] == path[-1]]
    return f"is not a setting here; it is {elsewhere[0]}" if elsewhere else "is not a setting"


def _built(values: dict[Path, Value], above: Path = ()) -> Any:
    """Build the part of the policy that lies at a path."""
    given: dict[str, Any] = {p[-1]: v for p, v in values.items() if p[:-1] == above}
    given |= {p[-1]: _built(values, p) for p in parts() if p and p[:-1] == above}
    return parts()[above](**given)


def canonical(policy: Policy) -> str:
    """Write a policy in the form that equal policies share: settings in order, what is off left out."""
    lines: list[str] = []
    for path in parts():
        inside = [d for d in declared().values() if d.path[:-1] == path]
        said = [f"{d.path[-1]} = {text}" for d in inside if (text := _text(d, policy)) is not None]
        if said:
            lines += ["", f"[{'.'.join(path)}]", *said] if path else said
    return "\n".join(lines) + "\n"


def content_id(policy: Policy) -> str:
    """Hash the canonical text: SHA-256 in hexadecimal. One version must never have two."""
    return hashlib.sha256(canonical(policy).encode()).hexdigest()


def annotated(policy: Policy) -> str:
    """Write a policy for a person to edit: every setting with its meaning, what is off as a comment."""
    lines: list[str] = []
    for path in parts():
        if path:
            lines += ["", f"[{'.'.join(path)}]"]
        for d in (d for d in declared().values() if d.path[:-1] == path):
            text = _text(d, policy)
            lines += [f"# {d.setting.doc}", f"{d.path[-1]} = {text}" if text else f"# {d.path[-1]} ="]
    return "\n".join(lines) + "\n"


def difference(before: Policy, after: Policy) -> tuple[Difference, ...]:
    """Compare two policies, setting by setting."""
    both = ((d.name, _text(d, before), _text(d, after)) for d in declared().values())
    return tuple(Difference(name, old, new) for name, old, new in both if old != new)


def _text(setting: Declared, policy: Policy) -> str | None:
    return written(setting, value_at(policy, setting.path))
