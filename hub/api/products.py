"""/v1/products: the catalogue."""

from hub.api import once
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, made_now
from hub.errors import Refused
from hub.shop.catalog import NewProduct, create_product
from hub.shop.catalog_shapes import Product
from hub.shop.catalog_snapshots import product_snapshot
from store import aggregates
from store.tx import Tx

KEPT = 10  # seconds: stock moves
products = Endpoints()


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


@products.get("/products/{id}", may=EVERYONE, gives={200: Product}, conditional=True, kept_for=KEPT)
async def get_product(ask: Ask) -> Answer:
    """Give a product with its prices and what can be sold now."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "product", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such product")
        return Answer(body=product_snapshot(tx, row), version=row.version)

    return await ask.api.store.look(work)
