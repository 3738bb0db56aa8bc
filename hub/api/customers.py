"""/v1/customers: who buys; exported and forgotten where they ask for it."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query, changed, made_now
from hub.errors import Refused
from hub.shop.catalog_shapes import Customer
from hub.shop.catalog_snapshots import customer_snapshot
from hub.shop.inputs import Nothing
from hub.shop.people import (
    CustomerChange,
    NewCustomer,
    anonymise,
    change_customer,
    create_customer,
    export,
)
from store import aggregates
from store import customers as kept
from store.aggregates import Stored
from store.tx import Tx

customers = Endpoints()
Email = Annotated[
    str,
    BeforeValidator(lambda v: v.strip().lower() if isinstance(v, str) else v),
    Field(min_length=1, max_length=255),
]


class CustomersQuery(Query):
    """By address, or page by page of all."""

    email: Email | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@customers.post(
    "/customers",
    may=SHOP,
    takes=NewCustomer,
    gives={201: Customer},
    refuses=("email_taken", "external_ref_exists"),
)
async def post_customer(ask: Ask) -> Answer:
    """Make a customer."""

    def work(tx: Tx) -> Answer:
        return made_now("customers", create_customer(tx, ask.item)["customer"])

    return await once.change(ask, work)


@customers.get("/customers", may=EVERYONE, query=CustomersQuery, gives={200: "Customers"})
async def list_customers(ask: Ask) -> Answer:
    """List customers, oldest first."""
    wanted: CustomersQuery = ask.query

    def rows(tx: Tx, after: str | None) -> list[Stored]:
        return kept.page(tx, email=wanted.email, after=after or "", limit=wanted.limit + 1)

    return await paging.listed(ask, rows, lambda _, row: customer_snapshot(row))


@customers.get("/customers/{id}", may=EVERYONE, gives={200: Customer}, conditional=True)
async def get_customer(ask: Ask) -> Answer:
    """Give a customer."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "customer", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such customer")
        return Answer(body=customer_snapshot(row), version=row.version)

    return await ask.api.store.look(work)


@customers.patch(
    "/customers/{id}",
    may=SHOP,
    takes=CustomerChange,
    gives={200: Customer},
    refuses=("email_taken", "invalid_transition"),
)
async def patch_customer(ask: Ask) -> Answer:
    """Change a customer, or write down what they say about news from the shop."""

    def work(tx: Tx) -> Answer:
        return changed(change_customer(tx, ask.part("id"), ask.item, ask.match)["customer"])

    return await once.change(ask, work)


@customers.post("/customers/{id}/anonymise", may=SHOP, takes=Nothing, gives={200: Customer})
async def forget_customer(ask: Ask) -> Answer:
    """Forget a person: their orders stay as sums, and nothing says whose they were."""

    def work(tx: Tx) -> Answer:
        return changed(anonymise(tx, ask.part("id"))["customer"])

    return await once.change(ask, work)


@customers.get("/customers/{id}/export", may=SHOP, gives={200: "Export"})
async def export_customer(ask: Ask) -> Answer:
    """Give all that the shop keeps about a person."""
    rules = ask.api.rules
    return Answer(body=await ask.api.store.look(lambda tx: export(tx, ask.part("id"), rules)))
