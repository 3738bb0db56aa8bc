"""The tables of money: payments, their facts, refunds, and the cases only a person can settle.

Rows of `payment_facts` are only ever added; `handoff` is sealed.
"""

from sqlalchemy import Column, Index, UniqueConstraint, text

from store.schema import Int, at, data, number, table, word
from store.shop_columns import aggregate, json, sums

OPEN = "state IN ('created', 'requires_action', 'processing')"

# `source` says who made it known: hub (we asked for it), shop (it told us), provider (a fact did).
payments = table(
    "payments",
    word("id", primary_key=True),
    word("order_id", null=True),
    word("connector"),
    word("source"),
    word("method", null=True),
    word("provider_ref", null=True),
    number("amount", null=True),
    word("currency", null=True),
    word("capture", server_default="automatic"),
    number("counts", server_default="1"),
    word("state"),
    *sums(),
    word("job", null=True, unique=True),
    word("error", null=True),
    word("claimed_order", null=True),
    word("merged_into", null=True),
    data("handoff", null=True),
    at("asked_at", null=True),  # when its provider was last asked what became of it
    *aggregate(),
    UniqueConstraint("connector", "provider_ref"),
    Index("payments_order", "order_id"),
    Index("payments_unmatched", "created_at", sqlite_where=text("order_id IS NULL"),
          postgresql_where=text("order_id IS NULL")),
    Index("payments_open", "created_at", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
)  # fmt: skip

# Every id by which a provider knows a payment: its session and its intent lead to one row.
payment_refs = table(
    "payment_refs",
    word("connector", primary_key=True),
    word("provider_ref", primary_key=True),
    word("payment_id"),
    Index("payment_refs_of", "payment_id"),
)

# `stated` facts are the shop's own word for what its backend took; see hub.shop.ledger.
payment_facts = table(
    "payment_facts",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("payment_id"),
    word("connector"),
    word("fact"),
    word("provider_ref"),
    number("stated", server_default="0"),
    number("amount", null=True),
    word("currency", null=True),
    word("code", null=True),
    word("event_id", null=True),
    at("occurred_at"),
    at("recorded_at"),
    UniqueConstraint("payment_id", "fact", "provider_ref", "stated"),
    Index("facts_by_ref", "connector", "provider_ref"),
    counted=True,
)

refunds = table(
    "refunds",
    word("id", primary_key=True),
    word("payment_id"),
    word("order_id", null=True),
    number("amount"),
    word("currency"),
    word("reason", null=True),
    word("source"),
    word("state"),
    word("provider_ref", null=True),
    word("job", null=True, unique=True),
    word("error", null=True),
    json("lines", null=True),
    number("restock", server_default="0"),
    *aggregate(),
    UniqueConstraint("payment_id", "provider_ref"),
    Index("refunds_order", "order_id"),
)

disputes = table(
    "disputes",
    word("id", primary_key=True),
    word("payment_id"),
    word("order_id", null=True),
    word("connector"),
    word("provider_ref"),
    number("amount", null=True),
    word("currency", null=True),
    word("reason", null=True),
    word("state"),  # the provider's word
    number("open", server_default="1"),
    at("evidence_due_by", null=True),
    *aggregate(),
    UniqueConstraint("connector", "provider_ref"),
    Index("disputes_payment", "payment_id"),
)

cases = table(
    "cases",
    word("id", primary_key=True),
    word("kind"),
    word("subject"),
    word("order_id", null=True),
    word("state"),
    json("evidence"),
    word("resolution", null=True),
    word("resolved_by", null=True),
    at("resolved_at", null=True),
    number("accepted", server_default="0"),  # what it tells of is right as it is, says a person
    word("note", null=True),
    *aggregate(),
    Index("cases_open", "kind", "subject", unique=True,
          sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index("cases_order", "order_id"),
    Index("cases_subject", "subject", "kind"),
)  # fmt: skip
