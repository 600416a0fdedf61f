"""Policies as people name them: a TOML file, or one that is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from decisions.policy import NOTICE, SHIPPED, Policy
from decisions.policy_file import PolicyError, parse
from features.errors import BadInput

NAMED: Final = {"notice": NOTICE, **SHIPPED}
MOST_BYTES: Final = 4 * 2**20


def read_policy(name: str) -> Policy:
    """Read a policy file; `notice`, or a shipped version, names the shipped one.

    Raises
    ------
    BadInput
        There is no such file, or it is no policy, with every mistake's line.
    """
    if name in NAMED and not Path(name).exists():
        return NAMED[name]
    try:
        return parse(text_of(name), source=name)
    except PolicyError as error:
        raise BadInput(str(error)) from error


def text_of(name: str) -> str:
    """Read a policy file's text; raise BadInput where it is none."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise BadInput(f"{name}: more than {MOST_BYTES >> 20} MiB; a policy is a short TOML file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: not UTF-8 at byte {error.start}") from error
