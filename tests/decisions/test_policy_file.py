"""A policy as a file: what is written is read, and every mistake is named with its line."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.limits import Caps, CreditLine
from decisions.policy import NOTICE, Policy
from decisions.policy_file import PolicyError, annotated, canonical, content_id, difference, parse
from decisions.policy_settings import Declared, declared, value_at
from decisions.standing_policy import StandingPolicy, StrikePoints

FULL = Policy(
    version="full.1+guaranteed-725",
    stopped=True,
    excluded_goods_types=(),
    only_shops=frozenset({"s2", "s1", '店"\\'}),
    excluded_categories=frozenset({"c9"}),
    quality_score_min=None,
    request_max_age_days=7.0,
    caps=Caps(refunds_per_day=2, fen_per_30_days=10**12),
    credit_line=CreditLine(quality=0),
    standing=StandingPolicy(
        points=StrikePoints(cap_hit=1), watch_points=3, revoke_points=3, strike_half_life_days=1.5
    ),
)


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        parse(text, source="p.toml")
    return str(error.value)


def read_or_problem(text: str) -> tuple[Policy | None, str]:
    try:
        return parse(text, source="p.toml"), ""
    except PolicyError as error:
        return None, str(error)


def is_contradiction(problem: str) -> bool:
    """Tell a contradiction between settings from a value that a setting does not take."""
    return "must be" not in problem


@pytest.mark.parametrize("policy", [NOTICE, FULL])
def test_what_is_written_is_read_again(policy: Policy) -> None:
    assert parse(canonical(policy), source="p") == policy
    assert parse(annotated(policy), source="p") == policy


def test_a_file_with_a_name_only_is_the_notice() -> None:
    assert parse('version = "mine"', source="p") == replace(NOTICE, version="mine")


def test_equal_policies_have_one_content_however_they_are_written() -> None:
    spelled = "[caps]\nrefunds_per_day = 0x2 # two"
    one = parse(f'version="a"\nonly_shops=["b","a"]\nlow_score_max=680\n{spelled}', source="p")
    two = parse(
        "low_score_max = 680.0\nonly_shops = ['a', 'b']\nversion = 'a'\ncaps.refunds_per_day = 2", source="p"
    )
    assert canonical(one) == canonical(two)
    assert content_id(one) == content_id(two) == hashlib.sha256(canonical(one).encode()).hexdigest()
    assert content_id(one) != content_id(replace(one, version="b"))


def test_the_notices_text_is_fixed_to_the_byte() -> None:
    assert content_id(NOTICE) == "218cb568361ef8e855a69960e1dab3d8851ec8b467a71d3cf2d1c6d247241649"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.toml: version is missing; name the policy"),
        ('version = ""', "p.toml:1: version must be 1 to 64 letters"),
        ('version = "a b"', "p.toml:1: version must be 1 to 64 letters"),
        ('version = "notice-2023-09-06"\ncap_fen = 1', "p.toml:1: version is a shipped policy's"),
        ('version = "notice-2023-09-06-guaranteed"', "p.toml:1: version is a shipped policy's"),
        ('version = "a"\n\ncap_fnn = 3', "p.toml:3: cap_fnn is not a setting; did you mean cap_fen?"),
        ('version = "a"\nrefunds_per_day = 3', "p.toml:2: refunds_per_day is not a setting here; it is caps"),
        ('version = "a"\n[cap]\nx = 1', "p.toml:2: cap is not a setting; did you mean caps?"),
        ('version = "a"\n[caps]\n\nrefund_per_day = 1', "p.toml:4: caps.refund_per_day is not a setting"),
        ('version = "a"\ncaps = 1', "p.toml:2: caps must be a table, [caps]"),
        ('version = "a"\ncap_fen = 1.5', "p.toml:2: cap_fen is a number, must be a whole number"),
        ('version = "a"\ncap_fen = true', "p.toml:2: cap_fen is true or false, must be a whole number"),
        ('version = "a"\ncap_fen = -1', "p.toml:2: cap_fen is -1, must be 0 to 1,000,000,000,000"),
        ('version = "a"\ncap_fen = 2026-01-01', "p.toml:2: cap_fen is a time, must be a whole number"),
        ('version = "a"\nstopped = 1', "p.toml:2: stopped is a whole number, must be true or false"),
        ('version = "a"\nquality_score_min = nan', 'is nan, must be 300 to 900 or "guaranteed"'),
        ('version = "a"\nlow_score_max = inf', "low_score_max is inf, must be 300 to 900"),
        ('version = "a"\nexcluded_shops = "s"', "p.toml:2: excluded_shops is a text, must be a list of"),
        ('version = "a"\nexcluded_shops = [\n"s",\n1]', "p.toml:2: excluded_shops is a list of other things"),
        ('version = "a"\nexcluded_shops = ["s", "s"]', 'p.toml:2: excluded_shops names "s" twice'),
        ('version = "a"\nexcluded_shops = [""]', "excluded_shops has a text of 0 characters"),
        ('version = "a"\nexcluded_goods_types = ["food"]', 'names "food", must be of physical'),
        ('version = "a"\n[shop]\nunknown = "maybe"', 'p.toml:3: shop.unknown is "maybe", must be pass'),
        ('version = "a"\nx = [', "p.toml:2: not TOML: Invalid value"),
        ('version = "a"\nx = [\n1,\n', "p.toml:2: not TOML: Invalid value"),
        ('version = "a"\nx y\nz = 1', "p.toml:2: not TOML: Expected '=' after a key"),
        ('version = "a"\nversion = "b"', "p.toml:2: not TOML: Cannot overwrite a value"),
        ('version = """a\n\n', "p.toml:1: not TOML: "),
        ('version = "a"\nx = ' + "[" * 5000, "p.toml:2: not TOML: nested too deeply"),
        ('version = "a"\ncap_fen = ' + "9" * 5000 + "\nx = 1", "p.toml:2: not TOML: a number has too many"),
        ('version = "a"\nlow_score_max = 731', "p.toml:2: low_score_max is 731, must not be above 730"),
        (
            'version = "a"\nonly_shops = ["s"]\nexcluded_shops = ["t", "s"]',
            "p.toml:3: excluded_shops names 's', which the policy also says",
        ),
        (
            'version = "a"\n[standing]\nstrike_expires_days = 9\nwatch_points = 3\nrevoke_points = 2\n'
            "[standing.points]\ncap_hit = 1",
            "p.toml:5: standing.revoke_points is 2, must not be below watch_points, which is 3",
        ),
        ('version = "a"\n[standing]\nwatch_points = 3', "p.toml:3: standing.watch_points is never reached"),
        (
            'version = "a"\n[standing]\nstrike_expires_days = 9\nwatch_points = 3\npoints.linked_abuse = 1',
            "p.toml:4: standing.watch_points is never reached",
        ),
        ('version = "a"\n[standing.points]\ncap_hit = 1', "p.toml:2: standing.points weighs strikes that"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_line(text: str, said: str) -> None:
    assert said in refused(text)


def test_low_may_begin_where_quality_is_left() -> None:
    read = parse('version = "a"\nlow_score_max = 730', source="p")
    assert read.low_score_max == 730.0


def test_all_mistakes_of_a_file_are_named_at_once() -> None:
    said = refused('version = "a"\ncap_fen = -1\n[caps]\nfen_per_day = "x"\n')
    assert said.split("; ") == [
        "p.toml:2: cap_fen is -1, must be 0 to 1,000,000,000,000",
        "p.toml:4: caps.fen_per_day is a text, must be a whole number",
    ]


def test_a_line_is_found_behind_values_that_only_look_like_the_setting() -> None:
    text = 'version = "a"\n# cap_fen = 1\nexcluded_shops = [\n"cap_fen = 2", # cap_fen = 3\n]\n"cap_fen" = -1'
    assert refused(text).startswith("p.toml:6: cap_fen is -1")


NUMBERS = [d for d in declared().values() if d.kind in ("whole number", "number")]


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda d: d.name)
def test_every_number_takes_its_limits_and_nothing_beyond(setting: Declared) -> None:
    low, high = setting.setting.low, setting.setting.high
    assert low is not None
    assert high is not None
    step = 1 if setting.kind == "whole number" else 0.001
    for number in (low - step, high + step):
        assert f"{setting.name} is " in refused(f'version = "a"\n{setting.name} = {number!r}')
    for number in (low, high):
        whole = int(number) if setting.kind == "whole number" else float(number)
        read, problem = read_or_problem(f'version = "a"\n{setting.name} = {whole!r}')
        assert value_at(read, setting.path) == whole if read else is_contradiction(problem)


def test_policies_differ_setting_by_setting() -> None:
    found = difference(NOTICE, replace(NOTICE, version="b", stopped=True, caps=Caps(refunds_per_day=2)))
    assert [(d.setting, d.before, d.after) for d in found] == [
        ("version", '"notice-2023-09-06"', '"b"'),
        ("stopped", "false", "true"),
        ("caps.refunds_per_day", None, "2"),
    ]
    assert difference(FULL, FULL) == ()


def _values(setting: Declared) -> st.SearchStrategy[Any]:
    low, high = setting.setting.low or 0, setting.setting.high or 0
    return {
        "true or false": st.booleans(),
        "whole number": st.integers(int(low), int(high)),
        "number": st.floats(low, high),
        "text": st.sampled_from(setting.setting.words or ("v1",)),
        "list of texts": st.frozensets(st.sampled_from(setting.setting.words or ("a", "b", "店 1", '"')))
        if setting.is_set
        else st.just(("virtual",)),
    }[setting.kind]


def _with(policy: Any, path: tuple[str, ...], value: Any) -> Any:
    inner = value if len(path) == 1 else _with(getattr(policy, path[0]), path[1:], value)
    return replace(policy, **{path[0]: inner})


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_policy_that_is_accepted_comes_back_equal(data: st.DataObject) -> None:
    policy: Policy = replace(NOTICE, version="v1")
    for setting in data.draw(st.lists(st.sampled_from(list(declared().values())), max_size=6)):
        policy = _with(policy, setting.path, data.draw(_values(setting)))
    read, problem = read_or_problem(canonical(policy))
    assert (read, canonical(read)) == (policy, canonical(policy)) if read else is_contradiction(problem)
