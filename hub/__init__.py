"""The public vocabulary: all that a connector imports."""

from hub.clock import Clock, ManualClock, SystemClock
from hub.effects import (
    Auth,
    Effect,
    Limit,
    RateHeaders,
    Signing,
    basic,
    bearer,
    deduped,
    header,
    keyed,
    unsafe,
    upsert,
)
from hub.errors import (
    Ambiguous,
    AuthFailed,
    CallError,
    ConfigError,
    HubError,
    RateLimited,
    Reject,
    Retry,
    SignatureError,
    Skip,
)
from hub.expr import Expr
from hub.ids import made_at
from hub.model import (
    RECURRING,
    Booked,
    Event,
    FactName,
    Json,
    Money,
    Outcome,
    PaymentFact,
    Request,
    read_json,
    rfc3339,
    write_json,
)
from hub.payments import Capture, Find, Pay, PayLine, Refund, Sum
from hub.personal import NOT_PERSONAL, PERSONAL
from hub.plugin import (
    Answer,
    Call,
    Check,
    Connector,
    ConnectorSettings,
    Http,
    ItemResult,
    Links,
    Reply,
    Url,
    action,
    lookup,
    sent_key,
)
from hub.secrets import Secret
from hub.sources import Page, source
from hub.subscriptions import Made, Subscribes, Subscription, Wanted, permitted
from webhooks import schemes

__all__ = [
    "NOT_PERSONAL", "PERSONAL", "RECURRING",
    "Ambiguous", "Answer", "Auth", "AuthFailed", "Booked", "Call", "CallError", "Capture",
    "Check", "Clock", "ConfigError", "Connector", "ConnectorSettings", "Effect", "Event",
    "Expr", "FactName", "Find", "Http", "HubError", "ItemResult", "Json", "Limit", "Links",
    "Made", "ManualClock", "Money", "Outcome", "Page", "Pay", "PayLine", "PaymentFact",
    "RateHeaders", "RateLimited", "Refund", "Reject", "Reply", "Request", "Retry", "Secret",
    "SignatureError", "Signing", "Skip", "Subscribes", "Subscription", "Sum", "SystemClock",
    "Url", "Wanted", "action", "basic", "bearer", "deduped", "header", "keyed", "lookup",
    "made_at", "permitted", "read_json", "rfc3339", "schemes", "sent_key", "source", "unsafe",
    "upsert", "write_json",
]  # fmt: skip
