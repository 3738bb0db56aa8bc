"""Traces: one from whoever calls us to whom we call, with nothing in it that is private."""

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

from hub import config as configuration
from hub import trace, traces
from hub.app import Hub
from hub.errors import ConfigError
from hub.otlp import encoded
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from hub.spans import Otel
from store.keys import create_key
from tests.chaos.nodes import Setting
from tests.e2e.stage import free_port

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARY = "canary7f3a"


@contextmanager
def listening(exporter: InMemorySpanExporter, sampler: Sampler | None = None) -> Iterator[None]:
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    trace.use(Otel(provider, SimpleSpanProcessor(exporter)))
    try:
        yield
    finally:
        trace.use(None)


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    with listening(exporter):
        yield exporter


class Provider:
    """Answers every call; keeps the headers of each."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.seen = list(statuses), []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("traceparent"))
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)


class House:
    def __init__(self, hub: Hub, setting: Setting, http: aiohttp.ClientSession) -> None:
        self.hub, self.setting, self.http = hub, setting, http
        listens = hub.config.service.listen
        self.url = f"http://{listens.host}:{listens.port}"

    async def note(self, ident: str, **headers: str) -> None:
        """Tell an event through the API."""
        key = await self.hub.store.write(lambda tx: create_key(tx, "shop", "tests"))
        headers |= {"Authorization": f"Bearer {key['key']}", "Idempotency-Key": ident}
        body = {"type": "erp.note", "data": {"id": ident, "lane": CANARY, "n": 1}}
        async with self.http.post(f"{self.url}/v1/events", json=body, headers=headers) as answer:
            assert answer.status == 201

    async def webhook(self, ident: str, **headers: str) -> None:
        items = [{"id": ident, "kind": "book_free", "lane": CANARY, "n": 1}]
        body = json.dumps({"items": items}).encode()
        mac = hmac.new(self.setting.secret.encode(), body, hashlib.sha256).hexdigest()
        url = f"{self.url}/webhooks/feed?token={CANARY}"
        headers |= {"X-Signature": mac, "X-Person": CANARY}
        async with self.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200


@asynccontextmanager
async def house(home: Path, provider: Provider) -> AsyncIterator[House]:
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", provider.answer)
    async with TestServer(app) as server:
        setting = Setting(store=f"sqlite:///{home}/hub.db", double=str(server.make_url("/")))
        path = setting.write(home)
        env = setting.environment(HUB_LISTEN=f"127.0.0.1:{free_port()}")
        config = configuration.load(path, env=env, shop=VOCABULARY)
        async with running(Hub(config)) as hub, aiohttp.ClientSession() as http:
            yield House(hub, setting, http)


async def called(provider: Provider, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while len(provider.seen) < times:
            await asyncio.sleep(0.01)


def by_name(told: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in told.get_finished_spans()}


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


async def test_one_trace_leads_from_an_api_call_to_the_call_it_causes(
    told: InMemorySpanExporter, tmp_path: Path
) -> None:
    provider = Provider()
    async with house(tmp_path, provider) as its:
        await its.note("one", traceparent=CALLER)
        await called(provider)
    spans = by_name(told)
    server, job, call = spans["POST /v1/events"], spans["ledger.book"], spans["POST"]
    version, trace_id, caller, _ = CALLER.split("-")
    assert {span.context.trace_id for span in (server, job, call)} == {int(trace_id, 16)}
    assert parent(server) == int(caller, 16)
    assert parent(job) == server.context.span_id
    assert parent(call) == job.context.span_id
    assert provider.seen == [f"{version}-{trace_id}-{call.context.span_id:016x}-01"]
    assert call.attributes["http.response.status_code"] == 200


async def test_one_trace_leads_from_a_webhook_through_every_attempt(
    told: InMemorySpanExporter, tmp_path: Path
) -> None:
    provider = Provider(503)
    async with house(tmp_path, provider) as its:
        await its.webhook("one")
        await called(provider, 2)
    spans = told.get_finished_spans()
    [server] = [span for span in spans if span.name == "POST /webhooks/{name}"]
    attempts = [span for span in spans if span.name == "ledger.book"]
    assert parent(server) is None
    assert [span.attributes["hub.attempt"] for span in attempts] == [1, 2]
    assert {span.attributes["hub.job"] for span in attempts} == {attempts[0].attributes["hub.job"]}
    assert {parent(span) for span in attempts} == {server.context.span_id}
    assert {seen.split("-")[1] for seen in provider.seen} == {f"{server.context.trace_id:032x}"}


@pytest.mark.parametrize("sent", ["", "nonsense", CALLER.replace("0af", "xyz"), "00-" + "0" * 50])
async def test_a_parent_that_is_none_begins_a_trace_of_its_own(
    told: InMemorySpanExporter, tmp_path: Path, sent: str
) -> None:
    with trace.span("x", "server", parent=sent):
        assert trace.current() is not None
    [span] = told.get_finished_spans()
    assert span.parent is None


class Asked(Sampler):
    """Answers as the test says; counts how often it is asked."""

    def __init__(self, decision: Decision) -> None:
        self.decision, self.times = decision, 0

    def should_sample(self, *_: Any, attributes: Any = None, **__: Any) -> SamplingResult:
        self.times += 1
        return SamplingResult(self.decision, attributes)

    def get_description(self) -> str:
        return "asked"


@pytest.mark.parametrize(
    ("decision", "flags", "spans"),
    [(Decision.RECORD_AND_SAMPLE, "03", 5), (Decision.DROP, "02", 0)],
)
async def test_whether_a_trace_is_told_is_asked_once_and_holds_for_every_attempt(
    tmp_path: Path, decision: Decision, flags: str, spans: int
) -> None:
    exporter, sampler, provider = InMemorySpanExporter(), Asked(decision), Provider(503)
    with listening(exporter, sampler):
        async with house(tmp_path, provider) as its:
            await its.webhook("one")
            await called(provider, 2)
    assert sampler.times == 1
    assert len(exporter.get_finished_spans()) == spans
    assert {seen[-2:] for seen in provider.seen} == {flags}
    assert len({seen.split("-")[1] for seen in provider.seen}) == 1  # a trace all the same


async def test_a_callers_trace_that_is_not_told_is_not_told_here(
    told: InMemorySpanExporter, tmp_path: Path
) -> None:
    provider = Provider()
    async with house(tmp_path, provider) as its:
        await its.note("one", traceparent=CALLER[:-2] + "00")
        await called(provider)
    assert not told.get_finished_spans()
    [seen] = provider.seen
    assert seen.split("-")[1::2] == [CALLER.split("-")[1], "00"]


def test_what_goes_on_in_an_untold_trace_still_has_its_name() -> None:
    with (
        listening(InMemorySpanExporter(), ALWAYS_OFF),
        trace.span("x", parent=CALLER[:-2] + "00") as span,
        trace.span("y", "client") as inner,
    ):
        inner.note("http.response.status_code", 200)
        inner.fail("TimeoutError")
        assert trace.current() == span.traceparent == CALLER[:-2] + "00"
    assert trace.current() is None


def test_spans_are_written_as_the_exporter_itself_writes_them(told: InMemorySpanExporter) -> None:
    with (
        trace.span("POST /v1/events", "server", parent=CALLER, http__route="/v1/events"),
        trace.span("ledger.book", hub__attempt=2**40, hub__event=""),
        trace.span("POST", "client", server__address="‹é›") as call,
    ):
        call.note("http.response.status_code", 503)
        call.fail("TimeoutError")
    with trace.span("bare", parent="nonsense"):
        pass
    spans = told.get_finished_spans()
    assert len(spans) == 4
    ours = ExportTraceServiceRequest.FromString(encoded(spans))
    assert ours == encode_spans(spans)
    assert ExportTraceServiceRequest.FromString(encoded([])) == encode_spans([])


async def test_no_query_no_header_and_no_payload_is_told(
    told: InMemorySpanExporter, tmp_path: Path
) -> None:
    provider = Provider()
    async with house(tmp_path, provider) as its:
        await its.webhook(CANARY, tracestate=f"a={CANARY}")
        await its.note(CANARY)
        async with its.http.get(f"{its.url}/{CANARY}?email={CANARY}") as answer:
            assert answer.status == 404
        await called(provider, 2)
    spans = told.get_finished_spans()
    assert len(spans) >= 7
    said = str(ExportTraceServiceRequest.FromString(encoded(spans)))
    assert "GET none" in said
    assert its.setting.secret not in said
    assert CANARY not in said
    assert "127.0.0.1" in said  # the provider's host, and no more of its URL
    assert "/book" not in said


async def test_where_nobody_listens_nothing_is_told_and_nothing_kept(tmp_path: Path) -> None:
    provider = Provider()
    async with house(tmp_path, provider) as its:
        await its.note("one", traceparent=CALLER)
        await called(provider)
    assert provider.seen == [None]


def test_nothing_of_opentelemetry_is_imported_without() -> None:
    look = "import sys, hub.app, hub.serving, hub.traces; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_asked_for_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(traces.ENDPOINTS[0], "http://127.0.0.1:1")
    monkeypatch.delitem(sys.modules, "hub.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match="traces are asked for"), traces.telling():
        pass
    assert not trace.on()


def test_a_collector_is_told_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        monkeypatch.setenv(traces.ENDPOINTS[1], f"http://127.0.0.1:{server.server_port}")
        with traces.telling(), trace.span("ledger.book", hub__job="job_1"):
            pass
        server.shutdown()
        serving.join()
    [(path, body)] = got
    assert path == "/v1/traces"
    assert b"ledger.book" in body
    assert b"shop-hub" in body
