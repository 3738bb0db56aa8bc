"""JSON Schemas of HubSpot's request bodies, derived from the installed hubspot-sdk's TypedDicts.

They prove that we write what the vendor's SDK would write, not that the vendor agrees with it.
"""

import collections.abc
import types
import typing

import typing_extensions as te
from hubspot_sdk.types.crm.associations.batch_create_params import (
    BatchCreateParams as AssociationParams,
)
from hubspot_sdk.types.crm.objects.contacts.batch_upsert_params import (
    BatchUpsertParams as ContactParams,
)
from hubspot_sdk.types.crm.objects.deals.batch_upsert_params import BatchUpsertParams as DealParams
from hubspot_sdk.types.crm.objects.line_items.batch_upsert_params import (
    BatchUpsertParams as LineItemParams,
)
from hubspot_sdk.types.crm.property_create_params import PropertyCreateParams

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}

# By path below the base URL; `in_path` are parameters the SDK writes into the path.
OPERATIONS = {
    r"/crm/objects/2026-03/contacts/batch/upsert": (ContactParams, ()),
    r"/crm/objects/2026-03/0-3/batch/upsert": (DealParams, ()),
    r"/crm/objects/2026-03/line_items/batch/upsert": (LineItemParams, ()),
    r"/crm/associations/2026-03/[^/]+/[^/]+/batch/create": (
        AssociationParams,
        ("fromObjectType",),
    ),
    r"/crm/properties/2026-03/[^/]+": (PropertyCreateParams, ()),
}


def schema(hint, in_path=()):
    """Derive a schema in which no field may stand that the type does not have."""
    hint = _bare(hint)
    if te.is_typeddict(hint):
        return _object(hint, in_path)
    origin, inner = te.get_origin(hint), te.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema(one) for one in inner]}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(inner[1])}
    if origin is not None and issubclass(origin, collections.abc.Iterable):
        return {"type": "array", "items": schema(inner[0])}
    return {"type": PLAIN[hint]}


def _object(hint, in_path):
    members, required = {}, []
    for name, one in te.get_type_hints(hint, include_extras=True).items():
        wire = _alias(one) or name
        if wire in in_path:
            continue
        members[wire] = schema(one)
        if te.get_origin(one) in (te.Required, typing.Required):
            required.append(wire)
    assert members, f"{hint} has no members"
    return {
        "type": "object",
        "properties": members,
        "required": required,
        "additionalProperties": False,
    }


def _bare(hint):
    while te.get_origin(hint) in (te.Required, typing.Required, te.Annotated, typing.Annotated):
        hint = te.get_args(hint)[0]
    return hint


def _alias(hint):
    """Find the name on the wire, however deeply `Required` and `Annotated` are nested."""
    for note in getattr(hint, "__metadata__", ()):
        if getattr(note, "alias", None):
            return note.alias
    inner = te.get_args(hint)
    wraps = te.get_origin(hint) in (te.Required, typing.Required)
    return _alias(inner[0]) if wraps and inner else None
