"""Mail bodies, built by SendGrid's own models; they never see the key and never send.

Source: sendgrid 6.12.5 `sendgrid.helpers.mail`.
"""

from sendgrid.helpers import mail as vendor

from connectors.sendgrid.items import AlertMail, Mail, PlainMail, TemplateMail
from hub import Json, Reject


def template_body(mail: TemplateMail, sender: vendor.From, job: str) -> dict[str, Json]:
    """Give the request body of a template mail that carries our job's uid."""
    made = _envelope(mail, sender, job)
    made.template_id = vendor.TemplateId(mail.template_id)
    made.personalizations[0].dynamic_template_data = mail.data
    return _plain(made)


def plain_body(mail: PlainMail, sender: vendor.From, job: str) -> dict[str, Json]:
    """Give the request body of a mail with its own text.

    Raises:
        Reject: The SendGrid models see an API key in the text.
    """
    made = _envelope(mail, sender, job)
    made.subject = vendor.Subject(mail.subject)
    for kind, text in ((vendor.MimeType.text, mail.text), (vendor.MimeType.html, mail.html)):
        if text is not None:
            _add(made, kind, text)
    return _plain(made)


def alert_body(mail: AlertMail, sender: vendor.From, job: str) -> dict[str, Json]:
    """Give the request body of one mail to all who are to know.

    Raises:
        Reject: The SendGrid models see an API key in the text.
    """
    made = vendor.Mail(from_email=sender)
    people = vendor.Personalization()
    for email in mail.to:
        people.add_to(address(vendor.To, email, None))
    people.add_custom_arg(vendor.CustomArg("hub_job", job))
    made.add_personalization(people)
    made.subject = vendor.Subject(mail.subject)
    _add(made, vendor.MimeType.text, mail.text)
    return _plain(made)


def address(kind: type[vendor.Email], email: str, name: str | None) -> vendor.Email:
    """Give an address as it is: the model's constructor would read `a <b@c>` apart."""
    made = kind()
    made.email, made.name = email, name
    return made


def _add(made: vendor.Mail, kind: str, text: str) -> None:
    try:
        made.add_content(vendor.Content(kind, text))
    except vendor.ApiKeyIncludedException as error:
        raise Reject("the mail's text holds a SendGrid API key") from error


def _envelope(mail: Mail, sender: vendor.From, job: str) -> vendor.Mail:
    person = vendor.Personalization()
    person.add_to(address(vendor.To, mail.to.email, mail.to.name))
    for key, value in {**mail.custom_args, "hub_job": job}.items():
        person.add_custom_arg(vendor.CustomArg(key, value))
    made = vendor.Mail(from_email=sender)
    made.add_personalization(person)
    for category in reversed(mail.categories):  # add_category puts each one first
        made.add_category(vendor.Category(category))
    if mail.asm_group is not None:
        made.asm = vendor.Asm(mail.asm_group)
    return made


def _plain(made: vendor.Mail) -> dict[str, Json]:
    body: dict[str, Json] = made.get()
    return body
