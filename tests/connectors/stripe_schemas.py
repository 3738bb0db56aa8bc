"""JSON Schemas of Stripe's parameters, derived from the TypedDicts of the installed SDK.

They prove that we ask what the vendor's SDK would ask, not that the vendor agrees with it. The
SDK marks its enums open (`Literal[…]|str`); here they are closed, and so is every object.
"""

import re
import sys
import typing
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import typing_extensions as te
from jsonschema import Draft202012Validator
from stripe import params
from stripe._request_options import RequestOptions
from stripe.params import checkout

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", Decimal: "string"}
LOCAL = set(RequestOptions.__annotations__)  # options of the SDK, never sent as parameters

OPERATIONS = {
    r"GET /v1/balance": params.BalanceRetrieveParams,
    r"GET /v1/balance_transactions": params.BalanceTransactionListParams,
    r"GET /v1/charges/[^/]+": params.ChargeRetrieveParams,
    r"GET /v1/checkout/sessions": checkout.SessionListParams,
    r"GET /v1/checkout/sessions/[^/]+": checkout.SessionRetrieveParams,
    r"GET /v1/payment_intents": params.PaymentIntentListParams,
    r"GET /v1/payment_intents/[^/]+": params.PaymentIntentRetrieveParams,
    r"GET /v1/refunds": params.RefundListParams,
    r"POST /v1/checkout/sessions": checkout.SessionCreateParams,
    r"POST /v1/checkout/sessions/[^/]+/expire": checkout.SessionExpireParams,
    r"POST /v1/payment_intents": params.PaymentIntentCreateParams,
    r"POST /v1/payment_intents/[^/]+/cancel": params.PaymentIntentCancelParams,
    r"POST /v1/payment_intents/[^/]+/capture": params.PaymentIntentCaptureParams,
    r"POST /v1/refunds": params.RefundCreateParams,
}


def schema(hint, module):
    """Derive a closed schema from a type as `module` writes it."""
    hint = _bare(hint, module)
    if te.is_typeddict(hint):
        return _object(hint)
    kind, args = te.get_origin(hint), te.get_args(hint)
    if kind is te.Literal:
        return {"enum": list(args)}
    if kind in (list, typing.Sequence):
        return {"type": "array", "items": schema(args[0], module)}
    if kind is dict:
        return {"type": "object", "additionalProperties": schema(args[1], module)}
    if args:
        return _either(args, module)
    return {"type": PLAIN[hint]}


def _object(hint):
    module = sys.modules[hint.__module__]
    own = {name: kind for name, kind in hint.__annotations__.items() if name not in LOCAL}
    required = {n for n in own if n in hint.__required_keys__ and not _optional(own[n])}
    return {
        "type": "object",
        "properties": {name: schema(kind, module) for name, kind in own.items()},
        "required": sorted(required),
        "additionalProperties": False,
    }


def _either(args, module):
    """Join the members of a union; `str` beside an enum only keeps it open, so it goes."""
    found = [_bare(arg, module) for arg in args]
    found = [one for one in found if "StripeObject" not in str(one)]
    enums = [one for one in found if te.get_origin(one) is te.Literal]
    if any(set(te.get_args(one)) - {""} for one in enums):
        found = [one for one in found if one is not str]
    return {"anyOf": [schema(one, module) for one in found]}


def _bare(hint, module):
    while True:
        if isinstance(hint, typing.ForwardRef):
            hint = hint.__forward_arg__
        if isinstance(hint, str):
            hint = eval(hint, vars(module))  # the SDK's own annotation
        elif te.get_origin(hint) in (te.NotRequired, te.Required):
            hint = te.get_args(hint)[0]
        elif not isinstance(hint, typing.ForwardRef):
            return hint


def _optional(hint):
    return te.get_origin(hint) is te.NotRequired


SCHEMAS = {
    pattern: schema(hint, sys.modules[hint.__module__]) for pattern, hint in OPERATIONS.items()
}


def faults(operation, body):
    """Say what is wrong with typed parameters; an operation unknown here is a fault of the test."""
    found = [one for pattern, one in SCHEMAS.items() if re.fullmatch(pattern, operation)]
    assert len(found) == 1, operation
    return [error.message for error in Draft202012Validator(found[0]).iter_errors(body)]


def typed(operation, form):
    """Give form fields, as on the wire, the nesting and types that the schema has for them."""
    [pattern] = [pattern for pattern in SCHEMAS if re.fullmatch(pattern, operation)]
    nested = {}
    for name, value in parse_qsl(urlencode(form), keep_blank_values=True):
        *path, last = re.findall(r"[^\[\]]+", name)
        node = nested
        for step in path:
            node = node.setdefault(step, {})
        node[last] = value
    return _typed(nested, SCHEMAS[pattern])


def _typed(value, shape):
    for one in shape.get("anyOf", [shape]):
        if one.get("type") == "array" and isinstance(value, dict):
            return [_typed(value[n], one["items"]) for n in sorted(value, key=int)]
        if one.get("type") == "object" and isinstance(value, dict):
            inner, other = one.get("properties", {}), one["additionalProperties"] or {}
            return {name: _typed(v, inner.get(name, other)) for name, v in value.items()}
        if (
            one.get("type") == "integer"
            and isinstance(value, str)
            and re.fullmatch("[0-9]+", value)
        ):
            return int(value)
        if one.get("type") == "boolean" and value in ("true", "false"):
            return value == "true"
    return value
