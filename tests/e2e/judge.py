"""The judge of the kill loop: what was acknowledged against what the hub and the doubles have."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.cli import ground
from tests.e2e.shop import Shop
from tests.e2e.stage import TRACEBACK, Hub

KINDS = ("stripe", "hubspot", "sendgrid", "segment")
EXPLAINED = ("done", "skipped")


@dataclass(slots=True)
class Verdict:
    """What was found; good when there is no fault."""

    counted: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.faults

    def same(self, what: str, found: object, wanted: object) -> None:
        """Note a fault unless both are equal."""
        if found != wanted:
            self.faults.append(f"{what}: {found}, not {wanted}")

    def none(self, what: str, found: Iterable[object]) -> None:
        """Note a fault for each of these."""
        self.faults += [f"{what}: {one}" for one in found]

    def __str__(self) -> str:
        counted = "\n".join(f"  {n:6} {what}" for what, n in self.counted.items())
        head = "nothing was lost, nothing was done twice" if self.good else "FAULTS"
        return "\n".join([counted, head, *(f"  {fault}" for fault in self.faults[:40])])


async def judge(shop: Shop, acknowledged: Mapping[str, dict[str, Any]]) -> Verdict:
    """Stop the hub, then compare its store with what it had acknowledged and what the doubles did.

    Args:
        acknowledged: Every order that was answered 2xx, by id.
    """
    doubles = {kind: await shop.double(kind) for kind in KINDS}
    verdict = Verdict()
    code = await asyncio.to_thread(shop.hub.stop)
    verdict.same("exit code at SIGTERM", code, 0)
    bodies = await _kept_bodies(shop.hub)
    _orders(verdict, shop.hub, acknowledged)
    _webhooks(verdict, doubles, bodies)
    jobs = shop.hub.listed("jobs")
    _jobs(verdict, jobs)
    _stripe(verdict, doubles["stripe"]["ledger"], acknowledged)
    _hubspot(verdict, doubles["hubspot"]["ledger"], acknowledged)
    _mails(verdict, doubles["sendgrid"]["ledger"], jobs, acknowledged)
    _tracks(verdict, doubles["segment"]["ledger"], acknowledged)
    _invariants(verdict, shop.hub)
    verdict.same("tracebacks", (shop.hub.said() + shop.hub.sandbox.said()).count(TRACEBACK), 0)
    return verdict


def _orders(verdict: Verdict, hub: Hub, acknowledged: Mapping[str, Any]) -> None:
    rows = hub.listed("orders")
    verdict.counted["orders acknowledged"] = len(acknowledged)
    verdict.none("order lost", acknowledged.keys() - {row["id"] for row in rows})
    verdict.none("order nobody was told of", {row["id"] for row in rows} - acknowledged.keys())
    verdict.none("order not paid", [r["id"] for r in rows if r["payment_status"] != "paid"])
    paid = Counter(e["aggregate"]["id"] for e in hub.listed("events", "--type", "shop.order.paid"))
    verdict.same("orders paid once", _only(paid), acknowledged.keys())


def _webhooks(verdict: Verdict, doubles: Mapping[str, Any], kept: set[str]) -> None:
    """Every delivery that was answered 200 lies in the inbox, byte for byte."""
    sent = [d for double in doubles.values() for d in double["deliveries"]]
    taken = {d["sha256"] for d in sent if d["status"] == 200}
    verdict.counted["webhooks acknowledged"] = len(taken)
    verdict.counted["webhooks sent again"] = len(sent) - len({d["sha256"] for d in sent})
    verdict.none("webhook lost", taken - kept)


def _jobs(verdict: Verdict, jobs: list[dict[str, Any]]) -> None:
    verdict.counted["jobs"] = len(jobs)
    verdict.counted["jobs uncertain"] = sum(job["state"] == "uncertain" for job in jobs)
    verdict.counted["jobs tried again"] = sum(job["attempt"] > 1 for job in jobs)
    for job in jobs:
        parked = job["state"] == "uncertain" and job["action"] == "send_template" and job["error"]
        if job["state"] not in EXPLAINED and not parked:
            told = f"{job['uid']} {job['connector']}.{job['action']} {job['state']}: {job['error']}"
            verdict.faults.append(f"job not explained: {told}")


def _stripe(verdict: Verdict, ledger: list[Any], acknowledged: Mapping[str, Any]) -> None:
    asked = [e for e in ledger if e["kind"] in ("payment_intent", "checkout_session")]
    verdict.counted["payments at Stripe"] = len(asked)
    verdict.same("keys at Stripe", len({e["key"] for e in asked} - {""}), len(acknowledged))
    by_order = Counter(e["data"].get("metadata", {}).get("hub_order") for e in asked)
    verdict.same("orders with one payment", _only(by_order), acknowledged.keys())
    charges = sum(e["kind"] == "charge" for e in ledger)
    verdict.same("charges", charges, len(acknowledged))


def _hubspot(verdict: Verdict, ledger: list[Any], acknowledged: Mapping[str, Any]) -> None:
    keys = {kind: Counter(e["key"] for e in ledger if e["kind"] == kind) for kind in _kinds(ledger)}
    emails = {order["customer"]["email"] for order in acknowledged.values()}
    lines = {line["id"] for order in acknowledged.values() for line in order["lines"]}
    for kind, wanted in (("contact", emails), ("deal", acknowledged.keys()), ("line_item", lines)):
        found = keys.get(kind, Counter())
        verdict.counted[f"{kind}s at HubSpot"] = found.total()
        verdict.same(f"{kind}s made once", _only(found), wanted)
    verdict.none("changed after it was made", keys.keys() & {"contact_update", "deal_update"})
    ids = {e["id"]: e["key"] for e in ledger if e["kind"] in ("contact", "deal", "line_item")}
    ties = Counter(
        tuple(ids.get(end) for end in e["id"].split("-"))
        for e in ledger
        if e["kind"] == "association"
    )
    wanted_ties = {(order["id"], order["customer"]["email"]) for order in acknowledged.values()}
    wanted_ties |= {(o["id"], line["id"]) for o in acknowledged.values() for line in o["lines"]}
    verdict.counted["associations at HubSpot"] = ties.total()
    verdict.same("associations made once", _only(ties), wanted_ties)


def _mails(
    verdict: Verdict, ledger: list[Any], jobs: list[Any], acknowledged: Mapping[str, Any]
) -> None:
    """One mail for each order, or none where its job is uncertain; never two."""
    mails = Counter(e["data"]["custom_args"]["hub_order"] for e in ledger)
    verdict.counted["mails at SendGrid"] = mails.total()
    verdict.none("mailed twice", [order for order, n in mails.items() if n > 1])
    unsure = {job["uid"] for job in jobs if job["state"] == "uncertain"}
    missing = len(acknowledged.keys() - mails.keys())
    never_left = len(unsure - {e["key"] for e in ledger})
    verdict.same("orders without a mail", missing, never_left)


def _tracks(verdict: Verdict, ledger: list[Any], acknowledged: Mapping[str, Any]) -> None:
    tracks = Counter(e["data"]["properties"]["order_id"] for e in ledger if e["kind"] == "track")
    verdict.counted["tracks at Segment"] = tracks.total()
    verdict.same("orders tracked once", _only(tracks), acknowledged.keys())


def _invariants(verdict: Verdict, hub: Hub) -> None:
    try:
        hub.cli("verify")
    except AssertionError:
        broken = [one for one in json.loads(hub.cli("verify", "--json", code=1)) if one["broken"]]
        verdict.none("hub verify", broken)


async def _kept_bodies(hub: Hub) -> set[str]:
    """Give the hash of every body in the inbox."""
    async with ground.opened(ground.load(hub.ground.config)) as store:
        ids = [row[0] for row in hub.rows("SELECT id FROM inbox")]
        return {_digest((await store.kept_request(ident)).body) for ident in ids}


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _kinds(ledger: list[Any]) -> set[str]:
    return {effect["kind"] for effect in ledger}


def _only(found: Counter[Any]) -> set[Any]:
    """Give what was found exactly once; what was found more often makes a set that fits nothing."""
    return {one if count == 1 else (one, f"{count} times") for one, count in found.items()}
