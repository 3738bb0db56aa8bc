"""S4: a signature is compared in constant time: `==` never meets one, nor a digest or a token."""

import ast
import re
from collections.abc import Iterator

from tests.shape.test_code import ROOT

SECRET = re.compile(r"signature|digest|expected|hmac|mac\b|candidate|secret|token|sent\b")
FILES = [
    *(ROOT / "webhooks").rglob("*.py"),
    *(ROOT / "connectors").glob("*/inbound.py"),
    *(ROOT / "connectors").glob("*/signing.py"),
]


def compared(source: str) -> Iterator[str]:
    """Yield what `==` and `!=` compare bytes or texts of, where its name is that of a secret."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue  # with a word of ours: no secret is known from that
        for side in sides:
            name = ast.unparse(side)
            if isinstance(side, ast.Name | ast.Attribute) and SECRET.search(name.lower()):
                yield name


def test_s4_no_signature_is_compared_by_equality() -> None:
    assert len(FILES) > 15
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in FILES
        for name in compared(file.read_text("utf-8"))
    }
    assert found == set()


def test_s4_the_lint_bites() -> None:
    planted = (
        "if expected == sent: pass\nif request.signature != mine: pass\nif a == 'signature': pass"
    )
    assert sorted(compared(planted)) == ["expected", "request.signature", "sent"]
