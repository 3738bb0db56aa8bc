"""The pages of the project, and what can be read out of them: blocks, links, named files."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ASIDE = {".venv", "var", "node_modules", ".git", "new_connector"}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^\*\*`([^`]+)`\*\*\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HUB = re.compile(r"(?:^|\s|\$\()(?:\.venv/bin/)?hub ([a-z][^)]*)")


class Block(NamedTuple):
    """A fenced block."""

    page: str
    kind: str
    text: str


def pages() -> dict[str, str]:
    """Give every Markdown page by its path from the root."""
    found = []
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in ASIDE]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(found)}


def blocks(*kinds: str) -> list[Block]:
    """Give every fenced block of these kinds."""
    return [
        Block(page, found[2], found[3])
        for page, text in pages().items()
        for found in FENCE.finditer(text)
        if found[2] in kinds
    ]


def named(text: str) -> dict[str, str]:
    """Give the files that a page shows under their names."""
    return dict(NAMED.findall(text))


def prose(text: str) -> str:
    """Give a page without its fenced blocks."""
    return FENCE.sub("", text)


def broken_links(page: str, text: str, everything: dict[str, str]) -> Iterator[str]:
    """Name the links of a page that lead nowhere within the project."""
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.resolve().is_relative_to(ROOT) or not file.exists():
            yield target
            continue
        there = file.resolve().relative_to(ROOT).as_posix()
        if anchor and anchor not in anchors(everything.get(there, "")):
            yield target


def anchors(text: str) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def command_lines(text: str) -> Iterator[str]:
    """Give the command lines of a shell block, without comments, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield shlex.join(words) if "$(" not in line else line


def hub_commands(text: str) -> Iterator[list[str]]:
    """Give what `hub` is called with, in shell blocks and in `code` of the prose."""
    lines = [
        line
        for _, kind, block in FENCE.findall(text)
        if kind == "sh"
        for line in command_lines(block)
    ]
    lines += re.findall(r"`((?:\.venv/bin/)?hub [^`]+)`", prose(text))
    for line in lines:
        if found := HUB.search(line):
            yield found[1].replace("'", "").split()
