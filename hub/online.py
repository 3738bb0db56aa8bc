"""Asking the providers themselves: does each take our credentials, and allow what we need."""

import asyncio
from collections.abc import Iterable

from hub import parts
from hub.clock import SystemClock
from hub.config import Config
from hub.errors import Fault, HubError
from hub.http import Outbound
from hub.nodes import nearest
from hub.perform import Account
from hub.plugin import Check

WITHIN = 30.0


async def ask(config: Config) -> list[Fault]:
    """Give what the connectors' own checks find amiss, at each connector's name."""
    async with Outbound(SystemClock()) as out:
        made = parts.accounts(config, out)
        found = await asyncio.gather(*(_checks(account) for account in made.values()))
    return [
        _fault(config, name, check)
        for name, checks in zip(made, found, strict=True)
        for check in checks
        if check.state != "ok"
    ]


async def _checks(account: Account) -> Iterable[Check]:
    try:
        async with asyncio.timeout(WITHIN):
            await account.connector.open()
            try:
                return await account.connector.check()
            finally:
                await account.connector.close()
    except TimeoutError:
        return [Check("reach", "fail", f"no answer in {WITHIN:g} s")]
    except HubError as error:
        return [Check("reach", "fail", str(error))]


def _fault(config: Config, name: str, check: Check) -> Fault:
    file, line, col = "", 0, 0
    if config.written is not None:
        spot, _ = nearest(config.written, ("connectors", name))
        place = spot.key or spot.node
        file, line, col = place.source.file, place.line, place.col
    return Fault(
        code="online.check", text=f"{name}: {check.name}: {check.text or check.state}",
        file=file, line=line, col=col, fix=check.fix, warning=check.state == "warn",
    )  # fmt: skip
