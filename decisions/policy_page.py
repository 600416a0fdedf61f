"""The reference of the policy format, written from the declarations."""

from __future__ import annotations

from collections.abc import Iterator

from .policy_settings import Declared, declared, parts
from .policy_values import limits_said, written


def reference() -> str:
    """Write every setting as Markdown: one table for each table of the file."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for path, owner in parts().items():
        yield f"### `[{'.'.join(path)}]`" if path else "### At the top of the file"
        if path:
            yield from ("", _first_paragraph(owner))
        yield from ("", "| setting | takes | in the notice | |", "|---|---|---|---|")
        for d in (d for d in declared().values() if d.path[:-1] == path):
            yield f"| `{d.path[-1]}` | {_takes(d)} | {_default(d)} | {d.setting.doc} |"
        yield ""


def _first_paragraph(owner: type) -> str:
    lines = (owner.__doc__ or "").strip().splitlines()
    ends = lines.index("") if "" in lines else len(lines)
    text = lines[:ends] + lines[ends + 1 :] if not _has_sections(lines) else lines[:ends]
    return " ".join(line.strip() for line in text)


def _has_sections(lines: list[str]) -> bool:
    return any(line.strip().startswith("---") for line in lines)


def _takes(setting: Declared) -> str:
    if setting.setting.words:
        words = ", ".join(f"`{word}`" for word in setting.setting.words)
        return f"list of {words}" if setting.kind == "list of texts" else words.replace(", ", " or ")
    if setting.kind not in ("whole number", "number"):
        return setting.kind
    word = f", or `{setting.setting.none_word}`" if setting.setting.none_word else ""
    return f"{setting.kind}, {limits_said(setting)}{word}"


def _default(setting: Declared) -> str:
    if setting.path == ("version",):
        return "must be given"
    text = written(setting, setting.default)
    return "off" if text is None else f"`{text}`"
