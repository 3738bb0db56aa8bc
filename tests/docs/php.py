"""Just enough PHP to read an array that stands in a page: short arrays, texts, whole numbers."""

import re
from typing import Any

TOKEN = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|(-?\d+)|(=>|\[|\]|,))")


def literal(code: str, name: str) -> Any:
    """Give the value of the first `$name = [...];` as JSON has it.

    >>> literal("$x = ['a' => [1, 'b'],];", "x")
    {'a': [1, 'b']}
    """
    start = re.search(rf"^\${name} = ", code, re.MULTILINE)
    if start is None:
        raise LookupError(f"there is no ${name}")
    value, _ = _value(code, start.end())
    return value


def _value(code: str, at: int) -> tuple[Any, int]:
    text, number, mark, at = _token(code, at)
    if mark == "[":
        return _array(code, at)
    if mark:
        raise ValueError(f"unexpected {mark} before {code[at : at + 20]!r}")
    return (int(number) if number else text.replace("\\'", "'")), at


def _array(code: str, at: int) -> tuple[Any, int]:
    keyed: dict[Any, Any] = {}
    listed: list[Any] = []
    while (found := _token(code, at))[2] != "]":
        if found[2] == ",":
            at = found[3]
            continue
        value, at = _value(code, at)
        if _token(code, at)[2] == "=>":
            keyed[value], at = _value(code, _token(code, at)[3])
        else:
            listed.append(value)
    if keyed and listed:
        raise ValueError("an array with keys and without")
    return keyed or listed, found[3]


def _token(code: str, at: int) -> tuple[str, str, str, int]:
    found = TOKEN.match(code, at)
    if found is None:
        raise ValueError(f"not understood: {code[at : at + 20]!r}")
    return found[1] or "", found[2] or "", found[3] or "", found.end()
