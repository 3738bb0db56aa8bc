"""Hundreds of malformed requests: each is refused or taken, none breaks the hub."""

import copy
import json
import os
import random

import pytest
from yarl import URL

from hub.api.app import ENDPOINTS
from hub.api.endpoint import PUBLIC
from tests.unit.api.test_events import POINTS
from tests.unit.api.test_shopping import CART, ELSEWHERE, INTENT, MUG, TOTAL

GOOD = {
    "/products": MUG,
    "/carts": CART,
    "/carts/{id}/complete": {"expected_total": TOTAL, "payment": INTENT},
    "/orders": ELSEWHERE,
    "/events": POINTS,
    "/payments/{id}/refunds": {"amount": TOTAL, "reason": "x"},
    "/webhook-endpoints": {
        "url": "https://wms.example.com/hook",
        "types": ["shop.order.*"],
        "ordered": True,
        "description": "the warehouse",
    },
    "/webhook-endpoints/{id}/rotate-secret": {"overlap": 60},
    "/webhook-endpoints/{id}/disable": {"note": "x"},
    "/webhook-endpoints/{id}/enable": {"note": "x"},
    "/webhook-endpoints/{id}/test": {"note": "x"},
    "/webhook-endpoints/{id}/replay": {"from": "2026-01-01T00:00:00Z", "everything": True},
    "/webhook-endpoints/{id}/deliveries/{uid}/retry": {"note": "x"},
    "/jobs/{uid}/retry": {"note": "x"},
    "/jobs/{uid}/cancel": {"note": "x"},
    "/jobs/{uid}/settle": {"state": "done", "note": "x"},
    "/customers": {"email": "a@example.com", "consent": {"status": "granted"}},
    "/promotions": {"code": "TEN", "kind": "percent", "value": 1000},
    "/variants": {"product": "prd_x", "sku": "CUP", "prices": [TOTAL]},
    "/stock/adjustments": {"variant": "MUG", "delta": 1, "reason": "counted"},
    "/locations": {"id": "cellar", "title": "Cellar"},
    "/orders/{id}/cancel": {"reason": "x", "refund": "auto", "restock": True},
    "/orders/{id}/hold": {"reason": "x"},
    "/orders/{id}/notes": {"text": "x"},
    "/orders/{id}/payments": {**INTENT, "amount": TOTAL},
    "/orders/{id}/fulfilments": {"lines": [{"line": "lin_x", "qty": 1}], "carrier": "x"},
    "/payments/{id}/capture": {"amount": TOTAL},
    "/payments/{id}/void": {"reason": "x"},
    "/cases/{id}/resolve": {"resolution": "accept", "note": "x", "amount": TOTAL},
    **{
        f"/fulfilments/{{id}}/{step}": {"carrier": "x", "lines": [{"line": "l", "qty": 1}]}
        for step in ("pack", "ship", "deliver", "cancel", "return")
    },
}
TIMES = int(os.environ.get("HUB_TEST_TIMES", "1"))
"""`make hostile` sends this many times as many."""
ODD = (
    None, True, -1, 0, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400, 1.5, -0.0, "", "x", "\u0000",
    "💥" * 300, "2026-02-30T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1-01-01T00:00:00+23:59",
    "javascript:alert(1)", "' OR 1=1 --", "../../etc/passwd", [], {}, [[]], {"": {}}, ["a"] * 600,
    {"amount": 1, "currency": "EUR"}, {"amount": 10**12, "currency": "EUR"},
)  # fmt: skip
RAW = (
    b"", b"{", b"null", b"[]", b"\xff\xfe", b"\x00", b"{}" * 3, b"[" * 5000, b'{"a":' * 70,
    b'"\\ud800"', b"NaN", b"1e99999", b'{"title": Infinity}', b'{"title":"a","title":["b"]}',
)  # fmt: skip


def places(value, path=()):
    """Name every place inside a value."""
    yield path
    children = value.items() if isinstance(value, dict) else ()
    children = enumerate(value) if isinstance(value, list) else children
    for key, child in children:
        yield from places(child, (*path, key))


def spoil(dice, value):
    """Put something odd in one to three places of a good body."""
    made = json.loads(json.dumps(value))
    for _ in range(dice.randint(1, 3)):
        *path, last = dice.choice([p for p in places(made) if p] or [("",)])
        node = made
        for key in path:
            node = node[key]
        act = dice.randrange(4)
        if act == 0 and isinstance(node, dict) and last in node:
            del node[last]
        elif act == 1 and isinstance(node, dict):
            node[f"{last}~/x"] = copy.deepcopy(dice.choice(ODD))
        else:
            node[last] = copy.deepcopy(dice.choice(ODD))
    return made


# Public forms have no model of their own: tests/unit/api/test_forms.py.
POSTED = [e for e in ENDPOINTS if e.method == "POST" and e.may != PUBLIC]
POSTS = [pytest.param(e.path, id=e.path) for e in POSTED]


@pytest.mark.parametrize("path", POSTS)
async def test_a_spoilt_body_never_breaks_the_hub(doors, path):
    dice, door = random.Random(path), doors["admin"]
    await door.post("/v1/products", MUG)
    cart = await (await door.post("/v1/carts", CART)).json()
    where = "/v1" + path.replace("{id}", cart["id"]).replace("{uid}", "job_none")
    bodies = [json.dumps(spoil(dice, GOOD.get(path, {}))).encode() for _ in range(60 * TIMES)]
    seen = set()
    for n, body in enumerate([*bodies, *RAW]):
        headers = {"Content-Type": "application/json"}
        answer = await door.send("POST", where, data=body, key=f"f{n}", headers=headers)
        text = await answer.text()
        assert answer.status < 500, (body[:300], text)
        assert "Traceback" not in text
        seen.add(answer.status)
    assert 400 in seen


GETS = [pytest.param(e.path, id=e.path) for e in ENDPOINTS if e.method == "GET"]
STRANGE = ("%00", "%ff", "%ED%A0%80", "..%2f", "a" * 3000, "%F0%9F%92%A5", "'", "%25", "-1", "*")
NAMES = ("limit", "after", "types", "email", "created[gte]", "state", "expand", "lifecycle", "x")


@pytest.mark.parametrize("path", GETS)
async def test_a_strange_address_never_breaks_the_hub(doors, path):
    for odd in STRANGE:
        where = "/v1" + path.replace("{id}", odd).replace("{uid}", odd)
        queries = [f"?{name}={odd}" for name in NAMES] if "{" not in path else [""]
        for query in queries:
            answer = await doors["admin"].get(URL(where + query, encoded=True))
            assert answer.status < 500, (where, query, await answer.text())
