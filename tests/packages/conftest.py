"""What is shipped beside the code, and running it away from the checkout."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CODE = ("hub", "connectors", "webhooks", "mappings", "store")


def away(*words: str, code: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `hub` from a copy of its code, with the packages of this environment and none of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    told = {"HOME": str(home), "PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", "hub", *words],
        check=False, capture_output=True, text=True, cwd=home, env=kept | told, timeout=90,
    )  # fmt: skip
