"""/v1/cases and /v1/disputes: what only a person can settle, and how."""

from typing import Annotated, Literal

from pydantic import Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, REFUNDERS, Answer, Ask, Endpoints, Query, changed
from hub.api.views import CaseView
from hub.errors import Refused
from hub.shop.money_shapes import Case, Dispute
from hub.shop.money_snapshots import dispute_snapshot
from hub.shop.resolving import Resolution, case_view, resolve_case
from store import aggregates, payments
from store import cases as kept
from store.aggregates import Stored
from store.tx import Tx

cases = Endpoints()


class CasesQuery(Query):
    """Filters of the case list."""

    state: Literal["open", "resolved"] | None = None
    kind: Annotated[str, Field(max_length=64)] | None = None
    order: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None

    def filters(self) -> dict[str, str]:
        """Give the columns asked for."""
        given = {"state": self.state, "kind": self.kind, "order_id": self.order}
        return {name: value for name, value in given.items() if value is not None}


class DisputesQuery(Query):
    """Filters of the dispute list."""

    state: Literal["open", "closed"] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@cases.get("/cases", may=EVERYONE, query=CasesQuery, gives={200: "Cases"})
async def list_cases(ask: Ask) -> Answer:
    """List cases, newest first, each with what a person may do."""
    wanted: CasesQuery = ask.query

    def rows(tx: Tx, before: str | None) -> list[Stored]:
        return kept.page(tx, wanted.filters(), before=before, limit=wanted.limit + 1)

    return await paging.listed(ask, rows, lambda _, row: case_view(row))


@cases.get("/cases/{id}", may=EVERYONE, gives={200: CaseView}, conditional=True)
async def get_case(ask: Ask) -> Answer:
    """Give a case with its evidence and what a person may do."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "case", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such case")
        return Answer(body=case_view(row), version=row.version)

    return await ask.api.store.look(work)


@cases.post(
    "/cases/{id}/resolve",
    may=REFUNDERS,
    takes=Resolution,
    gives={200: Case},
    key="required",
    refuses=(
        "case_resolved", "amount_exceeds_captured", "out_of_stock", "invalid_transition",
        "not_cancellable", "currency_mismatch", "provider_unavailable",
    ),
)  # fmt: skip
async def resolve(ask: Ask) -> Answer:
    """Resolve a case, and do what that means."""

    def work(tx: Tx) -> Answer:
        made = resolve_case(tx, ask.part("id"), ask.item, ask.api.rules, ask.who.id)
        return changed(made["case"])

    return await once.change(ask, work)


@cases.get("/disputes", may=EVERYONE, query=DisputesQuery, gives={200: "Disputes"})
async def list_disputes(ask: Ask) -> Answer:
    """List disputes, newest first."""
    wanted: DisputesQuery = ask.query

    def rows(tx: Tx, before: str | None) -> list[Stored]:
        return payments.dispute_page(
            tx, state=wanted.state, before=before, limit=wanted.limit + 1
        )  # fmt: skip

    return await paging.listed(ask, rows, lambda _, row: dispute_snapshot(row))


@cases.get("/disputes/{id}", may=EVERYONE, gives={200: Dispute}, conditional=True)
async def get_dispute(ask: Ask) -> Answer:
    """Give a dispute."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "dispute", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such dispute")
        return Answer(body=dispute_snapshot(row), version=row.version)

    return await ask.api.store.look(work)
