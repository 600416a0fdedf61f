from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from buyer_tier.policy_page import with_settings
from decisions.policy import NOTICE
from decisions.policy_file import canonical, parse

from .conftest import Command

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"


@pytest.fixture
def run(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    return partial(command, "policy")


def test_the_shipped_policy_is_shown_ready_to_be_edited(run: Any) -> None:
    code, out, _ = run("show")
    assert code == 0
    assert parse(out, source="shown") == NOTICE
    shown = json.loads(run("show", "--json")[1])
    assert (shown["version"], shown["text"], shown["asks"]) == (NOTICE.version, canonical(NOTICE), [])
    assert shown["settings"]["cap_fen"] == 30_000


def test_a_file_is_checked_and_compared(run: Any) -> None:
    Path("a.toml").write_text('version = "a"\n[caps]\nrefunds_per_day = 2\n')
    code, out, _ = run("check", "a.toml")
    assert (code, "policy a is valid" in out, "additional rules: caps" in out) == (0, True, True)
    assert json.loads(run("diff", "notice", "a.toml", "--json")[1])[1] == {
        "setting": "caps.refunds_per_day", "before": None, "after": "2"
    }  # fmt: skip
    assert "caps.refunds_per_day" in run("diff", "notice", "a.toml")[1]
    assert "the same" in run("diff", "a.toml", "a.toml")[1]


def test_a_mistake_is_one_line_with_its_place_and_exit_code_two(run: Any) -> None:
    Path("bad.toml").write_text('version = "a"\ncap_fnn = 2\n')
    Path("latin.toml").write_bytes(b'version = "\xe9"')
    Path("big.toml").write_bytes(b"#" * (4 * 2**20 + 1))
    for words, said in (
        (("check", "bad.toml"), "bad.toml:2: cap_fnn is not a setting; did you mean cap_fen?"),
        (("diff", "notice", "bad.toml"), "bad.toml:2: cap_fnn"),
        (("show", "none.toml"), "none.toml: cannot be read"),
        (("check", "latin.toml"), "latin.toml: not UTF-8 at byte 11"),
        (("check", "big.toml"), "big.toml: more than 4 MiB"),
    ):
        code, out, err = run(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_the_page_on_policies_says_what_the_program_takes() -> None:
    page = PAGE.read_text("utf-8")
    assert with_settings(page) == page
    example = page.split("<!-- example -->\n```toml\n")[1].split("```")[0]
    assert parse(example, source="example").asks == {
        "shop_quality",
        "caps",
        "open_case",
        "credit_line",
        "budget",
    }
