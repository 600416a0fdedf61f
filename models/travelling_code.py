"""The code that travels with a saved model, under a name of its own.

`models` is a name that other projects use too, and one process may hold two versions of this code. So the
modules that a model needs are copied into a package whose name ends in a hash of their text.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

MODULES: Final = (
    "__init__",
    "assessment",
    "buyer_score",
    "calibration",
    "fast_shap",
    "pyfunc",
    "reasons",
    "saved",
    "scale",
    "shap_tables",
    "single_row",
    "trees",
)
"""All that loading and predicting needs; each imports its siblings relatively and nothing else of ours."""
REQUIREMENTS: Final = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy")
"""Distributions that those modules import."""

HERE: Final = Path(__file__).parent


def package_name() -> str:
    """Name the copy: equal code, equal name."""
    digest = hashlib.sha256()
    for module in MODULES:
        digest.update(module.encode() + b"\0" + (HERE / f"{module}.py").read_bytes() + b"\0")
    return f"buyer_score_{digest.hexdigest()[:12]}"


def write_package(parent: Path) -> Path:
    """Copy the modules into `parent / package_name()` and return that directory."""
    package = parent / package_name()
    package.mkdir(parents=True)
    for module in MODULES:
        (package / f"{module}.py").write_bytes((HERE / f"{module}.py").read_bytes())
    return package
