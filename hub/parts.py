"""Makes a hub's parts out of its configuration: what a running hub and some commands share."""

from collections.abc import Mapping

from hub import standins
from hub.breaker import AHEAD, Gate
from hub.clock import Clock
from hub.config import Config, standin
from hub.config.instances import ConnectorConfig
from hub.gcra import Quota
from hub.http import Outbound
from hub.managing import Managing
from hub.perform import Account
from hub.pull import Following, Puller
from hub.schedules import NEVER
from hub.syncing import Syncer
from store.store import Store
from webhooks.doors import Door
from webhooks.receive import Receiver
from webhooks.refusals import Refusals

Accounts = Mapping[str, Account]
NONE: Accounts = {}


def accounts(config: Config, outbound: Outbound, kept: Accounts = NONE) -> dict[str, Account]:
    """Make every connector's account, but for those that are kept."""
    return {
        name: kept.get(name) or _account(config, c, outbound)
        for name, c in config.working().items()
    }


def receiver(config: Config, store: Store, made: Accounts, clock: Clock) -> Receiver:
    """Make what takes webhooks in: a door for each connector that has a secret."""
    limits = config.service.limits
    doors = {name: _door(made, c) for name, c in config.connectors.items() if c.secrets}
    return Receiver(
        store,
        doors,
        route=store.route,
        clock=clock,
        cap=limits.body,
        within=limits.read_within.total_seconds(),
        refusals=Refusals(doors, Quota(limits.refusals.calls, limits.refusals.per.total_seconds())),
        proxies=config.service.trusted_proxies,
    )


def puller(
    config: Config, store: Store, made: Accounts, clock: Clock, *, all_of_them: bool = False
) -> Puller:
    """Make what reads the sources of events.

    Args:
        all_of_them: Also those that nothing is said of in the configuration, if asked for by name.
    """
    follows = {
        name: Following(
            door=_door(made, c),
            account=made[name],
            every=c.reconcile.every or NEVER,
            overlap=c.reconcile.overlap,
        )
        for name, c in config.connectors.items()
        if "events" in c.cls.sources() and (all_of_them or c.reconcile.every is not None)
    }
    return Puller(store, receiver(config, store, made, clock), follows, clock=clock)


def syncer(config: Config, store: Store, made: Accounts, clock: Clock) -> Syncer:
    """Make what runs the syncs."""
    syncs = {sync.name: sync for sync in config.syncs}
    return Syncer(store, syncs, made, clock=clock, config=config.hash)


def managing(config: Config, store: Store, made: Accounts, clock: Clock) -> Managing:
    """Make what looks after the webhook endpoints at the providers."""
    addresses = {name: webhook_url(config, name) for name in config.connectors}
    return Managing(store, config, made, clock, addresses=addresses)


def webhook_url(config: Config, name: str) -> str:
    """Give the address a connector's provider is told to call."""
    made = config.connectors.get(name)
    if config.outbound == "sandbox" and made is not None and standin.calls(made):
        # Its double calls this machine, whatever its provider calls.
        return standins.webhook_url(config, name)
    service = config.service
    base = service.public_url or f"http://{service.listen.host}:{service.listen.port}"
    return f"{base}/webhooks/{name}"


def _door(made: Accounts, config: ConnectorConfig) -> Door:
    return Door(made[config.name].connector, config.secrets, config.events, config.tolerance)


def _account(config: Config, made: ConnectorConfig, outbound: Outbound) -> Account:
    client = outbound.client(
        made.cls,
        made.settings,
        name=made.name,
        allow_private=made.allow_private,
        connect_timeout=made.connect,
        total_timeout=made.total,
    )
    actions = made.cls.actions()
    return Account(
        connector=made.cls(made.name, made.settings, client, webhook_url(config, made.name)),
        client=client,
        gate=Gate(
            made.concurrency,
            made.limits,
            paused=made.paused or config.outbound == "hold",
            actions=tuple(actions),
            reserve=made.reserve,
            breaker=made.breaker,
            ahead=0.0 if any(its.effect.kind == "unsafe" for its in actions.values()) else AHEAD,
        ),
        policy=made.retry,
        actions=actions,
    )
