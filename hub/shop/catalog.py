"""Products with their variants, prices and first stock."""

from typing import Literal

from pydantic import Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.catalog_snapshots import product_snapshot
from hub.shop.events import Cause, tell
from hub.shop.inputs import Count, Input, Metadata, Price, Word
from hub.shop.rules import ShopRules, invalid
from store import aggregates, catalog, stock
from store.tx import Tx


class NewVariant(Input):
    """One thing that can be bought; `on_hand` lies at the default location."""

    sku: Word
    title: Word | None = None
    prices: tuple[Price, ...] = Field(default=(), max_length=50)
    on_hand: Count = 0
    backorder_limit: Count = 0
    track_inventory: bool = True


class NewProduct(Input):
    """A product to be made."""

    title: Word
    status: Literal["draft", "active", "archived"] = "active"
    variants: tuple[NewVariant, ...] = Field(default=(), max_length=100)
    external_ref: Word | None = None
    metadata: Metadata = Field(default_factory=dict)


def create_product(tx: Tx, item: NewProduct, rules: ShopRules) -> dict[str, Json]:
    """Make a product; its stock begins with one movement per variant.

    Raises:
        Refused: sku_taken, external_ref_exists, currency_mismatch, validation_error.
    """
    row = aggregates.add_new(
        tx,
        "product",
        id=new_id("prd", tx.now),
        title=item.title,
        status=item.status,
        external_ref=item.external_ref,
        metadata=item.metadata,
    )
    if row is None:
        taken = catalog.product_by_external_ref(tx, str(item.external_ref))
        raise Refused("external_ref_exists", "a product has this external_ref", product=taken)
    for position, variant in enumerate(item.variants):
        _add_variant(tx, row.id, position, variant, rules)
    snapshot = product_snapshot(tx, row)
    tell(tx, "shop.product.created", snapshot, Cause())
    return {"product": snapshot}


def _add_variant(
    tx: Tx, product: str, position: int, item: NewVariant, rules: ShopRules
) -> None:  # fmt: skip
    where = f"/variants/{position}"
    _check_prices(item, where, rules)
    ident = new_id("var", tx.now)
    made = catalog.add_variant(
        tx,
        id=ident,
        product_id=product,
        position=position,
        sku=item.sku,
        title=item.title,
        track_inventory=int(item.track_inventory),
    )
    if not made:
        errors = [{"pointer": f"{where}/sku", "code": "sku_taken", "detail": item.sku}]
        raise Refused("sku_taken", f"{where}/sku: {item.sku} is taken", errors=errors)
    for price in item.prices:
        catalog.add_price(tx, ident, currency=price.currency, amount=price.amount)
    if item.track_inventory:
        stock.begin(tx, ident, on_hand=item.on_hand, backorder_limit=item.backorder_limit)


def _check_prices(item: NewVariant, where: str, rules: ShopRules) -> None:
    seen: set[str] = set()
    for number, price in enumerate(item.prices):
        pointer = f"{where}/prices/{number}/currency"
        rules.check_currency(price.currency, pointer)
        if price.currency in seen:
            raise invalid(pointer, f"a second price in {price.currency}")
        seen.add(price.currency)
    if item.on_hand and not item.track_inventory:
        raise invalid(f"{where}/on_hand", "this variant's stock is not counted")
