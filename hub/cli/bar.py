"""How far a long command is, where somebody looks: a line for each table or column."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def shown() -> AbstractContextManager[Callable[[str, int, int], None]]:
    """Give what shows how far it is, where somebody looks."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext(lambda *_: None)
    return _Bar(Progress(console=console))


class _Bar(AbstractContextManager[Any]):
    """A line for each table that has rows."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        self.progress.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def _told(self, name: str, there: int, count: int) -> None:
        if count and name not in self._tasks:
            self._tasks[name] = self.progress.add_task(name, total=count)
        if count:
            self.progress.update(self._tasks[name], completed=there)
