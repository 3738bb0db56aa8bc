"""The heartbeat: an address that is called while the hub is well, so that a dead one is noticed."""

from collections.abc import Callable
from datetime import timedelta

from hub import log
from hub.alerting import Heartbeat
from hub.clock import Clock
from hub.errors import HubError
from hub.http import Client, Outbound
from hub.plugin import Connector, ConnectorSettings

LOOK = timedelta(seconds=10)
WITHIN = 10.0


class _Watcher(Connector):
    """Whoever is called; its answers mean nothing but that it heard."""

    type = "heartbeat"
    settings: ConnectorSettings


class Beats:
    """Calls the address of one hub.

    Args:
        wanted: Gives what is to be called, as of now.
        hindered: Says why the hub is not well, where it is not: then nobody is called.
    """

    def __init__(
        self,
        outbound: Outbound,
        wanted: Callable[[], Heartbeat | None],
        *,
        hindered: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        self.outbound, self.wanted, self.hindered, self.clock = outbound, wanted, hindered, clock
        self.log = log.get("heartbeat")
        self._client: tuple[Heartbeat, Client] | None = None

    async def forever(self) -> None:
        """Call it as often as it wants; that it does not answer ends nothing."""
        while True:
            beat = self.wanted()
            await self.clock.sleep((beat.every if beat else LOOK).total_seconds())
            try:
                await self.once()
            except Exception:  # whatever it was, the next may go well
                self.log.exception("heartbeat failed")

    async def once(self) -> bool:
        """Call it now; False where nobody is to be called, or nobody answered well."""
        beat = self.wanted()
        if beat is None or not self.outbound.ready:
            return False
        if (why := self.hindered()) is not None:
            self.log.warning("heartbeat withheld", reason=why)
            return False
        try:
            await (await self._client_of(beat)).get("")
        except HubError as error:
            self.log.warning("heartbeat not taken", error=str(error))
            return False
        return True

    async def _client_of(self, beat: Heartbeat) -> Client:
        if self._client is not None and self._client[0] == beat:
            return self._client[1]
        if self._client is not None:
            await self._client[1].close()
        made = self.outbound.client(
            _Watcher,
            ConnectorSettings(base_url=beat.url.text()),
            name="heartbeat",
            allow_private=beat.allow_private,
            total_timeout=WITHIN,
        )
        self._client = beat, made
        return made
