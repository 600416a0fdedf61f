"""One declaration is all that a new feature takes: it is trained on, served, stored and replayed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import own_folder

ROOT = Path(__file__).parents[2]
PACKAGES = ("backtest", "buyer_tier", "decisions", "features", "models", "serving", "training")
DECLARED = (
    '    Count(name="parcels", where=Where(kinds=("order_shipped",)), windows=(14, LIFE), '
    'reason="activity", zh="包裹数", en="parcels sent"),\n'
)
SMALL = ("--buyers", "1500", "--days", "420", "--abuse-rate", "0.04")
ADDED = ["parcels_count_14d", "parcels_count_life"]

ASK_THE_MODEL = """
import json, sys
from features.catalog import CATALOG
from features.page import page
from models.registry import Registry
score = Registry(sys.argv[1]).champion().score
names = list(score.get_feature_names_out())
row = "| `parcels_count_14d` | parcels sent, last 14 days | 近14天包裹数 |"
print(json.dumps({"names": names, "version": CATALOG.version, "on_page": row in page(CATALOG)}))
"""


class Tree:
    """A copy of the product with one line more in its catalog, and a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.code, self.home = folder / "code", folder / "home"
        unfinished = shutil.ignore_patterns("*.tmp.*", "*.pyc.*")  # another process is writing them
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.code / package, ignore=unfinished)
        catalog = self.code / "features" / "catalog.py"
        start = "    # Good history\n"
        text = catalog.read_text(encoding="utf-8")
        assert text.count(start) == 1
        catalog.write_text(text.replace(start, start + DECLARED), encoding="utf-8")

    def run(self, *arguments: str) -> Any:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BUYER_TIER", "MLFLOW", "PYTHON"))}
        done = subprocess.run(
            [sys.executable, *arguments],
            env=kept | {"BUYER_TIER_HOME": str(self.home), "PYTHONPATH": str(self.code)},
            cwd=self.code,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def grown() -> Iterator[Tree]:
    with own_folder() as folder:
        yield Tree(folder)


@pytest.mark.slow
def test_a_feature_added_by_one_line_is_trained_served_and_replayed(grown: Tree) -> None:
    demo = grown.run("-m", "buyer_tier", "demo", *SMALL, "--json")
    assert demo["summary"]["requests"] > 30

    model = grown.run("-c", ASK_THE_MODEL, f"sqlite:///{grown.home}/mlflow.db")
    assert [name for name in model["names"] if "parcels" in name] == ADDED
    assert model["on_page"]
    assert demo["training"]["catalog_version"] == model["version"]

    replayed = grown.run("-m", "buyer_tier", "features", "verify", "--all", "--json")
    assert replayed["compared"] == replayed["decisions"] == demo["summary"]["requests"]
    assert replayed["differing"] == 0, replayed["by_cause"]
