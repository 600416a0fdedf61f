"""How a policy declares its settings: value, meaning and limits in one place.

The policy file's checks and the page that documents it are read off these declarations, so that neither can
say something else than the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")
DECLARED: Final = "setting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a setting means and which values it may take.

    Attributes
    ----------
    doc : str
        One or two sentences for who writes a policy.
    low, high : float or None
        The least and the greatest number allowed, both inclusive.
    words : tuple of str
        The texts allowed; empty where any text or no text is.
    none_word : str or None
        How a file writes None where leaving the line out means something else.
    """

    doc: str
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    none_word: str | None = None


def setting(
    default: T,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    words: tuple[str, ...] = (),
    none_word: str | None = None,
) -> T:
    """Declare a setting of a policy; the arguments are those of `Setting`."""
    declared = Setting(doc=doc, low=low, high=high, words=words, none_word=none_word)
    made: Any = field(default=default, metadata={DECLARED: declared})
    return made  # type: ignore[no-any-return]
