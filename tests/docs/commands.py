"""The commands of `hub` as a table: made of the command line itself."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from typer.main import get_command

from hub import cli

EVERYWHERE = ("--config", "--help")


@cache
def hub() -> Any:
    """Give the whole command line."""
    return get_command(cli._hub([]))


def every(group: Any = None, words: str = "hub") -> Iterator[tuple[str, Any]]:
    """Give every command and its words, in the order of the help."""
    for name, command in inside(group or hub()).items():
        yield f"{words} {name}", command
        yield from every(command, f"{words} {name}") if inside(command) else ()


def inside(command: Any) -> dict[str, Any]:
    """Give a command's own commands."""
    return getattr(command, "commands", {})


def table(_: str = "") -> str:
    """Write the table."""
    rows = ["| command | does | options |", "|---|---|---|"]
    for words, command in every():
        usage = " ".join([words, *_arguments(command)])
        options = " ".join(f"`{option}`" for option in options_of(command)) or "none"
        rows.append(f"| `{usage}` | {_does(command)} | {options} |")
    return "\n".join(rows)


def options_of(command: Any) -> list[str]:
    """Name a command's own options, but those its usage shows."""
    options = [param for param in command.params if param.param_type_name == "option"]
    named = [param.opts[0] for param in options if not param.required]
    return [name for name in named if name not in EVERYWHERE]


def unknown(words: list[str]) -> str | None:
    """Say what a command line names that there is not; None where all is known."""
    command = hub()
    for word in words:
        if word.startswith("-") or not inside(command):
            break
        if word not in inside(command):
            return f"no command {word}"
        command = inside(command)[word]
    named = {option for param in command.params for option in param.opts} | {"--help"}
    strange = [w for w in words if w.startswith("--") and w.partition("=")[0] not in named]
    return f"no option {strange[0]}" if strange else None


def _arguments(command: Any) -> Iterator[str]:
    for param in command.params:
        name = (param.metavar or (param.name or "").upper()).replace("|", "\\|")
        if param.param_type_name == "argument":
            yield name if param.required else f"[{name}]"
        elif param.required:
            yield f"{param.opts[0]} {name}"


def _does(command: Any) -> str:
    text = (command.help or "").splitlines()[0].rstrip(".")
    return text[:1].lower() + text[1:]
