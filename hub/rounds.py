"""What a hub does by itself on what runs now, and how often: pull, sync, manage, tidy, tell."""

from collections.abc import Awaitable, Callable

from hub import log
from hub.admission import LOOK, Admission
from hub.clock import Clock
from hub.deliveries import REVIEW
from hub.duties import Duties
from hub.fitted import Fitted
from hub.money import MoneyMatch
from hub.pull import EVERY as PULLING
from hub.silences import Silences, heard_again
from hub.syncing import EVERY as SYNCING
from hub.timers import Timers
from store import endpoint_secrets, holds, idempotency, restored
from store.forgetting import erase_again
from store.retention import Retention, Terms
from store.standing import oldest_due
from store.store import Store

MINUTE, HOURLY, NOTING = 60.0, 3600.0, 10.0


class Rounds:
    """The rounds of one hub.

    Args:
        running: Gives what is in force; each round asks anew.
    """

    def __init__(
        self, store: Store, running: Callable[[], Fitted], clock: Clock, admission: Admission
    ) -> None:
        self.store, self.running, self.clock = store, running, clock
        self.admission = admission
        self.began = clock.now()
        self.log = log.get("hub")

    def begin(self, duties: Duties) -> None:
        """Have all of them made, each as often as it is due."""
        duties.every(NOTING, self.note_secrets)
        duties.every(LOOK, self.look)
        duties.every(PULLING, self._once_resumed(self._pull))
        duties.every(SYNCING, self._once_resumed(self._sync))
        duties.every(PULLING, self._once_resumed(self._manage))
        duties.every(MINUTE, self._once_resumed(self._by_the_clock))
        duties.every(MINUTE, self._listen)
        duties.every(MINUTE, self.end_pauses)
        duties.every(REVIEW, self._review)
        duties.every(HOURLY, lambda: self.store.write(idempotency.forget))
        duties.every(HOURLY, self._once_resumed(self._match_money))
        duties.every(HOURLY, self._keep_to_terms)
        duties.every(HOURLY, self._forget_arrivals)

    async def look(self) -> None:
        """See how far delivery is behind, where that bounds what is let in."""
        bounded = self.running().config.service.limits.backlog_age is not None
        due = await self.store.look(oldest_due) if bounded else None
        self.admission.look((self.clock.now() - due).total_seconds() if due else 0.0)

    def _once_resumed(self, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """Have work done, but not in a restored store before a person lets calls go out again."""

        async def unless_held() -> None:
            if await self.store.look(restored.pending) is None:
                await work()

        return unless_held

    # -- webhooks ----------------------------------------------------------------------------------
    async def note_secrets(self) -> None:
        """Note which secrets were seen, and take up those that were made."""
        over = await self.running().receiver.note_secrets()
        heard_again(over, self.clock.now())
        await self.hold_secrets()

    async def hold_secrets(self) -> None:
        """Take up the secrets of endpoints that this node or another has made."""
        held = await self.store.look(endpoint_secrets.held)
        of_each = {name: [secret for _, secret in those] for name, those in held.items()}
        self.running().receiver.hold(of_each)

    async def _manage(self) -> None:
        await self.running().managing.once()
        await self.hold_secrets()

    async def _listen(self) -> None:
        await self._silences().once()

    async def _forget_arrivals(self) -> None:
        await self._silences().forget()

    def _silences(self) -> Silences:
        return Silences(self.store, self.running().config, self.clock, began=self.began)

    async def _review(self) -> None:
        await self.running().deliveries.review()

    # -- routes ------------------------------------------------------------------------------------
    async def end_pauses(self) -> None:
        """Let the jobs go whose route is no longer paused."""
        over = await self.store.write(lambda tx: holds.unpause(tx, self._open_routes()))
        for route, count in over.items():
            self.log.info("route goes on", route=route, count=count)

    def _open_routes(self) -> set[str]:
        return set(self.running().router.open_routes())

    # -- what was not said, and what is due --------------------------------------------------------
    async def _pull(self) -> None:
        await self.running().puller.once()

    async def _sync(self) -> None:
        await self.running().syncer.once()

    async def _match_money(self) -> None:
        now = self.running()
        followed = {name: now.accounts[name] for name in now.puller.follows}
        action = now.shop.actions["match_money"]
        await MoneyMatch(self.store, followed, action, clock=self.clock).once()

    async def _by_the_clock(self) -> None:
        await Timers(self.store, self.running().shop).once()

    async def _keep_to_terms(self) -> None:
        """Let go what `store.retention` keeps no longer."""
        terms = Terms(**dict(self.running().config.store.retention))
        await erase_again(self.store, now=self.clock.now(), within=terms.payloads)
        gone = await Retention(self.store, terms, self.clock).once()
        self.log.info("retention ran", **{k.replace(" ", "_"): n for k, n in gone.items()})
