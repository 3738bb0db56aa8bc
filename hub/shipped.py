"""The configuration that is shipped: at the root of a checkout, inside this package in a wheel."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_IN_A_WHEEL = _HERE / "shipped"
SHIPPED = _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _HERE.parent
"""Where `config.yaml` and `config/routes.yaml` lie."""
