"""/v1/promotions: codes that take something off."""

from typing import Annotated

from pydantic import Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query, made_now
from hub.shop.promotions import NewPromotion, create_promotion, promotion_view
from store import promotions as kept
from store.aggregates import Stored
from store.tx import Tx

promotions = Endpoints()


class PromotionsQuery(Query):
    """Page by page."""

    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@promotions.post(
    "/promotions",
    may=SHOP,
    takes=NewPromotion,
    gives={201: "Promotion"},
    refuses=("code_invalid", "currency_mismatch"),
)
async def post_promotion(ask: Ask) -> Answer:
    """Make a promotion."""

    def work(tx: Tx) -> Answer:
        made = create_promotion(tx, ask.item, ask.api.rules)["promotion"]
        return made_now("promotions", made)

    return await once.change(ask, work)


@promotions.get("/promotions", may=EVERYONE, query=PromotionsQuery, gives={200: "Promotions"})
async def list_promotions(ask: Ask) -> Answer:
    """List promotions, oldest first, with how often each was used."""
    limit = ask.query.limit + 1

    def rows(tx: Tx, after: str | None) -> list[Stored]:
        return kept.page(tx, after=after or "", limit=limit)

    return await paging.listed(ask, rows, lambda _, row: promotion_view(row))
