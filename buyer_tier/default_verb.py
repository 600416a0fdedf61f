"""A verb that works by itself and has verbs of its own, as ``features`` and ``features verify``."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperGroup

ITSELF: Final = "itself"
"""The name under which a group's app registers, hidden, what the verb does when no other is named."""


class DefaultVerb(TyperGroup):
    """Hand everything that does not name one of the group's verbs to the command called `ITSELF`.

    Its options, its help and its errors are those of a plain command.
    """

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Make the context of the group or, without a first word, of the command that is the verb."""
        if args and not args[0].startswith("-"):
            return super().make_context(info_name, args, parent=parent, **extra)
        return self.commands[ITSELF].make_context(info_name, args, parent=parent, **extra)
