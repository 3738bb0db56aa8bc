"""Bodies, built by hubspot-api-client's models; they take long to load, and only calls need them.

The models refuse unknown fields and give the wire names; they are never used to call.
Source: https://developers.hubspot.com/docs/api-reference/crm-objects (batch upsert; 2026-03).
"""

from collections.abc import Sequence

from hubspot.crm.associations.v4 import (
    AssociationSpec,
    BatchInputPublicAssociationMultiPost,
    PublicAssociationMultiPost,
    PublicObjectId,
)
from hubspot.crm.objects import (
    BatchInputSimplePublicObjectBatchInputUpsert,
    SimplePublicObjectBatchInputUpsert,
)
from hubspot.crm.properties import PropertyCreate

from connectors.hubspot.batches import Pair, Row
from hub import Json


def upsert_body(job: str, by: str, rows: Sequence[Row]) -> tuple[Json, list[str]]:
    """Give the body of a batch upsert, and the trace id of each row.

    HubSpot refuses a batch that names a record twice, so rows of one key become one input in
    which later values win, as if they had been sent one after the other.
    """
    merged: dict[str, dict[str, str]] = {}
    for key, properties in rows:
        merged[key] = merged.get(key, {}) | dict(properties)
    several = len(merged) > 1
    traces = {key: f"{job}-{n}" if several else job for n, key in enumerate(merged)}
    inputs = [
        SimplePublicObjectBatchInputUpsert(
            id=key, id_property=by, properties=values, object_write_trace_id=traces[key]
        )
        for key, values in merged.items()
    ]
    body = BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs).to_dict(serialize=True)
    return body, [traces[key] for key, _ in rows]


def association_body(type_id: int, pairs: Sequence[Pair]) -> Json:
    """Give the body that associates (from, to) record ids, each pair once."""
    spec = AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=type_id)
    inputs = [
        PublicAssociationMultiPost(
            _from=PublicObjectId(id=one), to=PublicObjectId(id=other), types=[spec]
        )
        for one, other in dict.fromkeys(pairs)
    ]
    body: Json = BatchInputPublicAssociationMultiPost(inputs=inputs).to_dict(serialize=True)
    return body


def property_body(name: str, label: str, group: str) -> Json:
    """Give the body that makes one of our unique text properties."""
    made = PropertyCreate(
        name=name,
        label=label,
        type="string",
        field_type="text",
        group_name=group,
        has_unique_value=True,
        description="Written by the shop; do not edit.",
    )
    return {k: v for k, v in made.to_dict(serialize=True).items() if v is not None}
