from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import BadInput
from serving.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    variable = Settings.model_fields[name].validation_alias or f"BUYER_TIER_{name.upper()}"
    assert f"`{variable}`" in PAGE.read_text()


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", "/somewhere")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Settings().tracking_uri == "sqlite:////somewhere/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert Settings().tracking_uri == "http://mlflow:5000"


@pytest.mark.parametrize(
    ("variable", "value"), [("BUYER_TIER_PORT", "99999"), ("BUYER_TIER_POOL_SIZE", "many")]
)
def test_an_impossible_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput, match=f"setting {variable}: Input should be"):
        Settings()


def test_a_value_given_outright_is_checked_too() -> None:
    with pytest.raises(BadInput, match="setting BUYER_TIER_PORT"):
        Settings(port=-1)
