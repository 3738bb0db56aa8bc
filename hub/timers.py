"""What the shop does by the clock: unpaid orders expire, old ones close, quiet carts end."""

from collections.abc import Callable, Mapping
from typing import Any

from hub import log
from hub.shop import carts, ending
from hub.shop.backend import Shop
from store.store import Store
from store.tx import Tx


class Timers:
    """The shop's timers: each thing that is due is a change of its own.

    Nodes may look at once: what one has done is no longer due for the other.
    """

    def __init__(self, store: Store, shop: Shop) -> None:
        self.store, self.shop = store, shop
        self.log = log.get("timers")

    async def once(self) -> Mapping[str, int]:
        """Do all that is due; give how much of each."""
        rules = self.shop.rules
        return {
            "expire_order": await self._each("expire_order", "order", ending.due),
            "close_order": await self._each(
                "close_order", "order", lambda tx: ending.over(tx, rules)
            ),
            "end_cart": await self._each("end_cart", "cart", lambda tx: carts.quiet(tx, rules)),
        }

    async def _each(self, name: str, field: str, find: Callable[[Tx], list[str]]) -> int:
        action, done = self.shop.actions[name], 0
        for ident in await self.store.look(find):
            item: Any = action.model.model_validate({field: ident})
            try:
                await self.store.change(action.work, item)
            except Exception:  # the others are due as well
                self.log.exception("timer failed", timer=name, about=ident)
            else:
                done += 1
        return done
