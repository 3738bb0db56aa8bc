"""What the demo shows: its steps as they happen, and the order's timeline at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

MARKS = {"done": "[green]✓[/]", "skipped": "[dim]-[/]", "dead": "[red]✗[/]"}


class Steps:
    """The steps, one line each, with a live line for the one under way."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Status("", console=console)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show a step while it is under way, and that it was done."""
        self._live.update(text)
        yield
        self.console.print(f"[green]✓[/] {text}")


def wide() -> Console:
    """Give a console that does not break lines where nobody looks at a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


def show_timeline(console: Console, entries: list[dict[str, Any]]) -> None:
    """Print an order's story: calls, webhooks, facts, events, jobs, attempts, references."""
    table = Table(box=None, header_style="bold")
    for column in ("time (UTC)", "", "what", "state", "reference"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(*_row(entry))
        for attempt in entry.get("attempts", ()):
            table.add_row("", "", f"  attempt {attempt['attempt']}", *_tried(attempt))
    console.print(table)


def show_urls(console: Console, hub: str, sandbox: str, config: Path, key: str, order: str) -> None:
    """Print where everything is, and what to try next."""
    console.print(f"the hub      {hub}   (openapi: {hub}/openapi.json)")
    console.print(f"the sandbox  {sandbox}/_control")
    console.print(f"an API key   {key}")
    console.print(f"try          hub orders show {order} --config {config}", soft_wrap=True)
    console.print(f"             hub jobs --config {config}", soft_wrap=True)
    console.print("\nserving; Ctrl-C stops it")


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    what = {
        "job": f"{entry.get('connector')}.{entry.get('action')}",
        "event": entry.get("type"),
        "webhook": entry.get("connector"),
        "fact": entry.get("fact"),
    }.get(entry["kind"], entry.get("what") or entry.get("id"))
    state = entry.get("state") or ""
    mark = MARKS.get(state, "")
    at = str(entry["at"])[11:23].rstrip("Z")
    return at, entry["kind"], escape(str(what)), f"{mark} {state}", str(entry.get("ref") or "")


def _tried(attempt: dict[str, Any]) -> tuple[str, str]:
    status = f" {attempt['status']}" if attempt.get("status") else ""
    return f"{attempt['outcome']}{status}, {attempt['ms']} ms", str(attempt["request_id"] or "")
