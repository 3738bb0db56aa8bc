"""Toy: a made-up label printer, on which the contract suite is tried."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel

from hub import (
    AuthFailed,
    Call,
    Check,
    Connector,
    ConnectorSettings,
    Event,
    ItemResult,
    Limit,
    Outcome,
    Request,
    Secret,
    Url,
    action,
    bearer,
    keyed,
    lookup,
    schemes,
    upsert,
)

SIGNING = schemes.Hmac(header="Toy-Signature", time_header="Toy-Time", signed="{t}.{body}")


class Parcel(BaseModel):
    """One parcel, both ways; weight in grams."""

    order: str
    weight: int


class Toy(Connector):
    """Toy delivers its webhooks in any order."""

    type = "toy"
    auth = bearer("api_key")
    limits = (Limit(50, per=1),)
    emits: ClassVar = {"parcel.sent": Parcel}
    request_id_header = "Toy-Request"

    class Settings(ConnectorSettings):
        """The key needs the scope labels.write."""

        api_key: Secret
        base_url: Url = "https://api.toy.example/2026-09"

    settings: Settings

    @action(effect=keyed(timedelta(hours=24)), needs=("labels.write",))
    async def create_label(self, call: Call, parcel: Parcel) -> Outcome:
        """Buy one label."""
        body = parcel.model_dump() | {"reference": call.job}
        headers = {"Idempotency-Key": call.key}
        answer = await call.http.post("/labels", json=body, headers=headers)
        return Outcome(ref=answer.json()["id"])

    @lookup("create_label")
    async def find_label(self, call: Call, parcel: Parcel) -> Outcome | None:
        """Find the label of an uncertain job."""
        answer = await call.http.get("/labels", params={"reference": call.job})
        found = answer.json()["labels"]
        return Outcome(ref=found[0]["id"]) if found else None

    @action(effect=upsert("order"), batch=10)
    async def upsert_parcels(self, call: Call, parcels: list[Parcel]) -> list[ItemResult]:
        """Write parcels, each by its order."""
        body = {"parcels": [parcel.model_dump() for parcel in parcels]}
        answers = (await call.http.post("/parcels", json=body)).json()
        return [
            ItemResult.ok(one["id"], {("parcel", parcel.order): one["id"]})
            for parcel, one in zip(parcels, answers, strict=True)
        ]

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check Toy-Signature."""
        SIGNING.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as Toy does."""
        return SIGNING.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield the delivery's one event."""
        body = request.json()
        at = datetime.fromtimestamp(body["sent_at"], UTC)
        job = body["parcel"].get("reference")
        yield Event(ext_id=body["id"], type=body["type"], at=at, data=body["parcel"], job=job)

    async def check(self) -> list[Check]:
        """Ask for the key's scopes."""
        try:
            scopes = (await self.http.get("/me")).json()["scopes"]
        except AuthFailed as error:
            return [Check("api_key", "fail", str(error))]
        return [Check("labels.write", "ok" if "labels.write" in scopes else "fail")]
