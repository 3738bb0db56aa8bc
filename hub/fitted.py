"""What a hub makes of one configuration: all of it is replaced at once, or none of it."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from hub import parts
from hub.clock import Clock
from hub.config import Config
from hub.deliveries import Deliveries
from hub.http import Outbound
from hub.managing import Managing
from hub.parts import Accounts
from hub.perform import Account
from hub.pull import Puller
from hub.routing import Router
from hub.shop.backend import Shop, rules_of
from hub.syncing import Syncer
from store.store import Store
from webhooks.receive import Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The running configuration, and what was made of it.

    Args:
        since: When it came into force on this node.
    """

    config: Config
    since: datetime
    router: Router
    shop: Shop
    accounts: Accounts
    receiver: Receiver
    puller: Puller
    syncer: Syncer
    deliveries: Deliveries
    managing: Managing


async def fit(
    config: Config, store: Store, outbound: Outbound, clock: Clock, before: Fitted | None = None
) -> Fitted:
    """Make all that a configuration asks for, its connectors opened; what failed leaves nothing.

    Args:
        before: What runs now: accounts of which nothing has changed are kept as they are.
    """
    kept = _same(config, before) if before else {}
    accounts = parts.accounts(config, outbound, kept)
    async with AsyncExitStack() as opened:
        for name, account in accounts.items():
            if name not in kept:
                opened.push_async_callback(account.retire)
                await account.connector.open()
        await store.know_accounts(list(accounts))
        puller = parts.puller(config, store, accounts, clock)
        await puller.know()
        syncer = parts.syncer(config, store, accounts, clock)
        await syncer.know()
        deliveries = _deliveries(config, accounts, store, outbound, clock)
        await deliveries.begin()
        managing = parts.managing(config, store, accounts, clock)
        await managing.know()
        opened.pop_all()
    return Fitted(
        config=config,
        since=clock.now(),
        router=Router(config.routes, config.hash, (sync.rule for sync in config.syncs)),
        shop=Shop(rules_of(config)),
        accounts=accounts,
        receiver=parts.receiver(config, store, accounts, clock),
        puller=puller,
        syncer=syncer,
        deliveries=deliveries,
        managing=managing,
    )


def replaced(before: Fitted, after: Fitted) -> list[Account]:
    """Hand on what is counted: gates, refusals. Give the accounts that are to be closed."""
    after.receiver.follow(before.receiver)
    after.deliveries.follow(before.deliveries)
    after.managing.shown = {n: s for n, s in before.managing.shown.items() if n in after.accounts}
    for name, account in after.accounts.items():
        old = before.accounts.get(name)
        if old is not None and old is not account:
            old.gate.follow(account.gate)
            account.gate = old.gate
    return [old for name, old in before.accounts.items() if after.accounts.get(name) is not old]


def _deliveries(
    config: Config, accounts: Accounts, store: Store, outbound: Outbound, clock: Clock
) -> Deliveries:
    return Deliveries(
        store=store,
        base=accounts[config.webhook.name],
        config=config.webhook,
        outbound=outbound,
        clock=clock,
        keep=config.store.retention.payloads,
    )


def _same(config: Config, before: Fitted) -> Mapping[str, Account]:
    """Give the accounts that may stay: nothing that they were made of has changed."""
    return {
        name: before.accounts[name]
        for name, one in config.working().items()
        if before.config.working().get(name) == one
        and parts.webhook_url(config, name) == parts.webhook_url(before.config, name)
    }
