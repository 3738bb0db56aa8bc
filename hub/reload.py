"""Reloading: the file read, checked, made and opened, then put in force; or nothing has changed.

What begins later runs on the new configuration. Calls in flight end on what they began with, and
only then are its connections closed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hub import alerts, in_use, log, watching
from hub.clock import Clock
from hub.config import Config
from hub.errors import ConfigError, Fault, HubError, NotStored, Refused
from hub.fitted import Fitted, fit, replaced
from hub.http import Outbound
from hub.model import Json, rfc3339
from hub.perform import Account
from store import configs
from store.standing import live_jobs
from store.store import Store

SHORT = 12


async def _nothing() -> None:
    """Ask nothing of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A configuration that was refused, and why."""

    at: datetime
    faults: tuple[Fault, ...]


class Reloads:
    """Puts another configuration in the place of the running one.

    Args:
        read: Reads the configuration anew; raises ConfigError with all its faults.
        running: Gives what is in force.
        put: Puts another in force; must not wait for anything.
        node: The name of this node.
        after: Does what another in force asks of the store; it is done again later where it fails.

    Attributes:
        rejected: The newest configuration, where it was refused; None once one is in force again.
        warnings: What is told of the one in force that only the store could say.
    """

    def __init__(
        self,
        store: Store,
        outbound: Outbound,
        clock: Clock,
        *,
        read: Callable[[], Config] | None,
        running: Callable[[], Fitted],
        put: Callable[[Fitted], None],
        node: str,
        after: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.store, self.outbound, self.clock, self.node = store, outbound, clock, node
        self.read, self.running, self.put, self.after = read, running, put, after
        self.rejected: Rejected | None = None
        self.warnings: list[Fault] = []
        self.log = log.get("reload")
        self._one = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def started(self) -> None:
        """Note what the hub began with."""
        config = self.running().config.hash
        await self._note("started", "hub", config)
        await self._look()

    async def reload(self, who: str) -> Fitted:
        """Read the configuration and put it in force; give what runs now.

        Raises:
            ConfigError: It has faults, or asks for a restart: nothing has changed.
            Refused: This hub has no file to read.
        """
        if self.read is None:
            raise Refused("invalid_transition", "this hub has no file to read again")
        async with self._one:
            try:
                config = await asyncio.to_thread(self.read)
                after = await self._fit(config)
            except ConfigError as error:
                await self._reject(error.faults, who)
                raise
            self._swap(after)
            self.rejected = None
            self.log.info("configuration reloaded", config=config.hash[:SHORT], who=who)
            await self._note("reloaded", who, config.hash)
            await self._look()
            with suppress(NotStored):
                await self.after()
            return after

    async def asked(self, who: str) -> None:
        """Reload where nobody waits for the answer: a refusal is told by alert and log."""
        try:
            await self.reload(who)
        except HubError as error:
            self.log.warning("configuration rejected", who=who, error=str(error))

    async def watch(self) -> None:
        """Reload whenever the files have changed; for ever."""
        await watching.watch(
            self.clock,
            lambda: watching.signature(self.running().config.files),
            lambda: self.asked("the watch on files"),
        )

    async def close(self) -> None:
        """Wait for what still ends on an older configuration, and close it."""
        await asyncio.gather(*self._closing, return_exceptions=True)

    def shown(self) -> dict[str, Json]:
        """Say what runs, and what was refused since."""
        now = self.running()
        return {
            "hash": now.config.hash,
            "since": rfc3339(now.since),
            "node": self.node,
            "environment": now.config.service.environment,
            "production": now.config.production,
            "outbound": now.config.outbound,
            "warnings": told(self.warnings),
            "rejected": None
            if self.rejected is None
            else {"at": rfc3339(self.rejected.at), "faults": told(self.rejected.faults)},
        }

    # -- inside ------------------------------------------------------------------------------------
    async def _fit(self, config: Config) -> Fitted:
        try:
            return await fit(config, self.store, self.outbound, self.clock, self.running())
        except ConfigError:
            raise
        except Exception as error:  # whatever a connector's own code raises
            self.log.exception("connector not opened")
            text = f"a connector could not be opened: {type(error).__name__}"
            raise ConfigError(Fault(code="connector.open", text=text)) from error

    def _swap(self, after: Fitted) -> None:
        """Put all of it in force: between these lines nothing else runs."""
        old = replaced(self.running(), after)
        self.put(after)
        for account in old:
            closing = asyncio.create_task(self._retire(account))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _retire(self, account: Account) -> None:
        try:
            await account.retire()
        except Exception:  # a connector's own close may raise anything; it is gone all the same
            self.log.exception("connector not closed", connector=account.connector.name)

    async def _look(self) -> None:
        """See whether jobs are left of connectors that are gone."""
        live = await self.store.look(live_jobs)
        self.warnings = in_use.warnings(self.running().config, live)
        for warning in self.warnings:
            self.log.warning("connector in use", about=warning.text, fix=warning.fix)

    async def _reject(self, faults: Iterable[Fault], who: str) -> None:
        errors = tuple(fault for fault in faults if not fault.warning)
        self.rejected = Rejected(at=self.clock.now(), faults=errors)
        now = self.running()
        text = f"{len(errors)} faults; still running {now.config.hash[:SHORT]}"
        alerts.tell("config.rejected", about=self.node, text=text, fix="hub check")
        await self._note("rejected", who, None, told(errors))

    async def _note(
        self, what: configs.What, who: str, config: str | None, faults: Iterable[Json] = ()
    ) -> None:
        try:
            await self.store.write(
                lambda tx: configs.note(
                    tx, what, node=self.node, who=who, config=config, faults=list(faults)
                )
            )
        except HubError:  # the configuration is in force, or not, whatever can be noted
            self.log.exception("reload not noted")


def told(faults: Iterable[Fault]) -> list[dict[str, Json]]:
    """Give faults as JSON; their texts hold no secret."""
    names = ("code", "text", "file", "line", "col", "fix")
    return [{name: getattr(fault, name) for name in names} for fault in faults]
