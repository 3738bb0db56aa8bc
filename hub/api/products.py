"""/v1/products, /v1/variants: the catalogue."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query, changed, made_now
from hub.errors import Refused
from hub.model import Json
from hub.shop.catalog import (
    AddVariant,
    NewProduct,
    Prices,
    ProductChange,
    VariantChange,
    add_variant,
    archive_product,
    change_product,
    change_variant,
    create_product,
    set_prices,
)
from hub.shop.catalog_shapes import Product, Variant
from hub.shop.catalog_snapshots import product_snapshot, variant_snapshot
from hub.shop.inputs import Nothing
from store import aggregates, catalog
from store.aggregates import Stored
from store.tx import Tx

KEPT = 10
products = Endpoints()


class ProductsQuery(Query):
    """Filters of the product list."""

    status: Literal["draft", "active", "archived"] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


class VariantsQuery(Query):
    """Filters of the variant list."""

    sku: Annotated[str, Field(max_length=255)] | None = None
    product: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@products.post(
    "/products",
    may=SHOP,
    takes=NewProduct,
    gives={201: Product},
    refuses=("sku_taken", "external_ref_exists", "currency_mismatch"),
)
async def add_product(ask: Ask) -> Answer:
    """Make a product with its variants, prices and first stock."""

    def work(tx: Tx) -> Answer:
        made = create_product(tx, ask.item, ask.api.rules)["product"]
        return made_now("products", made)

    return await once.change(ask, work)


@products.get("/products", may=EVERYONE, query=ProductsQuery, gives={200: "Products"})
async def list_products(ask: Ask) -> Answer:
    """List products, oldest first."""
    return await _list(ask, "product", product_snapshot, status=ask.query.status)


@products.get("/products/{id}", may=EVERYONE, gives={200: Product}, conditional=True, kept_for=KEPT)
async def get_product(ask: Ask) -> Answer:
    """Give a product with its prices and what can be sold now."""
    return await _one(ask, "product", product_snapshot)


@products.patch("/products/{id}", may=SHOP, takes=ProductChange, gives={200: Product})
async def patch_product(ask: Ask) -> Answer:
    """Change a product."""

    def work(tx: Tx) -> Answer:
        return changed(change_product(tx, ask.part("id"), ask.item, ask.match)["product"])

    return await once.change(ask, work)


@products.post(
    "/products/{id}/archive", may=SHOP, takes=Nothing, gives={200: Product}, matches=True
)
async def archive(ask: Ask) -> Answer:
    """Sell a product no more; orders keep what they were made with."""

    def work(tx: Tx) -> Answer:
        return changed(archive_product(tx, ask.part("id"), ask.match)["product"])

    return await once.change(ask, work)


@products.get("/variants", may=EVERYONE, query=VariantsQuery, gives={200: "Variants"})
async def list_variants(ask: Ask) -> Answer:
    """List variants, oldest first."""
    query: VariantsQuery = ask.query
    return await _list(ask, "variant", variant_snapshot, sku=query.sku, product_id=query.product)


@products.get("/variants/{id}", may=EVERYONE, gives={200: Variant})
async def get_variant(ask: Ask) -> Answer:
    """Give a variant with its prices and what can be sold now."""
    return await _one(ask, "variant", variant_snapshot)


@products.post(
    "/variants",
    may=SHOP,
    takes=AddVariant,
    gives={201: Variant},
    refuses=("sku_taken", "currency_mismatch"),
)
async def post_variant(ask: Ask) -> Answer:
    """Add a variant to a product."""

    def work(tx: Tx) -> Answer:
        return made_now("variants", add_variant(tx, ask.item, ask.api.rules)["variant"])

    return await once.change(ask, work)


@products.patch(
    "/variants/{id}", may=SHOP, takes=VariantChange, gives={200: Variant}, refuses=("sku_taken",)
)
async def patch_variant(ask: Ask) -> Answer:
    """Change a variant."""

    def work(tx: Tx) -> Answer:
        return changed(change_variant(tx, ask.part("id"), ask.item, ask.match)["variant"])

    return await once.change(ask, work)


@products.put(
    "/variants/{id}/prices",
    may=SHOP,
    takes=Prices,
    gives={200: Variant},
    refuses=("currency_mismatch",),
)
async def put_prices(ask: Ask) -> Answer:
    """Put these prices in place of all that a variant had."""

    def work(tx: Tx) -> Answer:
        made = set_prices(tx, ask.part("id"), ask.item, ask.api.rules, ask.match)
        return changed(made["variant"])

    return await once.change(ask, work)


async def _one(ask: Ask, kind: str, shown: Any) -> Answer:
    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, kind, ask.part("id"))
        if row is None:
            raise Refused("not_found", f"there is no such {kind}")
        return Answer(body=shown(tx, row), version=row.version)

    return await ask.api.store.look(work)


async def _list(ask: Ask, kind: str, shown: Any, **filters: str | None) -> Answer:
    given = {name: value for name, value in filters.items() if value is not None}

    def rows(tx: Tx, after: str | None) -> list[Stored]:
        limit = ask.query.limit + 1
        return catalog.page(tx, kind, after=after or "", limit=limit, **given)

    def show(tx: Tx, row: Stored) -> Json:
        return shown(tx, row)

    return await paging.listed(ask, rows, show)
