"""HubSpot: contacts, deals and line items out, CRM changes in.

HubSpot takes no idempotency key, so every write is an upsert by a unique property.
Never search, then create: the search index lags, and two such calls race.
Source: https://developers.hubspot.com, CRM API, dated paths (2026-03).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from connectors.hubspot import answers, batches, checks, inbound
from connectors.hubspot.inputs import (
    TYPES,
    Association,
    Contact,
    Deal,
    LineItem,
    UniqueProperties,
)
from connectors.hubspot.limits import LIMITS
from hub import (
    Answer,
    Call,
    CallError,
    Check,
    Connector,
    ConnectorSettings,
    Event,
    ItemResult,
    Outcome,
    Reject,
    Request,
    Retry,
    Secret,
    Signing,
    Url,
    action,
    bearer,
    schemes,
    upsert,
)

OBJECTS = {"contact": "contacts", "deal": "0-3", "line_item": "line_items"}
"""Our kinds as path segments, the way hubspot-sdk 0.1.0a9 writes them."""

UNIQUE = {
    "contact": ("shop_customer_id", "Shop customer", "contactinformation"),
    "deal": ("shop_order_id", "Shop order", "dealinformation"),
    "line_item": ("shop_line_id", "Shop order line", "lineiteminformation"),
}
"""Our unique properties: name, label, and the group they are shown in."""

NEEDS = {kind: f"crm.objects.{kind}s.write" for kind in OBJECTS}


class Hubspot(Connector):
    """HubSpot CRM; every property value is text, every write an upsert."""

    type = "hubspot"
    auth = bearer("access_token")
    limits = LIMITS
    emits = inbound.EMITS
    signature = Signing(
        covers="body",
        window=(schemes.WINDOW, schemes.WINDOW),
        url=True,
        dedupe="portal, subscription, event, object, time and property",
        source="https://developers.hubspot.com/docs/apps/developer-platform/build-apps/"
        "authentication/request-validation",
    )
    request_id_header = "X-HubSpot-Correlation-Id"
    signs_url = True

    class Settings(ConnectorSettings):
        """The token needs crm.objects.{contacts,deals,line_items}, each read and write.

        Args:
            access_token: Of a service key or private app.
            base_url: The sandbox may stand in.
            api_version: The dated segment of every path.
            time_zone: The account's; at its midnight the daily limit starts anew.
            contact_key: What names a contact; shop_customer_id survives a change of e-mail.
            signature: v2 and v1 are for old subscriptions: they carry no time.
        """

        access_token: Secret
        base_url: Url = "https://api.hubapi.com"
        api_version: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")] = "2026-03"
        time_zone: Annotated[str, AfterValidator(answers.known_zone)] = "UTC"
        contact_key: Literal["email", "shop_customer_id"] = "email"
        signature: inbound.Version = "v3"

    settings: Settings

    # -- out -------------------------------------------------------------------------------------
    @action(effect=upsert("email"), batch=100, needs=(NEEDS["contact"],))
    async def upsert_contacts(self, call: Call, contacts: list[Contact]) -> list[ItemResult]:
        """Write contacts by e-mail, or by our customer id where the connector is set to it."""
        groups: dict[str, list[int]] = defaultdict(list)
        for n, contact in enumerate(contacts):
            by_link = contact.link and self.settings.contact_key == "shop_customer_id"
            groups["shop_customer_id" if by_link else "email"].append(n)
        results: dict[int, ItemResult] = {}
        for by, members in groups.items():
            rows = [_contact_row(contacts[n], by) for n in members]
            links = [contacts[n].link for n in members]
            written = await self._upsert(call, "contact", by, rows, links)
            results |= zip(members, written, strict=True)
        return [results[n] for n in range(len(contacts))]

    @action(effect=upsert("shop_order_id"), batch=100, needs=(NEEDS["deal"],))
    async def upsert_deals(self, call: Call, deals: list[Deal]) -> list[ItemResult]:
        """Write deals by our order id."""
        rows = [(deal.shop_order_id, deal.properties) for deal in deals]
        return await self._upsert(call, "deal", "shop_order_id", rows, [key for key, _ in rows])

    @action(effect=upsert("shop_line_id"), batch=100, needs=(NEEDS["line_item"],))
    async def upsert_line_items(self, call: Call, lines: list[LineItem]) -> list[ItemResult]:
        """Write line items by our line id."""
        rows = [(line.shop_line_id, line.properties) for line in lines]
        return await self._upsert(call, "line_item", "shop_line_id", rows, [key for key, _ in rows])

    @action(effect=upsert("from_id, to_id"), batch=100, needs=tuple(NEEDS.values()))
    async def associate(self, call: Call, associations: list[Association]) -> list[ItemResult]:
        """Bind records together by our ids of them; already bound is well."""
        results: dict[int, ItemResult] = {}
        groups: dict[tuple[str, str], dict[int, batches.Pair]] = defaultdict(dict)
        for n, one in enumerate(associations):
            try:
                start = await call.links.get(one.from_kind, one.from_id)
                end = await call.links.get(one.to_kind, one.to_id)
            except Reject as error:
                results[n] = ItemResult.failed(error)
            else:
                groups[one.from_kind, one.to_kind][n] = (start, end)
        for kinds, pairs in groups.items():
            results |= await self._associate(call, kinds, pairs)
        return [results[n] for n in range(len(associations))]

    @action(effect=upsert("name"))
    async def ensure_properties(self, call: Call, wanted: UniqueProperties) -> Outcome:
        """Make our unique properties where they are missing; needs the schema write scopes."""
        for kind, (name, label, group) in UNIQUE.items():
            if kind == "contact" and not wanted.customer:
                continue
            body = _bodies().property_body(name, label, group)
            try:
                await call.http.post(self._path("properties", OBJECTS[kind]), json=body)
            except answers.Conflict:
                call.log.info("property there already", property=name)
        return Outcome(ref="shop_order_id")

    def classify(self, answer: Answer) -> CallError | None:
        """Read HubSpot's error bodies; the daily limit lasts until the account's midnight."""
        return answers.classify(answer, answers.zone(self.settings.time_zone))

    # -- in --------------------------------------------------------------------------------------
    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the signature of the app's client secret, in the version that is set."""
        inbound.verify(request, secret, now=now, version=self._version)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as HubSpot does, for this connector's webhook URL."""
        return inbound.sign(body, secret, now=now, url=self.webhook_url, version=self._version)

    def suspect(self, request: Request) -> str | None:
        """See whether it is signed in another version."""
        return inbound.suspect(request, self._version)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield one event per change of the array."""
        return inbound.parse(request)

    # -- set-up ----------------------------------------------------------------------------------
    async def open(self) -> None:
        """Load what makes bodies, so that no call waits for it."""
        await asyncio.to_thread(_bodies)

    async def check(self) -> list[Check]:
        """Prove the token, each scope, our unique properties and the account's time zone."""
        version = self.settings.api_version
        token, details = await checks.account(self.http, version)
        if token.state == "fail":
            return [token]
        found = [token, checks.zone(details, self.settings.time_zone)]
        found.append(await checks.usage(self.http, version))
        for kind, segment in OBJECTS.items():
            found.append(await checks.scope(self.http, self._path("objects", segment), NEEDS[kind]))
            if kind != "contact" or self.settings.contact_key == "shop_customer_id":
                name = UNIQUE[kind][0]
                path = self._path("properties", f"{segment}/{name}")
                found.append(await checks.unique(self.http, path, f"{kind}.{name}"))
        return found

    # -- inside ----------------------------------------------------------------------------------
    @property
    def _version(self) -> inbound.Version:
        """Give the signature version; the sandbox signs without settings, always v3."""
        return self.settings.signature if self.settings else "v3"

    def _path(self, api: str, rest: str) -> str:
        return f"/crm/{api}/{self.settings.api_version}/{rest}"

    async def _upsert(
        self,
        call: Call,
        kind: str,
        by: str,
        rows: Sequence[batches.Row],
        links: Sequence[str | None],
    ) -> list[ItemResult]:
        """Upsert rows; `links` are our ids, under which the records' ids are kept."""
        if not rows:
            return []
        body, traces = _bodies().upsert_body(call.job, by, rows)
        path = self._path("objects", f"{OBJECTS[kind]}/batch/upsert")
        try:
            answer = await call.http.post(path, json=body)
        except answers.Conflict as conflict:
            if call.attempt > 1:
                raise
            raise _once_more(conflict) from conflict
        found = batches.upserted(answer, by, [key for key, _ in rows], traces)
        return [
            ItemResult.ok(got, {(kind, link): got} if link else {})
            if isinstance(got, str)
            else ItemResult.failed(_once_more(got) if call.attempt == 1 else got)
            for got, link in zip(found, links, strict=True)
        ]

    async def _associate(
        self, call: Call, kinds: tuple[str, str], pairs: Mapping[int, batches.Pair]
    ) -> dict[int, ItemResult]:
        start, end = (OBJECTS[kind] for kind in kinds)
        wanted = list(pairs.values())
        path = self._path("associations", f"{start}/{end}/batch/create")
        answer = await call.http.post(path, json=_bodies().association_body(TYPES[kinds], wanted))
        failed = batches.associated(answer, wanted)
        return {n: ItemResult(error=error) for n, error in zip(pairs, failed, strict=True)}


def _bodies() -> ModuleType:
    """Give what makes bodies, loaded when it is first needed."""
    from connectors.hubspot import bodies  # noqa: PLC0415 -- tens of milliseconds

    return bodies


def _contact_row(contact: Contact, by: str) -> batches.Row:
    values = contact.properties
    if by != "email" and contact.link is not None:
        return contact.link, {**values, "email": contact.email}
    return contact.email, values | ({"email": contact.email} if "email" in values else {})


def _once_more(error: CallError) -> CallError:
    """Turn a conflict into one more try: where two writers raced, the race is over by then."""
    if isinstance(error, answers.Conflict):
        return Retry(f"{error}; once more, in case two writers raced")
    return error
