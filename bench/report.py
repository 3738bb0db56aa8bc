"""What was measured, for people and for machines: Markdown, JSON, and bars as SVG."""

import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.rounds import Rate, base_of, share

LIBRARIES = ("aiohttp", "uvloop", "sqlalchemy", "asyncpg", "msgspec")
ROW, WIDE, LABEL = 18, 820, 420


@dataclass(slots=True)
class Report:
    """The tables of one run, in their order."""

    cases: dict[str, tuple[str, Sequence[Any], str]] = field(default_factory=dict)

    def add(self, name: str, title: str, found: Sequence[Any], printed: str) -> str:
        """Keep a case; give what is printed of it."""
        self.cases[name] = (title, found, printed)
        return printed

    def write(self, folder: Path) -> None:
        """Write the three files."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text("\n".join(self._markdown()))
        cases = {n: [asdict(one) for one in found] for n, (_, found, _) in self.cases.items()}
        told = {"machine": machine(), "cases": cases}
        (folder / "report.json").write_text(json.dumps(told, indent=1) + "\n")
        (folder / "chart.svg").write_text("\n".join(self._chart()) + "\n")

    def _markdown(self) -> Iterator[str]:
        yield "# Benchmarks\n"
        yield " · ".join(f"{name} {text}" for name, text in machine().items()) + "\n"
        for title, _, printed in self.cases.values():
            lines = printed.split("\n")[1:]
            yield f"## {title}\n\n```text\n" + "\n".join(lines) + "\n```\n"

    def _chart(self) -> Iterator[str]:
        rows = list(self._bars())
        size = f'width="{WIDE}" height="{ROW * (len(rows) + 1)}"'
        font = 'font-family="sans-serif" font-size="11"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
        yield '<text x="4" y="13">CPU time of the first, as a share of this one\'s</text>'
        for n, (label, part) in enumerate(rows, 1):
            y, room = n * ROW, WIDE - LABEL - 60
            yield f'<text x="4" y="{y + 13}">{escape(label)}</text>'
            if part is not None:
                width = max(1, round(min(part, 1) * room))
                yield f'<rect x="{LABEL}" y="{y + 3}" width="{width}" height="12" fill="#37c"/>'
                yield f'<text x="{LABEL + width + 4}" y="{y + 13}">{part:.3f}</text>'
        yield "</svg>"

    def _bars(self) -> Iterator[tuple[str, float | None]]:
        for title, its, _ in self.cases.values():
            rates = [one for one in its if isinstance(one, Rate)]
            if rates:
                yield title, None
            for rate in rates:
                found = share(base_of(rate, rates).cpu, rate.cpu)
                yield f"   {rate.name}", None if math.isnan(found) else found


def machine() -> dict[str, str]:
    """Say on what it ran."""
    return {"cores": str(os.cpu_count()), "Python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES}}  # fmt: skip
