"""Managing webhook endpoints at providers: compared with what is needed, and mended where told to.

`plan` says what would change and changes nothing; `apply` does it. One node does so for all: at
start, on reload, and once a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hub import alerts, log
from hub.clock import Clock
from hub.config import Config
from hub.config.events import covers
from hub.errors import Ambiguous, AuthFailed, CallError, NotStored, RateLimited, Reject, Retry
from hub.ids import new_id
from hub.model import Json, rfc3339
from hub.perform import Account
from hub.subscriptions import BY_HAND, CHANGES, Step, Subscribes, Wanted, compare
from store import audit, cursors, endpoint_secrets
from store.cursors import Source
from store.store import Store
from store.tx import Tx

SOURCE = "webhooks"
LEASE = timedelta(minutes=5)
DAILY, AFTER_A_FAILURE = timedelta(days=1), timedelta(minutes=10)
REPEATABLE = timedelta(hours=23)
"""For how long a provider answers a key again with what it first answered (Stripe: 24 h)."""
APPLY = "hub webhooks apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a look at a provider found, and what was done of it.

    Args:
        steps: What is still to be done; after an apply, what was.
        left: What is left to be done.
    """

    steps: Sequence[Step]
    left: Sequence[Step] = ()


class Managing:
    """Looks after the webhook endpoints of a hub's connectors.

    Args:
        addresses: Where each connector's provider is to send its webhooks.

    Attributes:
        shown: What this node found when it last looked, by connector.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        accounts: Mapping[str, Account],
        clock: Clock,
        *,
        addresses: Mapping[str, str],
    ) -> None:
        self.store, self.config, self.accounts, self.clock = store, config, accounts, clock
        self.addresses = addresses
        self.node = new_id("node", clock.now())
        self.shown: dict[str, Json] = {}
        self.log = log.get("webhooks")

    def managed(self) -> list[str]:
        """Name the connectors that are looked after; none where nothing may be called."""
        if self.config.outbound == "hold":
            return []
        return [name for name, one in self.config.connectors.items() if one.manage != "off"]

    def wanted(self, name: str) -> Wanted:
        """Say what a connector needs: what is listed, what it needs itself, what routes hear."""
        made = self.config.connectors[name]
        heard = {on for route in self.config.routes for on in route.on}
        routed = {kind for kind in made.cls.emits for on in heard if covers(on, f"{name}.{kind}")}
        needed = made.cls.needed_events() if issubclass(made.cls, Subscribes) else ()
        return Wanted(url=self.addresses[name], events=frozenset({*made.events, *needed, *routed}))

    async def know(self) -> None:
        """Have all of them looked at soon, by some node."""
        names, now = self.managed(), self.clock.now()

        def know(tx: Tx) -> None:
            for name in names:
                cursors.know(tx, Source(name, SOURCE), cursor=None, due=now)
                cursors.hasten(tx, Source(name, SOURCE))

        if names:
            await self.store.write(know)

    async def at_hand(self, name: str, *, apply: bool, by: str) -> Result | None:
        """Look at one now, whatever `webhooks.manage` says; see `look`."""
        later = self.clock.now() + DAILY
        await self.store.write(
            lambda tx: cursors.know(tx, Source(name, SOURCE), cursor=None, due=later)
        )
        return await self.look(name, apply=apply, by=by, forced=True)

    async def once(self) -> None:
        """Look at all that are due, and do what `webhooks.manage` says."""
        for name in self.managed():
            apply = self.config.connectors[name].manage == "apply"
            try:
                found = await self.look(name, apply=apply, by="hub")
            except (CallError, NotStored) as error:
                self._failed(name, error)
            else:
                if found is not None:
                    self._tell(name, found, applied=apply)

    async def look(self, name: str, *, apply: bool, by: str, forced: bool = False) -> Result | None:
        """Compare, and mend where told to; None where it is not due, or another node does it.

        Raises:
            CallError: The provider did not answer, or refused.
        """
        where = Source(name, SOURCE)
        until = self.clock.now() + LEASE
        taking = await self.store.write(
            lambda tx: cursors.take(tx, where, node=self.node, until=until, forced=forced)
        )
        if taking is None:
            return None
        due, ended = AFTER_A_FAILURE, False
        try:
            with self.accounts[name].in_use():
                result = await self._look(name, apply=apply, by=by)
            due, ended = DAILY, True
        finally:
            again = self.clock.now() + due
            await self.store.write(
                lambda tx: cursors.leave(tx, where, node=self.node, due=again, ended=ended)
            )
        return result

    # -- inside ------------------------------------------------------------------------------------
    async def _look(self, name: str, *, apply: bool, by: str) -> Result:
        connector = self._connector(name)
        wanted = self.wanted(name)
        if not apply:
            steps = compare(await connector.subscriptions(), wanted)
            return Result(steps=steps, left=[s for s in steps if s.does in (*CHANGES, *BY_HAND)])
        await self._finish(name, connector)
        steps = compare(await connector.subscriptions(), wanted)
        for step in steps:
            await self._do(name, connector, step, wanted, by=by)
        now = await connector.subscriptions()
        known = [(one.ref, one.secret) for one in now if one.url == wanted.url]

        def keep(tx: Tx) -> None:
            for ref, secret in known:
                if secret is not None:
                    endpoint_secrets.hold(tx, name, ref, secret)
            endpoint_secrets.forget(tx, name, but=[ref for ref, _ in known])

        await self.store.write(keep)
        left = [s for s in compare(now, wanted) if s.does in (*CHANGES, *BY_HAND)]
        return Result(steps=steps, left=left)

    def _connector(self, name: str) -> Subscribes:
        account = self.accounts[name]
        if account.gate.rooms(self.clock.now()).syncs <= 0:
            raise RateLimited("the account has no calls to spare")
        if not isinstance(account.connector, Subscribes):
            raise Reject(f"the webhooks of {account.connector.type} are set up at the provider")
        return account.connector

    async def _do(
        self, name: str, connector: Subscribes, step: Step, wanted: Wanted, *, by: str
    ) -> None:
        if step.does not in CHANGES:
            return
        if step.have is None:
            key = new_id("sub", self.clock.now())
            await self.store.write(
                lambda tx: endpoint_secrets.begin(tx, name, wanted, key=key)
            )  # fmt: skip
            await self._make(name, connector, wanted, key)
        else:
            await connector.resubscribe(step.have, wanted)
        self.log.info("endpoint changed", connector=name, does=step.does, who=by)
        text = f"{step.does} {step.url} {' '.join(step.events)}".strip()
        await self.store.write(lambda tx: audit.note(tx, by, "webhooks.apply", name, text))

    async def _finish(self, name: str, connector: Subscribes) -> None:
        """Ask again for an endpoint of which no answer came: its secret is told this once."""
        begun = await self.store.write(lambda tx: endpoint_secrets.begun(tx, name))
        if begun is None:
            return
        if self.clock.now() - begun.at < REPEATABLE:
            await self._make(name, connector, begun.wanted, begun.key)
            return
        await self.store.write(lambda tx: endpoint_secrets.ended(tx, name))
        self._lost(name, f"made at {rfc3339(begun.at)}, if it was made at all")

    async def _make(self, name: str, connector: Subscribes, wanted: Wanted, key: str) -> None:
        try:
            made = await connector.subscribe(wanted, key)
        except (Reject, AuthFailed):  # for certain there is none
            await self.store.write(lambda tx: endpoint_secrets.ended(tx, name))
            raise

        def keep(tx: Tx) -> None:
            endpoint_secrets.ended(tx, name)
            if made.secret is not None:
                endpoint_secrets.hold(tx, name, made.ref, made.secret)

        await self.store.write(keep)

    # -- telling -----------------------------------------------------------------------------------
    def _tell(self, name: str, found: Result, *, applied: bool) -> None:
        self.shown[name] = {
            "at": rfc3339(self.clock.now()),
            "left": [step.shown(name) for step in found.left],
            "error": None,
        }
        if not found.left:
            return
        what = "; ".join(f"{step.does} {step.url}: {step.why}" for step in found.left)
        by_hand = applied or all(step.does in BY_HAND for step in found.left)
        alerts.tell(
            "webhook.differs",
            about=name,
            text=f"webhook endpoints at {name}: {what}",
            fix="mend it at the provider" if by_hand else f"{APPLY} {name}, or manage: apply",
        )

    def _failed(self, name: str, error: CallError | NotStored) -> None:
        self.shown[name] = {"at": rfc3339(self.clock.now()), "left": [], "error": str(error)}
        self.log.warning("webhooks not compared", connector=name, error=str(error))
        if isinstance(error, Ambiguous | Retry | RateLimited | NotStored):
            return
        alerts.tell(
            "webhook.differs",
            about=name,
            text=f"webhook endpoints at {name} cannot be managed: {error}",
            fix="give the key that permission, or manage: off",
        )

    def _lost(self, name: str, what: str) -> None:
        alerts.tell(
            "webhook.differs",
            about=name,
            text=f"the secret of a webhook endpoint was not received ({what})",
            fix=f"delete that endpoint at the provider, then {APPLY} {name}",
        )
