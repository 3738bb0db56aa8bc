"""POST /v1/forms/{key}: public forms; each is an event, of which routes make mails and contacts.

No key is needed. Rate-limited per address; what fills the honeypot is answered like the others and
kept nowhere.
"""

from collections.abc import Mapping, Sequence
from math import ceil

from pydantic import RootModel

from hub.api.endpoint import PUBLIC, Answer, Ask, Endpoints
from hub.api.reading import MOST_ERRORS, join
from hub.config.forms import Form, FormField
from hub.errors import Refused
from hub.model import Event, Json
from hub.shop.inputs import EMAIL
from store.tx import Tx
from webhooks import guard

TAKEN: Json = {"taken": True}
TOO_LONG_EMAIL = 254
forms = Endpoints()


class FormBody(RootModel[dict[str, str | bool]]):
    """The fields of a form, by name."""


@forms.post(
    "/forms/{key}",
    may=PUBLIC,
    takes=FormBody,
    gives={202: "Taken"},
    key=None,
)
async def send_form(ask: Ask) -> Answer:
    """Take in a public form."""
    _spend(ask)
    name = ask.part("key")
    form = ask.api.forms.get(name)
    if form is None:
        raise Refused("not_found", "there is no such form")
    given: dict[str, str | bool] = ask.item.root
    caught = bool(form.honeypot and given.pop(form.honeypot, None))
    if faults := list(_faults(form, given)):
        raise Refused("validation_error", "the form is not filled in", errors=faults[:MOST_ERRORS])
    if not caught:
        await ask.api.store.change(_emit, (name, _cleaned(form, given)))
    return Answer(body=TAKEN, status=202)


def _spend(ask: Ask) -> None:
    forwarded: Sequence[str] = ask.request.headers.getall("X-Forwarded-For", [])
    address = guard.caller(ask.request.remote or "", forwarded, ask.api.proxies)
    found = ask.api.form_meter.spend(address, ask.api.clock.now().timestamp())
    if not found.allowed:
        wait = {"violated-policies": ["forms"], "retry_after": ceil(found.wait)}
        raise Refused("quota_exceeded", "too many forms from one address", **wait)


def _emit(tx: Tx, told: tuple[str, Mapping[str, Json]]) -> None:
    name, data = told
    tx.emit(Event(type=f"form.{name}", at=tx.now, data=dict(data)))


def _cleaned(form: Form, given: Mapping[str, str | bool]) -> dict[str, Json]:
    """Trim texts, and write addresses in lower case as customers are known by them."""
    told: dict[str, Json] = {}
    for name, value in given.items():
        text = value.strip() if isinstance(value, str) else value
        if isinstance(text, str) and form.fields[name].type == "email":
            text = text.lower()
        told[name] = text
    return {name: value for name, value in told.items() if value != ""}


def _faults(form: Form, given: Mapping[str, str | bool]) -> list[Json]:
    faults = [
        {"pointer": join(name), "code": "unknown", "detail": "the form has no such field"}
        for name in given
        if name not in form.fields
    ]
    for name, field in form.fields.items():
        value = given.get(name)
        if value is None or value == "":
            if field.required:
                told = {"pointer": join(name), "code": "missing", "detail": "must be filled in"}
                faults.append(told)
        elif why := _wrong(field, value):
            faults.append({"pointer": join(name), "code": "invalid", "detail": why})
    return faults


def _wrong(field: FormField, value: str | bool) -> str | None:
    if field.type == "bool":
        return None if isinstance(value, bool) else "wants true or false"
    if not isinstance(value, str):
        return "wants text"
    if len(value) > field.max:
        return f"has more than {field.max} characters"
    if field.type == "email":
        fits = len(value) <= TOO_LONG_EMAIL and EMAIL.fullmatch(value.strip())
        return None if fits else "is no e-mail address"
    if field.type == "phone" and not any(char.isdigit() for char in value):
        return "is no phone number"
    return None
