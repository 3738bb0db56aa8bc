"""Faults for machines: JSON, GitHub's annotations, SARIF 2.1.0.

Sources: GitHub, workflow commands (`::error file=…`); OASIS, SARIF 2.1.0.
"""

from collections.abc import Callable, Mapping, Sequence

from hub.errors import Fault
from hub.model import Json, write_json

SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_NAMES = ("code", "text", "file", "line", "col", "fix")


def as_text(faults: Sequence[Fault]) -> str:
    """Write them for people."""
    return "\n".join(str(fault) for fault in faults)


def as_json(faults: Sequence[Fault]) -> str:
    """Write a list of objects, one fault each."""
    return write_json([_object(fault) for fault in faults]).decode()


def as_github(faults: Sequence[Fault]) -> str:
    """Write one annotation a line."""
    return "\n".join(_annotation(fault) for fault in faults)


def as_sarif(faults: Sequence[Fault]) -> str:
    """Write one run of one tool."""
    codes = sorted({fault.code for fault in faults})
    driver = {"name": "hub check", "rules": [{"id": code} for code in codes]}
    run = {"tool": {"driver": driver}, "results": [_result(fault) for fault in faults]}
    return write_json({"$schema": SARIF, "version": "2.1.0", "runs": [run]}).decode()


FORMATS: Mapping[str, Callable[[Sequence[Fault]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _object(fault: Fault) -> dict[str, Json]:
    level = "warning" if fault.warning else "error"
    return {"level": level} | {name: getattr(fault, name) for name in _NAMES}


def _annotation(fault: Fault) -> str:
    """Write one annotation.

    >>> _annotation(Fault(code="a.b", text="50% off", file="c,d.yaml", line=2, col=3, fix="none"))
    '::error file=c%2Cd.yaml,line=2,col=3,title=a.b::50%25 off%0Afix: none'
    """
    level = "warning" if fault.warning else "error"
    place = [f"file={_property(fault.file)}"] if fault.file else []
    place += [f"line={fault.line}", f"col={fault.col}"] if fault.line else []
    place.append(f"title={_property(fault.code)}")
    text = fault.text + (f"\nfix: {fault.fix}" if fault.fix else "")
    return f"::{level} {','.join(place)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _result(fault: Fault) -> dict[str, Json]:
    text = fault.text + (f"\nfix: {fault.fix}" if fault.fix else "")
    level = "warning" if fault.warning else "error"
    result = {"ruleId": fault.code, "level": level, "message": {"text": text}}
    if not fault.file:
        return result
    place: dict[str, Json] = {"artifactLocation": {"uri": fault.file}}
    if fault.line:
        place["region"] = {"startLine": fault.line, "startColumn": max(fault.col, 1)}
    return result | {"locations": [{"physicalLocation": place}]}
