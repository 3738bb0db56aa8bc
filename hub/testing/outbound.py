"""What a connector's actions and look-ups must do with each call fixture, and with worse."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hub.clock import ManualClock
from hub.errors import AuthFailed, CallError, Reject
from hub.http import Outbound
from hub.model import Json, Outcome, write_json
from hub.plugin import ActionSpec, Call, Connector, sent_key
from hub.testing import hostile
from hub.testing.case import Case, Mismatch, faults, known, need, part, same, short
from hub.testing.folder import NOW, Folder, load
from hub.testing.judge import Played, judge
from hub.testing.provider import Provider, check_calls

FIXTURE = (
    "source", "input", "key", "job", "attempt", "links", "now", "lookup", "calls", "expect",
)  # fmt: skip
JOB, KEY = "job_01fixture00000000000000000", "key-of-the-fixture-0123456789"
HANG = 0.3  # seconds until a hanging provider is given up
PATIENCE = 10.0
ALLOWED = ("127.0.0.0/8",)


class Log:
    """Takes an action's log lines, so that they can be searched for secrets."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda *words, **named: self.lines.append(f"{level} {words} {named}")

    def bind(self, **_: Any) -> "Log":
        """Give itself."""
        return self


class FixedLinks:
    """The links a fixture says are stored."""

    def __init__(self, stored: Mapping[str, str]) -> None:
        self._stored = stored

    async def get(self, kind: str, our_id: str) -> str:
        """Give their id; raises Reject where the fixture has none."""
        found = self._stored.get(f"{kind}:{our_id}")
        if found is None:
            raise Reject(f"no link: {kind} {our_id}")
        return found


def outbound(folder: Folder) -> Iterator[Case]:
    """Give the cases of every call fixture."""
    hardened: set[str] = set()
    for path in folder.fixtures("out"):
        name = f"{folder.kind} {folder.name(path)}"
        yield Case(f"{name}: plays as expected", partial(_plays, folder, path))
        if not _is_success(path):
            continue
        yield Case(f"{name}: sends the same bytes again", partial(_repeats, folder, path))
        if path.parent.name not in hardened:
            hardened.add(path.parent.name)
            for what in hostile.ANSWERS:
                yield Case(f"{name}: bears {what}", partial(_bears, folder, path, what))
    yield Case(f"{folder.kind}: its check sees refused credentials", partial(_checks, folder))


def expectation(fixture: Mapping[str, Json]) -> str:
    """Name what a fixture expects: `ok`, `lookup`, or an error's class."""
    if fixture.get("lookup"):
        return "lookup"
    return str(fixture.get("expect", {}).get("error", "ok"))


def _is_success(path: Path) -> bool:
    try:
        return expectation(load(path)) == "ok"
    except (Mismatch, AttributeError):
        return False


# -- playing -------------------------------------------------------------------------------------
async def play(folder: Folder, path: Path, fixture: Mapping[str, Json], **how: Any) -> Played:
    """Run the fixture's action or look-up against a provider that plays its calls.

    Args:
        folder: The connector.
        path: The fixture; its folder names the action.
        fixture: What lies there, or a change of it.
        how: `attempt` and `later` (seconds), for a repeated attempt; `blind`: judge nothing.
    """
    calls = fixture.get("calls", [])
    spec = _spec(folder, path)
    start = datetime.fromtimestamp(float(fixture.get("now", NOW)), UTC)
    clock = ManualClock(start + timedelta(seconds=how.get("later", 0)))
    hangs = any(call.get("answer", {}).get("fault") == "hang" for call in calls)
    async with Provider(calls, folder.settings().base_url) as provider, Outbound(clock) as out:
        client = out.client(
            folder.connector,
            settings := folder.settings(base_url=provider.url),
            name=folder.kind,
            allow_private=ALLOWED,
            total_timeout=HANG if hangs else PATIENCE,
        )
        connector = folder.connector(folder.kind, settings, client)
        log = Log()
        call = Call(
            http=client.attempt(deadline=clock.now() + timedelta(seconds=PATIENCE)),
            job=fixture.get("job", JOB),
            key=fixture.get("key", KEY),
            attempt=how.get("attempt") or fixture.get("attempt", 1),
            deadline=clock.now() + timedelta(seconds=PATIENCE),
            links=FixedLinks(fixture.get("links", {})),
            log=log,
            clock=clock,
        )
        played = await _perform(_method(connector, spec, fixture), call, _item(spec, fixture))
        played.asked, played.log = provider.asked, log.lines
        if not how.get("blind"):
            judge(fixture, played)
            provider.compare()
        return played


async def _perform(method: Callable[..., Any], call: Call, item: Any) -> Played:
    try:
        return Played(result=await method(call, item))
    except CallError as error:
        return Played(error=error)
    except Exception as error:
        raise Mismatch(
            f"{type(error).__name__} left the action ({short(str(error))}); only a CallError may"
        ) from error


def _spec(folder: Folder, path: Path) -> ActionSpec:
    actions = folder.connector.actions()
    need(path.parent.name in actions, f"there is no action {path.parent.name}")
    return actions[path.parent.name]


def _method(
    connector: Connector, spec: ActionSpec, fixture: Mapping[str, Json]
) -> Callable[..., Any]:
    if not fixture.get("lookup"):
        found: Callable[..., Any] = getattr(connector, spec.name)
        return found
    need(spec.lookup, f"the action {spec.name} has no @lookup")
    looked: Callable[..., Any] = getattr(connector, spec.lookup or "")
    return looked


def _item(spec: ActionSpec, fixture: Mapping[str, Json]) -> Any:
    """Validate the input as the worker does, from JSON bytes."""
    given = fixture.get("input")
    given = [given] if spec.many and not isinstance(given, list) else given
    try:
        if isinstance(given, list):
            return [spec.model.model_validate_json(write_json(one)) for one in given]
        return spec.model.model_validate_json(write_json(given))
    except ValidationError as error:
        raise Mismatch(f"input is no {spec.model.__name__}: {faults(error)}") from error


# -- claims --------------------------------------------------------------------------------------
async def _plays(folder: Folder, path: Path) -> None:
    fixture = load(path)
    known("the fixture", fixture, FIXTURE)
    check_calls(fixture.get("calls", []))
    played = await play(folder, path, fixture)
    _tells_no_secret(folder, played)
    if not fixture.get("lookup"):
        _carries_its_id(_spec(folder, path), fixture, played)


def _tells_no_secret(folder: Folder, played: Played) -> None:
    error, result = played.error, played.result
    told = [*played.log, str(error), repr(error), repr(getattr(error, "errors", ""))]
    told += [repr(one) for one in (result if isinstance(result, list) else [])]
    told += [repr((result.ref, result.facts, result.links))] if isinstance(result, Outcome) else []
    for secret in folder.hidden:
        need(not any(secret in text for text in told), "a secret stands in a log line or an error")


def _carries_its_id(spec: ActionSpec, fixture: Mapping[str, Json], played: Played) -> None:
    """A keyed action sends its key, a deduped one its key or job, with the first write."""
    written = [one for one in played.asked if one.method not in {"GET", "HEAD"}]
    if spec.effect.kind not in {"keyed", "deduped"} or not written:
        return
    key = sent_key(fixture.get("key", KEY), spec.key_limit)
    ids = {"call.key": key}
    if spec.effect.kind == "deduped":
        ids["call.job"] = fixture.get("job", JOB)
    sent = " ".join(written[0].headers.values()) + written[0].body.decode(errors="replace")
    need(
        any(one in sent for one in ids.values()),
        f"{spec.name} is {spec.effect}, but its first write carries no {' and no '.join(ids)}",
    )


async def _repeats(folder: Folder, path: Path) -> None:
    """A second attempt an hour later sends the same requests, byte for byte."""
    fixture = load(path)
    first = await play(folder, path, fixture, blind=True)
    again = await play(folder, path, fixture, blind=True, attempt=2, later=3600)
    same("number of calls, a second time", len(first.asked), len(again.asked))
    for i, (one, two) in enumerate(zip(first.asked, again.asked, strict=True)):
        same(f"call {i}, sent a second time: body", one.body, two.body)
        same(f"call {i}, sent a second time: params", one.params, two.params)
        key = {n for n in one.headers if "key" in n.lower()}
        part(
            f"call {i}, sent a second time: headers",
            {n: one.headers[n] for n in key},
            {n: two.headers.get(n) for n in key},
        )


async def _bears(folder: Folder, path: Path, what: str) -> None:
    """Whatever the first answer is, a CallError of the right kind leaves, or a success."""
    fixture = load(path)
    answer, kinds = hostile.ANSWERS[what]
    if not fixture.get("calls"):
        return
    fixture["calls"] = [{**fixture["calls"][0], "answer": answer}]
    played = await play(folder, path, fixture, blind=True)
    _tells_no_secret(folder, played)
    results = played.result if isinstance(played.result, list) else []
    errors = [played.error] if played.error else [one.error for one in results if one.error]
    if kinds is None:
        return
    seen = sorted({type(error).__name__ for error in errors}) or ["success"]
    need(set(seen) <= kinds, f"{what}: expected {sorted(kinds)}, seen {seen}")


async def _checks(folder: Folder) -> None:
    """Where every call is answered 401, `check` may not find all well."""
    if folder.connector.check is Connector.check:
        return
    calls = [{"method": "GET", "path": "/", "answer": {"status": 401}}] * 50
    base = folder.settings().base_url
    async with Provider(calls, base) as provider, Outbound(ManualClock()) as out:
        settings = folder.settings(base_url=provider.url)
        client = out.client(folder.connector, settings, name=folder.kind, allow_private=ALLOWED)
        try:
            found = await folder.connector(folder.kind, settings, client).check()
        except AuthFailed:
            return
    need(provider.asked, "check() asks the provider nothing")
    fails = [one for one in found if one.state == "fail"]
    need(fails, f"every call was answered 401, but check() found {short(found)}")
    told = " ".join(f"{one.text} {one.fix}" for one in found)
    need(not any(secret in told for secret in folder.hidden), "check() tells a secret")
