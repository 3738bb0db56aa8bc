"""/docs tells what the OpenAPI document tells, and runs nothing."""

import re

from hub.api.app import ENDPOINTS
from hub.api.problems import PROBLEMS


async def test_every_operation_and_problem_is_on_the_page(client) -> None:
    answer = await client.get("/docs")
    text = await answer.text()
    assert answer.status == 200
    for endpoint in ENDPOINTS:
        assert f'id="{endpoint.do.__name__}"' in text
        assert f"<code>/v1{endpoint.path}</code>" in text
    for code in PROBLEMS:
        assert f'href="/problems/{code}"' in text


async def test_bodies_are_shown_with_what_they_must_hold(client) -> None:
    text = await (await client.get("/docs")).text()
    opened = text.partition('id="open_cart"')[2].partition("</article>")[0]
    rows = re.findall(r"<code>(\w+)</code></td><td>([^<]*)</td><td>(yes|no)</td>", opened)
    assert ("currency", "string", "yes") in [(n, h.split()[0], r) for n, h, r in rows]
    assert [n for n, _, _ in rows].index("lines") < [n for n, _, _ in rows].index("variant")


async def test_it_runs_nothing_and_asks_nobody_else(client) -> None:
    answer = await client.get("/docs")
    text = await answer.text()
    assert "script-src" not in (policy := answer.headers["Content-Security-Policy"])
    assert policy.startswith("default-src 'self'")
    assert not re.search(r"<script|<style| style=| on\w+=|javascript:|//", text)
    style = await client.get("/docs/style.css")
    assert (style.status, style.content_type) == (200, "text/css")
