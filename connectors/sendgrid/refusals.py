"""What SendGrid refuses in a mail, in its own words; for the double.

Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors and
twilio/sendgrid-oai `spec/json/tsg_mail_v3.json` @ dbe0e0d2 (MIT; read 2026-11). The words for
fields that do not exist and for values of a wrong type are (unchecked).
"""

import re
from collections.abc import Iterator, Mapping

from hub import Json, write_json

Refusal = tuple[str, str | None]
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\Z")
FIELDS = frozenset({
    "asm", "attachments", "batch_id", "categories", "content", "custom_args", "from", "headers",
    "ip_pool_name", "mail_settings", "personalizations", "reply_to", "reply_to_list", "sections",
    "send_at", "subject", "template_id", "tracking_settings",
})  # fmt: skip
PERSON_FIELDS = frozenset({
    "bcc", "cc", "custom_args", "dynamic_template_data", "from", "headers", "send_at", "subject",
    "substitutions", "to",
})  # fmt: skip
NO_FROM = "The from object must be provided for every email send."
NO_PERSONS = "The personalizations field is required and must have at least one personalization."
NO_TO = (
    "The to array is required for all personalization objects, and must have at least one email "
    "object with a valid email address."
)
NO_SUBJECT = "The subject is required, unless a template or every personalization has one."
NO_CONTENT = "Unless a valid template_id is provided, the content parameter is required."
TWICE = "Each email address in the personalization block should be unique between to, cc, and bcc."


def refusals(body: Json) -> list[Refusal]:
    """List each refusal as (message, field); none means that the mail is taken."""
    if not isinstance(body, dict):
        return [("Bad Request", None)]
    persons = body.get("personalizations")
    if not isinstance(persons, list) or not persons:
        return [(NO_PERSONS, "personalizations"), *_unknown(body, FIELDS, "")]
    found = [*_unknown(body, FIELDS, ""), *_sender(body), *_text(body, persons), *_counted(body)]
    for number, person in enumerate(persons):
        found += _person(person, f"personalizations.{number}.")
    return found


def _unknown(found: Mapping[str, Json], known: frozenset[str], where: str) -> Iterator[Refusal]:
    for name in sorted(found.keys() - known):
        yield f"Additional property {name} is not allowed", f"{where}{name}"


def _sender(body: Mapping[str, Json]) -> Iterator[Refusal]:
    sender = body.get("from")
    if not isinstance(sender, dict) or not sender.get("email"):
        yield NO_FROM, "from.email"
    elif not _address(sender["email"]):
        yield "The from email does not contain a valid address.", "from.email"


def _text(body: Mapping[str, Json], persons: list[Json]) -> Iterator[Refusal]:
    if body.get("template_id"):
        return
    if not body.get("subject") and not all(_object(p).get("subject") for p in persons):
        yield NO_SUBJECT, "subject"
    blocks = body.get("content")
    if not isinstance(blocks, list) or not blocks:
        yield NO_CONTENT, "content"
        return
    for number, block in enumerate(blocks):
        for name in ("type", "value"):
            if not _object(block).get(name):
                yield (
                    f"The content {name} must be a string of some length.",
                    f"content.{number}.{name}",
                )


def _counted(body: Mapping[str, Json]) -> Iterator[Refusal]:
    categories = body.get("categories", [])
    if not isinstance(categories, list) or len(categories) > 10:
        yield "You cannot have more than 10 categories.", "categories"
    elif any(not isinstance(c, str) or not 0 < len(c) <= 255 for c in categories):
        yield "A category must be a string of at most 255 characters.", "categories"
    if "asm" in body and not isinstance(_object(body["asm"]).get("group_id"), int):
        yield "asm.group_id is required and must be an integer.", "asm.group_id"
    mode = _object(body.get("mail_settings", {})).get("sandbox_mode", {})
    if not isinstance(body.get("mail_settings", {}), dict) or not isinstance(mode, dict):
        yield "Invalid type. Expected: object.", "mail_settings"
    yield from _arguments(body.get("custom_args", {}), "custom_args")


def _person(person: Json, where: str) -> Iterator[Refusal]:
    if not isinstance(person, dict) or not isinstance(person.get("to"), list) or not person["to"]:
        yield NO_TO, f"{where}to"
        return
    yield from _unknown(person, PERSON_FIELDS, where)
    addresses = [_object(to).get("email") for to in person["to"]]
    for number, address in enumerate(addresses):
        if not _address(address):
            yield "Does not contain a valid address.", f"{where}to.{number}.email"
    if len({str(address).lower() for address in addresses}) < len(addresses):
        yield TWICE, f"{where}to"
    yield from _arguments(person.get("custom_args", {}), f"{where}custom_args")


def _arguments(args: Json, where: str) -> Iterator[Refusal]:
    if not isinstance(args, dict) or any(not isinstance(value, str) for value in args.values()):
        yield "Invalid type. Expected: string.", where
    elif len(write_json(args)) > 10_000:
        yield "Custom args may not exceed 10,000 bytes.", where


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _address(value: Json) -> bool:
    return isinstance(value, str) and ADDRESS.match(value) is not None
