"""/v1/orders: made elsewhere and told here, listed, read, and their whole story."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BeforeValidator, Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query, made_now
from hub.api.views import OrderView
from hub.errors import Refused
from hub.model import Json
from hub.shop.ledger import PaymentStatus
from hub.shop.money_snapshots import case_snapshot, payment_snapshot, refund_snapshot
from hub.shop.order_shapes import Lifecycle, Order
from hub.shop.orders import NewOrder, create_order
from hub.shop.snapshots import order_view
from store import aggregates, cases, payments
from store import orders as kept
from store.timeline import timeline
from store.tx import Tx

FILTERS = {"customer": "customer_id"}
TICK = timedelta(microseconds=1)
Value = TypeVar("Value")
Listed = Annotated[
    tuple[Value, ...], BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v)
]
Text = Annotated[str, Field(min_length=1, max_length=255)]
Email = Annotated[Text, BeforeValidator(lambda v: v.strip().lower() if isinstance(v, str) else v)]
orders = Endpoints()


class OrdersQuery(Query):
    """Filters of the order list; commas part several values of one."""

    lifecycle: Listed[Lifecycle] | None = None
    payment_status: Listed[PaymentStatus] | None = None
    customer: Text | None = None
    email: Email | None = None
    external_ref: Text | None = None
    since: AwareDatetime | None = Field(default=None, alias="created[gte]")
    until: AwareDatetime | None = Field(default=None, alias="created[lte]")
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None

    def filters(self) -> Mapping[str, Sequence[str]]:
        """Give the columns asked for, and the values taken."""
        names = ("lifecycle", "payment_status", "customer", "email", "external_ref")
        given = {name: getattr(self, name) for name in names}
        return {
            FILTERS.get(name, name): [value] if isinstance(value, str) else value
            for name, value in given.items()
            if value is not None
        }

    def created(self) -> tuple[datetime | None, datetime | None]:
        """Give the times from (inclusive) and until (exclusive)."""
        return self.since, None if self.until is None else self.until + TICK


class OrderQuery(Query):
    """What to show beside the order; then it has no ETag."""

    expand: Listed[Literal["payments", "events", "jobs", "cases", "sync"]] = ()


@orders.post(
    "/orders",
    may=SHOP,
    takes=NewOrder,
    gives={201: Order},
    key="required",
    refuses=("external_ref_exists", "currency_mismatch"),
)
async def add_order(ask: Ask) -> Answer:
    """Take in an order made elsewhere, with what was paid for it."""

    def work(tx: Tx) -> Answer:
        return made_now("orders", create_order(tx, ask.item, ask.api.rules)["order"])

    return await once.change(ask, work)


@orders.get("/orders", may=EVERYONE, query=OrdersQuery, gives={200: "Orders"})
async def list_orders(ask: Ask) -> Answer:
    """List orders, newest first."""
    wanted: OrdersQuery = ask.query
    about, cipher = paging.about(ask.request), ask.api.store.cipher
    before = int(paging.read_cursor(cipher, wanted.after, about)) if wanted.after else None

    def work(tx: Tx) -> Answer:
        found = kept.page(
            tx, wanted.filters(), before=before, limit=wanted.limit + 1, created=wanted.created()
        )
        rows, more = found[: wanted.limit], len(found) > wanted.limit
        cursor = paging.write_cursor(cipher, rows[-1].n, about) if more else None
        return paging.page(ask.request, [order_view(tx, row) for row in rows], cursor)

    return await ask.api.store.look(work)


@orders.get(
    "/orders/{id}", may=EVERYONE, query=OrderQuery, gives={200: OrderView}, conditional=True
)
async def get_order(ask: Ask) -> Answer:
    """Give an order, and beside it what `expand` names."""
    expand: Sequence[str] = ask.query.expand

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "order", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such order")
        return Answer(
            body=order_view(tx, row) | _beside(tx, row.id, expand),
            version=None if expand else row.version,
        )

    answer = await ask.api.store.look(work)
    if {"events", "jobs", "sync"} & set(expand):
        answer.body.update(_told(await _story(ask), expand))
    return answer


@orders.get("/orders/{id}/timeline", may=EVERYONE, gives={200: "Timeline"})
async def get_timeline(ask: Ask) -> Answer:
    """Tell an order's story: calls, webhooks, facts, events, jobs and attempts, oldest first."""
    return Answer(body={"order": ask.part("id"), "items": await _story(ask)})


def _beside(tx: Tx, order: str, expand: Sequence[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if "payments" in expand:
        rows = payments.of_order(tx, order)
        found["payments"] = [
            payment_snapshot(row)
            | {"refunds": [refund_snapshot(back) for back in payments.refunds_of(tx, row.id)]}
            for row in rows
        ]
    if "cases" in expand:
        found["cases"] = [case_snapshot(row) for row in cases.open_of(tx, order)]
    return found


async def _story(ask: Ask) -> list[dict[str, Json]]:
    async with ask.api.store.read() as connection:
        found = await timeline(connection, ask.part("id"))
    if found is None:
        raise Refused("not_found", "there is no such order")
    return found


def _told(entries: Sequence[Mapping[str, Any]], expand: Sequence[str]) -> dict[str, Json]:
    """Take out of an order's story what `expand` names."""
    done = [entry for entry in entries if entry["kind"] == "job"]
    parts: dict[str, Json] = {
        "events": [entry for entry in entries if entry["kind"] == "event"],
        "jobs": done,
        # The newest job of each action that a route wrote says how far the other side is.
        "sync": list(
            {(e["connector"], e["action"]): _sync(e) for e in done if e["route"]}.values()
        ),
    }
    return {name: part for name, part in parts.items() if name in expand}


def _sync(entry: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "connector": entry["connector"],
        "action": entry["action"],
        "state": entry["state"],
        "at": entry["ended_at"] or entry["at"],
        "remote_id": entry["ref"],
    }
