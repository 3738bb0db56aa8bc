"""`hub webhooks`, and `watch` against a running hub."""

import asyncio
import threading

from aiohttp import web

from store import secret_uses

WEBHOOKS = """
  code:
    type: inbound
    settings: { scheme: github, event_id: "{{ body.id }}", event_type: push }
    webhooks: { secrets: [{ value: "${env:OLD}", until: 2026-12-31 }, "${env:NEW}"] }
"""


def with_webhooks(hub, monkeypatch):
    monkeypatch.setenv("OLD", "an-old-secret-0123456789")
    monkeypatch.setenv("NEW", "a-new-secret-0123456789")
    path = hub.home / "config.yaml"
    text = path.read_text().replace(
        "connectors: {", "connectors:\n  toy: { type: toy }\n  other: {"
    )
    text = text.replace(
        "  other: { toy: { type: toy }, other: { type: toy } }", "  other: { type: toy }"
    )
    path.write_text(text.replace("routes:", WEBHOOKS.lstrip("\n") + "routes:"))


def test_it_lists_each_secret_with_its_last_day_and_when_it_was_seen(hub, monkeypatch):
    with_webhooks(hub, monkeypatch)
    hub.do(lambda tx: secret_uses.note(tx, {("code", "OLD"): tx.now}))
    old, new = hub.rows("webhooks")
    assert (old["secret"], old["until"]) == ("OLD", "2026-12-31")
    assert old["last_seen"] is not None
    assert (new["secret"], new["until"], new["last_seen"]) == ("NEW", None, None)
    assert old["url"] == "http://127.0.0.1:8080/webhooks/code"
    assert hub("webhooks", says="OLD") == 0
    assert "secret-0123456789" not in hub.out


def test_watch_wants_a_key_and_a_hub_that_runs(hub, monkeypatch):
    monkeypatch.delenv("HUB_API_KEY", raising=False)
    assert hub("webhooks", "watch", "code", says="wants a key") == 1
    words = ("webhooks", "watch", "code", "--key", "k", "--url", "http://127.0.0.1:9")
    assert hub(*words, says="no hub answers") == 1


REFUSAL = {
    "at": "2026-11-20T12:00:00Z", "reason": "stale", "headers": ["Host", "X-Sig"], "length": 29,
    "sha256": "ab" * 32, "offset_s": -400.0, "cause": "signed 400 s ago",
}  # fmt: skip


def served(answer):
    """Serve one answer from a thread of its own; give its URL and how to end it."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []

    async def start():
        app = web.Application()
        app.add_routes([web.get("/v1/webhooks/code/refusals", answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.extend((runner, runner.addresses[0][1]))
        ready.set()

    def run():
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(found[0].cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(20)

    def end():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)

    return f"http://127.0.0.1:{found[1]}", end


def test_watch_prints_what_a_person_needs(hub):
    async def answer(request):
        if request.headers["Authorization"] != "Bearer k":
            return web.json_response({"title": "No valid API key was sent"}, status=401)
        return web.json_response({"data": [REFUSAL]})

    url, end = served(answer)
    try:
        assert hub("webhooks", "watch", "code", "--key", "k", "--url", url) == 0
        assert "2026-11-20 12:00:00  stale: signed 400 s ago" in hub.out
        assert "29 bytes" in hub.out
        assert "clock -400 s" in hub.out
        assert "headers: Host, X-Sig" in hub.out
        assert hub.rows("webhooks", "watch", "code", "--key", "k", "--url", url) == [REFUSAL]
        words = ("webhooks", "watch", "code", "--key", "wrong", "--url", url)
        assert hub(*words, says="the hub refuses") == 1
    finally:
        end()
