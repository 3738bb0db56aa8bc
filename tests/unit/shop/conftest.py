"""A shop on a real SQLite file: every change is a transaction, as the writer makes it."""

import shutil
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, select, text

from hub import ManualClock, Secret, read_json
from hub.effects import Effect, keyed
from hub.shop.backend import Shop
from hub.shop.capturing import RequestPayment, request_payment
from hub.shop.resolving import Resolution, resolve_case
from hub.shop.rules import ShopRules
from hub.shop.verify import drifted_fulfilments, drifted_orders, drifted_payments
from hub.shop.vocabulary import SCHEMAS, SHOP_EVENTS
from store import engine, schema
from store.crypto import Cipher, new_key
from store.shop_checks import CHECKS
from store.tx import Tx

DAY = timedelta(hours=24)
PAYS = {
    "create_payment": keyed(DAY),
    "create_checkout": keyed(DAY),
    "capture_payment": keyed(DAY),
    "cancel_payment": keyed(DAY),
    "refund": keyed(DAY),
    "retrieve_payment": Effect("read"),
}
RULES = ShopRules(currencies=("EUR", "USD"), payment_connectors={"stripe": PAYS, "paypal": PAYS})


COMPILED = {}


class Desk:
    """The shop's counter: does actions, keeps the clock, and tells what came of it."""

    def __init__(self, path) -> None:
        self.clock = ManualClock(datetime.fromisoformat("2026-03-01T12:00:00+00:00"))
        self.cipher = Cipher([Secret(new_key(), "test")])
        opened = engine.writing(engine.parse(f"sqlite:///{path}"))
        self.engine = opened.execution_options(compiled_cache=COMPILED)
        self.connection = self.engine.connect()
        self.shop = Shop(RULES)

    def change(self, work):
        """Run `work` in a savepoint of a transaction, as the writer does."""
        connection, now = self.connection, self.clock.now()
        with connection.begin():
            tx = Tx(connection, now=now, cipher=self.cipher, route=lambda *_: ())
            with connection.begin_nested():
                return work(tx)

    def do(self, name, **fields):
        """Do an action of the shop with JSON-like input."""
        action = self.shop.actions[name]
        item = action.model.model_validate(fields)
        return self.change(lambda tx: action.work(tx, item))

    def fact(self, fact, payment="pi_1", *, at=0, connector="stripe", **more):
        """Record a fact that happened `at` seconds after midnight."""
        when = datetime.fromisoformat("2026-03-01T00:00:00+00:00") + timedelta(seconds=at)
        more = {"ref": payment} | more
        return self.do(
            "record_payment", connector=connector, fact=fact, payment=payment,
            occurred_at=when.isoformat(), **more,
        )  # fmt: skip

    # -- what came of it ---------------------------------------------------------------------------
    def rows(self, name, **where):
        """Read a table, oldest first."""
        table = schema.metadata.tables[name]
        query = select(table)
        for column, value in where.items():
            query = query.where(table.c[column] == value)
        with self.connection.begin():
            return list(self.connection.execute(query.order_by(text("rowid"))))

    def row(self, name, **where):
        """Read the only row there is."""
        (found,) = self.rows(name, **where)
        return found

    def events(self, start="shop."):
        """Give the names of events told, in order, without `shop.`."""
        return [
            r.type.removeprefix("shop.") for r in self.rows("events") if r.type.startswith(start)
        ]

    def told(self, name):
        """Give the events of one name with their data opened."""
        return [
            SimpleNamespace(
                **dict(row._mapping)
                | {"data": read_json(self.cipher.open(row.data, f"events.data:{row.id}"))}
            )
            for row in self.rows("events", type=f"shop.{name}")
        ]

    def jobs(self, action):
        """Give the payloads of an action's jobs, with their rows."""
        return [
            (row, read_json(self.cipher.open(row.payload, f"jobs.payload:{row.uid}")))
            for row in self.rows("jobs", action=action)
        ]

    def state(self):
        """Give what the facts came to, without ids, times and versions: for comparing two shops."""
        orders = [
            (o.lifecycle, o.payment_status, tuple(o.hold_reasons), o.authorized, o.captured,
             o.refunded, o.charged_back, o.paid_at is not None)
            for o in self.rows("orders")
        ]  # fmt: skip
        payments = [
            (p.state, p.counts, p.authorized, p.captured, p.refunded, p.provider_ref)
            for p in self.rows("payments")
            if p.merged_into is None
        ]
        refunds = sorted(
            (r.state, r.amount, r.source, r.provider_ref) for r in self.rows("refunds")
        )
        cases = sorted((c.kind, c.state) for c in self.rows("cases"))
        return {"orders": orders, "payments": payments, "refunds": refunds, "cases": cases}

    def verify(self):
        """Check every stored invariant, and that each event is what its schema says."""
        with self.connection.begin():
            found = {name: list(self.connection.execute(text(query))) for name, query in CHECKS}
        broken = {name: rows for name, rows in found.items() if rows}
        assert broken == {}
        assert (
            self.change(
                lambda tx: [*drifted_orders(tx), *drifted_payments(tx), *drifted_fulfilments(tx)]
            )
            == []
        )
        for row in self.rows("events"):
            if row.data is None:  # of somebody who was forgotten
                continue
            data = read_json(self.cipher.open(row.data, f"events.data:{row.id}"))
            assert row.schema == SHOP_EVENTS[row.type]
            kind = row.schema.split("@")[0].split(".")[-1]
            SCHEMAS[row.schema].model_validate(data[kind])
            assert (data[kind]["id"], data[kind]["version"]) == (
                row.aggregate_id,
                row.aggregate_version,
            )

    # -- what most tests begin with ----------------------------------------------------------------
    def product(self, sku="MUG", amount=1250, on_hand=10, **more):
        """Sell something."""
        price = {"amount": amount, "currency": "EUR"}
        variant = {"sku": sku, "prices": [price], "on_hand": on_hand, **more}
        return self.do("create_product", title=sku.title(), variants=[variant])["product"]

    def cart(self, *lines, email="Ada@Example.com ", **more):
        """Open a cart of (sku, qty)."""
        lines = [{"variant": sku, "qty": qty} for sku, qty in lines or [("MUG", 2)]]
        return self.do("create_cart", currency="EUR", email=email, lines=lines, **more)["cart"]

    def complete(self, cart, **payment):
        """Complete a cart at its own total; with no payment named by an intent at Stripe."""
        wish = payment or {"connector": "stripe"}
        total = cart["totals"]["total"]
        return self.do("complete_cart", cart=cart["id"], expected_total=total, payment=wish)

    def resolve(self, case, resolution, **more):
        """Let Ada resolve a case."""
        item = Resolution.model_validate({"resolution": resolution, **more})
        return self.change(lambda tx: resolve_case(tx, case, item, self.shop.rules, "ada"))["case"]

    def request(self, order, **more):
        """Ask for an order's money once more."""
        item = RequestPayment.model_validate({"order": order, **more})
        return self.change(lambda tx: request_payment(tx, item, self.shop.rules))["payment"]

    def ship(self, order, **more):
        """Send all that is open, or the lines named; give the fulfilment's id."""
        made = self.do("create_fulfilment", order=order, **more)["fulfilment"]
        self.do("move_fulfilment", fulfilment=made["id"], step="ship")
        return made["id"]

    def ordered(self):
        """Order two mugs for 25.00 and give the order's id; Stripe calls the payment pi_1."""
        self.product()
        made = self.complete(self.cart())
        self.do(
            "attach_payment", payment=made["payment"]["id"], connector="stripe", ref="pi_1",
            handoff={"client_secret": "pi_1_secret"},
        )  # fmt: skip
        return made["order"]["id"]


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A database with the tables and nothing in them."""
    path = tmp_path_factory.mktemp("shop") / "empty.db"
    made = create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(made)
    made.dispose()
    return path


@pytest.fixture
def new_desk(empty, tmp_path):
    """Open shops nobody has sold in; in the end all of them must hold together."""
    desks = []

    def open_one():
        path = tmp_path / f"{len(desks)}.db"
        shutil.copy(empty, path)
        desks.append(Desk(path))
        return desks[-1]

    yield open_one
    for desk in desks:
        desk.verify()
        desk.connection.close()
        desk.engine.dispose()


@pytest.fixture
def desk(new_desk):
    """A shop nobody has sold in."""
    return new_desk()
