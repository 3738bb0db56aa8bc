"""Connectors whose webhooks have stopped coming: told once, and their events pulled.

Time in which this node did not run says nothing, and neither do the first two weeks.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from hub import alerts, log
from hub.clock import Clock
from hub.config import Config
from hub.config.settings import Silence
from hub.rhythm import KEPT
from store import arrivals, cursors
from store.arrivals import Ended
from store.cursors import Source
from store.store import Store
from store.tx import Tx

MINUTE = timedelta(minutes=1)


class Silences:
    """Watches the connectors of a hub that take webhooks.

    Args:
        began: When this node began to listen.
    """

    def __init__(self, store: Store, config: Config, clock: Clock, *, began: datetime) -> None:
        self.store, self.config, self.clock, self.began = store, config, clock, began
        self.log = log.get("silences")

    def listened(self) -> Mapping[str, Silence]:
        """Name the connectors whose silence is told, with its terms."""
        found = {name: one.silence for name, one in self.config.connectors.items() if one.secrets}
        return {name: terms for name, terms in found.items() if terms.times}

    async def once(self) -> list[str]:
        """Tell of those that have fallen silent; give who they are."""
        fallen = []
        for name, terms in self.listened().items():
            since = await self.store.look(partial(self._silent, name=name, terms=terms))
            if since is not None and await self._fell(name, since):
                fallen.append(name)
        return fallen

    async def forget(self) -> None:
        """Let go of what says nothing about the present any more."""
        before = self.clock.now() - KEPT
        await self.store.write(lambda tx: arrivals.forget(tx, before))

    # -- inside ------------------------------------------------------------------------------------
    def _silent(self, tx: Tx, *, name: str, terms: Silence) -> datetime | None:
        """Give since when a connector is silent; None where it is as quiet as usual."""
        last = arrivals.last(tx, name)
        now = self.clock.now()
        if last is None or arrivals.silent(tx, name):
            return None
        since = max(last + MINUTE, self.began)
        if now - since < terms.at_least:
            return None
        rhythm = arrivals.rhythm(tx, name, now - KEPT)
        return last if rhythm.gaps(since, now) >= terms.times else None

    async def _fell(self, name: str, since: datetime) -> bool:
        def fall(tx: Tx) -> bool:
            fresh = arrivals.fall_silent(tx, name, since)
            if fresh:
                cursors.hasten(tx, Source(name))
            return fresh

        if not await self.store.write(fall):
            return False
        alerts.tell(
            "webhook.silent",
            about=name,
            text=f"no webhook of {name} has come for {_long(self.clock.now() - since)}, "
            "many times its usual gap",
            fix=self._fix(name),
        )
        return True

    def _fix(self, name: str) -> str:
        made = self.config.connectors[name]
        if made.reconcile.every is not None:
            return f"its events are pulled now; hub webhooks watch {name}: what was refused"
        pull = f"; hub pull {name}" if "events" in made.cls.sources() else ""
        return f"look at the provider's webhook settings; hub webhooks watch {name}{pull}"


def heard_again(over: Iterable[Ended], now: datetime) -> None:
    """Tell that silences are over."""
    for one in over:
        alerts.tell(
            "webhook.silent",
            about=one.connector,
            text=f"webhooks of {one.connector} come again, after {_long(now - one.since)}",
        )


def _long(time: timedelta) -> str:
    """Write a time in whole minutes.

    >>> _long(timedelta(hours=26, minutes=5, seconds=7))
    '1 day, 2:05'
    """
    return str(timedelta(minutes=time // MINUTE)).removesuffix(":00")
