"""The double's properties: those HubSpot has by itself, ours, and the values they take.

Source: https://knowledge.hubspot.com/properties (default properties of each object; 2026-03).
"""

import math
from collections.abc import Mapping
from datetime import datetime

from hub import Json

NATURAL = {"contact": "email", "deal": "shop_order_id", "line_item": "shop_line_id"}
"""The unique property by which the ledger names a record."""

Named = tuple[str, str, str]
"""A refused property: its name, HubSpot's code, HubSpot's words."""

STANDARD: dict[str, dict[str, str]] = {
    "contact": {
        "string": "email firstname lastname phone mobilephone company website jobtitle address "
        "city state zip country hs_language hs_state_code hs_country_region_code salutation",
        "enumeration": "lifecyclestage hs_lead_status hs_legal_basis hs_marketable_status",
    },
    "deal": {
        "string": "dealname description deal_currency_code hubspot_owner_id closed_lost_reason "
        "closed_won_reason hs_next_step",
        "number": "amount hs_tcv hs_acv",
        "datetime": "closedate",
        "enumeration": "dealstage pipeline dealtype hs_priority",
    },
    "line_item": {
        "string": "name description hs_sku hs_url hs_images hs_product_id hs_tax_rate_group_id "
        "hs_line_item_currency_code recurringbillingfrequency",
        "number": "quantity price amount discount hs_discount_percentage tax "
        "hs_cost_of_goods_sold hs_position_on_quote",
    },
}
OPTIONS = {
    "lifecyclestage": "subscriber lead marketingqualifiedlead salesqualifiedlead opportunity "
    "customer evangelist other",
    "pipeline": "default",
    "dealstage": "appointmentscheduled qualifiedtobuy presentationscheduled "
    "decisionmakerboughtin contractsent closedwon closedlost",
    "dealtype": "newbusiness existingbusiness",
}


def standard(kind: str) -> dict[str, dict[str, Json]]:
    """Give the properties a fresh account has."""
    made = {
        name: definition(name, type_)
        for type_, names in STANDARD[kind].items()
        for name in names.split()
    }
    if kind == "contact":
        made["email"] = definition("email", "string", unique=True)
    return made


def definition(name: str, type_: str, *, unique: bool = False) -> dict[str, Json]:
    """Describe a property as the properties API does."""
    return {
        "name": name, "label": name, "type": type_, "fieldType": "text", "description": "",
        "groupName": "information", "options": [], "hasUniqueValue": unique,
    }  # fmt: skip


def fold(name: str, value: str) -> str:
    """Bring a value into the form HubSpot keeps."""
    return value.strip().lower() if name == "email" else value


def fault(known: Mapping[str, Json] | None, name: str, value: str) -> Named | None:
    """Say what is wrong with a value; None where nothing is."""
    if known is None:
        return name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
    if name == "email" and ("@" not in value or value.startswith("@") or " " in value):
        return name, "INVALID_EMAIL", f"Email address {value} is invalid"
    if value and known["type"] == "number" and not _is_number(value):
        return name, "INVALID_DOUBLE", f"{value} was not a valid number."
    if value and known["type"] == "datetime" and not _is_time(value):
        return name, "INVALID_DATE", f"{value} was not a valid long."
    if value and name in OPTIONS and value not in OPTIONS[name].split():
        return name, "INVALID_OPTION", f"{value} was not one of the allowed options"
    return None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        return (text.isascii() and text.isdigit()) or bool(datetime.fromisoformat(text))
    except ValueError:
        return False
