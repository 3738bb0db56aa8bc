"""Whether an action's outcome is what its fixture expects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.model import Json, Outcome, rfc3339
from hub.plugin import ItemResult
from hub.testing.case import Mismatch, known, need, part, same, short, time
from hub.testing.provider import Asked

EXPECT = (
    "ref", "links", "facts", "handoff", "results", "none",
    "error", "after", "errors", "text", "final",
)  # fmt: skip
RESULT = ("ok", "remote_id", "links", "error", "errors", "text")


@dataclass(kw_only=True)
class Played:
    """What an action brought, or how it failed, and what the provider was asked."""

    result: Any = None
    error: Exception | None = None
    asked: list[Asked] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def judge(fixture: Mapping[str, Json], played: Played) -> None:
    """Raise Mismatch unless the outcome is as the fixture expects."""
    expect = fixture.get("expect", {})
    known("expect", expect, EXPECT)
    if "error" in expect:
        need(played.error, f"expected {expect['error']}, but it gave {short(played.result)}")
        _judge_error(expect, played.error)
    elif played.error is not None:
        raise Mismatch(f"expected success, seen {type(played.error).__name__}: {played.error}")
    elif expect.get("none"):
        same("the look-up", None, played.result)
    elif "results" in expect:
        _judge_results(expect["results"], played.result)
    else:
        _judge_outcome(expect, played.result)


def _judge_error(expect: Mapping[str, Json], error: Any) -> None:
    names = [one.__name__ for one in type(error).__mro__]
    need(
        expect["error"] in names,
        f"expected {expect['error']}, seen {names[0]}: {error}",
    )
    if "after" in expect:
        same("after", expect["after"], error.after and round(error.after, 3))
    if "errors" in expect:
        same("errors", expect["errors"], error.errors)
    if "text" in expect:
        need(expect["text"] in str(error), f"{expect['text']!r} is not in {str(error)!r}")
    if "final" in expect:
        same("final", expect["final"], error.final)
    if "facts" in expect:
        _judge_facts(expect["facts"], error.facts)


def _judge_outcome(expect: Mapping[str, Json], outcome: Any) -> None:
    need(isinstance(outcome, Outcome), f"expected an Outcome, seen {short(outcome)}")
    if "ref" in expect:
        same("ref", expect["ref"], outcome.ref)
    if "links" in expect:
        same("links", expect["links"], _links(outcome.links))
    if "handoff" in expect:
        same("handoff", expect["handoff"], outcome.handoff and dict(outcome.handoff))
    if "facts" in expect or outcome.facts:
        need("facts" in expect, f'expect names no "facts", but there are {short(outcome.facts)}')
        _judge_facts(expect["facts"], outcome.facts)


def _judge_facts(expected: list[Mapping[str, Json]], facts: Any) -> None:
    same("facts", [one["fact"] for one in expected], [fact.fact for fact in facts])
    for i, (wanted, fact) in enumerate(zip(expected, facts, strict=True)):
        wanted = dict(wanted)  # noqa: PLW2901 -- its time written as ours
        if "occurred_at" in wanted:
            wanted["occurred_at"] = rfc3339(time(wanted["occurred_at"]).astimezone(UTC))
        seen = {name: getattr(fact, name, None) for name in wanted}
        seen |= {n: rfc3339(v) for n, v in seen.items() if isinstance(v, datetime)}
        part(f"fact {i}", wanted, seen)


def _judge_results(expected: list[Mapping[str, Json]], results: Any) -> None:
    fine = isinstance(results, list) and all(isinstance(one, ItemResult) for one in results)
    need(fine, f"expected a list of ItemResult, seen {short(results)}")
    same("number of results", len(expected), len(results))
    for i, (wanted, one) in enumerate(zip(expected, results, strict=True)):
        known(f"result {i}", wanted, RESULT)
        if "error" in wanted:
            need(one.error, f"result {i}: expected {wanted['error']}, seen {short(one)}")
            _judge_error(wanted, one.error)
            continue
        need(one.error is None, f"result {i}: expected ok, seen {one.error!r}")
        if "remote_id" in wanted:
            same(f"result {i}: remote_id", wanted["remote_id"], one.remote_id)
        if "links" in wanted:
            same(f"result {i}: links", wanted["links"], _links(one.links))


def _links(links: Mapping[tuple[str, str], str]) -> dict[str, str]:
    return {f"{kind}:{our_id}": theirs for (kind, our_id), theirs in links.items()}
