"""Delivering to subscribers: an account for each, made when something is to be delivered to it."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from hub import log
from hub.breaker import Gate
from hub.clock import Clock
from hub.config.instances import ConnectorConfig
from hub.errors import ConfigError, Fault, RateLimited, Reject, Skip
from hub.http import Client, Outbound
from hub.http.egress import Guard, check_url
from hub.model import Job, write_json
from hub.perform import Account
from hub.subscribers import Subscriber, subscriber_of
from store import subscribers
from store.store import Store
from webhooks.deliver import Target, Webhook, jwks

GONE = "endpoint gone"
REVIEW = 600.0
ELSEWHERE = 5.0  # seconds until another node is given a chance
Terms = tuple[object, ...]
SOME = 500  # deliveries ended in one commit


@dataclass(slots=True)
class Deliveries:
    """What one node delivers with.

    Args:
        base: The account of connector `webhook` itself: policy, limits and time of all.
        keep: For how long deliveries of a disabled subscriber are kept.
    """

    store: Store
    base: Account
    config: ConnectorConfig
    outbound: Outbound
    clock: Clock
    keep: timedelta = timedelta(days=30)
    ways: dict[str, tuple[Terms, Client]] = field(default_factory=dict, init=False)

    async def begin(self) -> None:
        """Have the subscribers that config.yaml lists, as it lists them.

        Raises:
            ConfigError: A URL may not be called.
        """
        configured = self.config.settings.subscribers()
        for one in configured:
            try:
                self.check_url(one.url)
            except Reject as error:
                text = f"connectors.webhook.settings.endpoints.{one.id}.url: {error}"
                raise ConfigError(Fault(code="url.plain", text=text)) from error
        await self.store.write(lambda tx: subscribers.sync(tx, configured))

    def check_url(self, url: str) -> None:
        """See that a URL could be called at all.

        Raises:
            Reject: It could not.
        """
        check_url(url, Guard(self.config.allow_private))

    def follow(self, before: "Deliveries") -> None:
        """Take over the connections of another configuration, which stand where they may."""
        self.ways = before.ways

    async def account(self, job: Job, gate: Gate) -> Account:
        """Give the account of a delivery's subscriber, as it is now.

        Raises:
            Skip: It is gone.
            RateLimited: It stands in the config.yaml of other nodes, and not yet in ours.
        """
        ident = subscriber_of(job.account) or ""
        found = await self.store.look(lambda tx: subscribers.find(tx, ident))
        if found is None:
            await self._forget(ident)
            raise Skip(GONE)
        if found.managed == "config":
            found = self._configured(found)
        client = await self._way(found)
        connector = self.base.connector
        if not isinstance(connector, Webhook):
            raise TypeError(connector)
        return Account(
            connector=connector.of(found, client),
            client=client,
            gate=gate,
            policy=self.base.policy,
            actions=self.base.actions,
            timeout=self.base.timeout,
        )

    async def serve_keys(self, asked: web.Request) -> web.Response:
        """Answer with what verifies a subscriber's `v1a` signatures, a JSON Web Key Set."""
        ident = asked.match_info["id"]
        found = await self.store.look(lambda tx: subscribers.find(tx, ident))
        if found is None:
            raise web.HTTPNotFound
        with suppress(RateLimited):
            found = self._configured(found) if found.managed == "config" else found
        body = write_json(jwks(found.signing(self.clock.now())))
        kept = {"Cache-Control": "max-age=300"}
        return web.Response(body=body, content_type="application/jwk-set+json", headers=kept)

    async def review(self) -> None:
        """Disable who has taken nothing for days; let go what was kept long enough."""
        settings = self.config.settings
        now = self.clock.now()
        since = now - settings.disable_after
        reason = f"nothing was taken for {settings.disable_after}"
        over = await self.store.write(lambda tx: subscribers.weary(tx, since=since, reason=reason))
        for ident in over:
            log.get("deliveries").warning("subscriber disabled", subscriber=ident)
        while await self.store.write(
            lambda tx: subscribers.let_go(tx, before=now - self.keep, reason=GONE, most=SOME)
        ):
            pass

    # -- inside ------------------------------------------------------------------------------------
    def _configured(self, found: Subscriber) -> Subscriber:
        """Put in the keys, which only config.yaml has."""
        named = {one.id: one for one in self.config.settings.subscribers()}
        if found.id not in named:
            text = f"{found.id} does not stand in this node's config.yaml"
            raise RateLimited(text, after=ELSEWHERE)
        return replace(found, keys=named[found.id].keys)

    async def _way(self, to: Subscriber) -> Client:
        base, config = Target.of(to.url).base, self.config
        terms = (base, config.allow_private, config.connect, config.total)
        known = self.ways.get(to.id)
        if known is not None and known[0] == terms:
            return known[1]
        await self._forget(to.id)
        client = self.outbound.client(
            Webhook,
            self.config.settings.model_copy(update={"base_url": base}),
            name=to.account,
            allow_private=config.allow_private,
            connect_timeout=config.connect,
            total_timeout=config.total,
        )
        self.ways[to.id] = (terms, client)
        return client

    async def _forget(self, ident: str) -> None:
        if (known := self.ways.pop(ident, None)) is not None:
            await self.outbound.drop(known[1])
