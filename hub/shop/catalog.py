"""Products with their variants, prices and first stock; made, changed, archived."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.catalog_snapshots import product_snapshot, variant_snapshot
from hub.shop.events import Cause, tell
from hub.shop.inputs import Count, Input, Metadata, Price, Word
from hub.shop.rules import ShopRules, invalid
from hub.shop.versions import ANY, Match
from store import aggregates, catalog, stock
from store.aggregates import Stored
from store.tx import Tx

Status = Literal["draft", "active", "archived"]
Grams = Annotated[int, Field(ge=0, le=1_000_000_000)]


class NewPrice(Price):
    """A price, by itself or from one time to another; `list_amount` is what it is measured by."""

    list_amount: Count | None = None
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None


class NewVariant(Input):
    """One thing that can be bought; `on_hand` lies at the default location."""

    sku: Word
    title: Word | None = None
    prices: tuple[NewPrice, ...] = Field(default=(), max_length=50)
    tax_class: Word = "standard"
    weight: Grams | None = None
    on_hand: Count = 0
    backorder_limit: Count = 0
    track_inventory: bool = True
    metadata: Metadata = Field(default_factory=dict)


class NewProduct(Input):
    """A product to be made."""

    title: Word
    status: Status = "active"
    variants: tuple[NewVariant, ...] = Field(default=(), max_length=100)
    external_ref: Word | None = None
    metadata: Metadata = Field(default_factory=dict)


class AddVariant(NewVariant):
    """A variant of a product that there is."""

    product: Word


class ProductChange(Input):
    """What of a product changes; what is not named stays."""

    title: Word | None = None
    status: Status | None = None
    metadata: Metadata | None = None


class VariantChange(Input):
    """What of a variant changes; what is not named stays."""

    sku: Word | None = None
    title: Word | None = None
    status: Literal["active", "archived"] | None = None
    tax_class: Word | None = None
    weight: Grams | None = None
    metadata: Metadata | None = None


class Prices(Input):
    """All prices of a variant."""

    prices: tuple[NewPrice, ...] = Field(max_length=50)


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
        _add_variant(tx, row.id, position, variant, f"/variants/{position}", rules)
    return _told(tx, row, "created")


def change_product(
    tx: Tx, ident: str, item: ProductChange, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Change a product.

    Raises:
        Refused: not_found, version_conflict.
    """
    row = _lock(tx, "product", ident, match)
    given = item.model_dump(exclude_none=True)
    row = aggregates.change(tx, "product", row.id, **given)
    return _told(tx, row, "archived" if given.get("status") == "archived" else "updated")


def archive_product(tx: Tx, ident: str, match: Match = ANY) -> dict[str, Json]:
    """Sell a product no more; orders keep what they were made with.

    Raises:
        Refused: not_found, version_conflict.
    """
    row = _lock(tx, "product", ident, match)
    return _told(tx, aggregates.change(tx, "product", row.id, status="archived"), "archived")


def add_variant(tx: Tx, item: AddVariant, rules: ShopRules) -> dict[str, Json]:
    """Add a variant to a product.

    Raises:
        Refused: validation_error (no such product), sku_taken, currency_mismatch.
    """
    product = aggregates.lock(tx, "product", item.product)
    if product is None:
        raise invalid("/product", f"no product {item.product}")
    position = len(catalog.variants_of(tx, product.id))
    ident = _add_variant(tx, product.id, position, item, "", rules)
    _told(tx, aggregates.change(tx, "product", product.id), "updated")
    return _variant(tx, ident)


def change_variant(
    tx: Tx, ident: str, item: VariantChange, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Change a variant; its product tells of it.

    Raises:
        Refused: not_found, version_conflict, sku_taken.
    """
    row = _lock(tx, "variant", ident, match)
    if item.sku is not None:
        other = catalog.variant_by_sku(tx, item.sku)
        if other is not None and other.id != row.id:
            raise _sku_taken("", item.sku)
    aggregates.change(tx, "variant", row.id, **item.model_dump(exclude_none=True))
    _told(tx, aggregates.change(tx, "product", row.product_id), "updated")
    return _variant(tx, row.id)


def set_prices(
    tx: Tx, ident: str, item: Prices, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Put these prices in place of all that a variant had.

    Raises:
        Refused: not_found, version_conflict, currency_mismatch, validation_error.
    """
    row = _lock(tx, "variant", ident, match)
    _check_prices(item.prices, "", rules)
    catalog.set_prices(tx, row.id, _columns(item.prices))
    row = aggregates.change(tx, "variant", row.id)
    snapshot = variant_snapshot(tx, row)
    tell(tx, "shop.variant.price_changed", snapshot, Cause())
    return _variant(tx, row.id)


def _add_variant(
    tx: Tx, product: str, position: int, item: NewVariant, where: str, rules: ShopRules
) -> str:  # fmt: skip
    _check_prices(item.prices, where, rules)
    if item.on_hand and not item.track_inventory:
        raise invalid(f"{where}/on_hand", "this variant's stock is not counted")
    row = aggregates.add_new(
        tx,
        "variant",
        id=new_id("var", tx.now),
        product_id=product,
        position=position,
        sku=item.sku,
        title=item.title,
        tax_class=item.tax_class,
        weight=item.weight,
        track_inventory=int(item.track_inventory),
        metadata=item.metadata,
    )
    if row is None:
        raise _sku_taken(where, item.sku)
    catalog.set_prices(tx, row.id, _columns(item.prices))
    if item.track_inventory:
        stock.begin(tx, row.id, on_hand=item.on_hand, backorder_limit=item.backorder_limit)
    return str(row.id)


def _sku_taken(where: str, sku: str) -> Refused:
    errors = [{"pointer": f"{where}/sku", "code": "sku_taken", "detail": sku}]
    return Refused("sku_taken", f"{where}/sku: {sku} is taken", errors=errors)


def _check_prices(prices: Sequence[NewPrice], where: str, rules: ShopRules) -> None:
    seen: set[tuple[str, Any]] = set()
    for number, price in enumerate(prices):
        pointer = f"{where}/prices/{number}"
        rules.check_currency(price.currency, f"{pointer}/currency")
        if (price.currency, price.valid_from) in seen:
            raise invalid(f"{pointer}/currency", f"a second price in {price.currency}")
        seen.add((price.currency, price.valid_from))
        ends = price.valid_to
        if ends is not None and (price.valid_from is None or ends <= price.valid_from):
            raise invalid(f"{pointer}/valid_to", "needs a valid_from before it")


def _columns(prices: Sequence[NewPrice]) -> list[dict[str, Any]]:
    return [price.model_dump() for price in prices]


def _lock(tx: Tx, kind: str, ident: str, match: Match) -> Stored:
    row = aggregates.lock(tx, kind, ident)
    if row is None:
        raise Refused("not_found", f"there is no such {kind}")
    match.check(row)
    return row


def _variant(tx: Tx, ident: str) -> dict[str, Json]:
    row = aggregates.get(tx, "variant", ident)
    return {"variant": variant_snapshot(tx, row)} if row is not None else {}


def _told(tx: Tx, row: Stored, word: str) -> dict[str, Json]:
    snapshot = product_snapshot(tx, row)
    tell(tx, f"shop.product.{word}", snapshot, Cause())
    return {"product": snapshot}
