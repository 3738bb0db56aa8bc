"""The generated parts of the docs: `make docs` writes them anew, a test compares.

A part stands between `<!-- generated: name -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs import codes, commands, effects, filters, metrics, schemes, settings

ROOT = Path(__file__).resolve().parents[2]
PARTS: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "README.md": {"effects": effects.short, "schemes": schemes.short},
    "docs/guarantees.md": {"effects": effects.full},
    "docs/configuration.md": {"keys": settings.table},
    "docs/mappings.md": {"filters": filters.table},
    "docs/errors.md": {"codes": codes.table},
    "docs/metrics.md": {"metrics": metrics.table},
    "docs/cli.md": {"commands": commands.table},
    "docs/webhooks.md": {"schemes": schemes.full, "options": schemes.options},
}


def anew(text: str, parts: Mapping[str, Callable[[str], str]]) -> str:
    """Give a page with its generated parts written anew; each is told what stood there."""
    for name, make in parts.items():
        place = re.compile(rf"(<!-- generated: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
        text, found = place.subn(lambda m: f"{m[1]}{make(m[2])}\n{m[3]}", text)  # noqa: B023
        if found != 1:
            raise LookupError(f"the part {name} stands in {found} places")
    return text


def main() -> None:
    """Write what has changed."""
    for name, parts in PARTS.items():
        page = ROOT / name
        old = page.read_text("utf-8")
        if (new := anew(old, parts)) != old:
            page.write_text(new, "utf-8")
            print(f"{name} is new")  # noqa: T201 -- a command for people


if __name__ == "__main__":
    main()
