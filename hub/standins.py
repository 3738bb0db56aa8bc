"""The doubles of a hub whose `service.outbound` is `sandbox`: served by itself, on loopback alone.

Their ledgers live in memory and end with the hub. Webhooks come back signed with keys made anew
at each start, which are accepted beside the configured ones.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web

from hub import log
from hub.clock import Clock
from hub.config import Config, standin
from hub.doubles import application, double_of
from hub.errors import ConfigError, Fault

if TYPE_CHECKING:
    from hub.sandbox import Double
    from hub.secrets import Secret


class StandIns:
    """Doubles of a configuration's connectors, each below its connector's name."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.base = clock, ""
        self.doubles: dict[str, Double] = {}
        self._keys: dict[str, Secret] = {}
        self._runner: web.AppRunner | None = None
        self.log = log.get("sandbox")

    async def open(self, config: Config) -> None:
        """Serve the doubles of all connectors that would call a provider."""
        for name, cls in standin.wanted(config.connectors).items():
            self.doubles[name] = made = double_of(cls, clock=self.clock)
            if config.connectors[name].secrets:
                signing, self._keys[name] = made.new_keys()
                made.send_to(webhook_url(config, name), signing)
        if not self.doubles:
            return
        self._runner = web.AppRunner(application(self.doubles), shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        self.log.info("sandbox serves", url=f"{self.base}/_control", doubles=sorted(self.doubles))

    async def close(self) -> None:
        """End them."""
        if self._runner is not None:
            await self._runner.cleanup()

    def stand_in(self, config: Config) -> Config:
        """Let every connector of a configuration call its double.

        Raises:
            ConfigError: reload.restart, where one has a double that is not served.
        """
        if late := standin.wanted(config.connectors).keys() - self.doubles.keys():
            text = f"the double of {min(late)} needs a restart"
            raise ConfigError(Fault(code="reload.restart", text=text, fix="restart the hub"))
        made = {}
        for name, one in config.connectors.items():
            base = f"{self.base}/{name}" if name in self.doubles else None
            here = standin.local(one) or not standin.calls(one)
            made[name] = one if here else standin.stood_in(one, base, self._keys.get(name))
        return replace(config, connectors=made)


def webhook_url(config: Config, name: str) -> str:
    """Give the address on this machine that a double sends its webhooks to."""
    listens = config.service.listen
    host = "127.0.0.1" if listens.host in ("0.0.0.0", "::") else listens.host  # noqa: S104 -- asked
    return f"http://{f'[{host}]' if ':' in host else host}:{listens.port}/webhooks/{name}"
