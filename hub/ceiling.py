"""Ceilings: how many messages or money moves a route may make in an hour, in all and to one person.

Above one, jobs are held until a person releases or cancels them. None is let through while its
route is paused.
"""

from dataclasses import dataclass

from hub.model import Json, read_json

CAPPED = ("message", "money")
LEAST, TIMES, LOOK_BACK_DAYS = 200, 5, 14
PER_RECIPIENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The ceiling of one route.

    Args:
        per_hour: Jobs in an hour; None: by how busy the route was before.
        per_recipient: Jobs in an hour to one recipient.
        recipient: Where the input names whom it is for (`to.email`); None: it names nobody.
        paused: config.yaml lets nothing of the route be sent, whatever it does.
    """

    per_hour: int | None = None
    per_recipient: int = PER_RECIPIENT
    recipient: str | None = None
    paused: bool = False

    def most(self, busiest: int) -> int:
        """Give the jobs of an hour, by the busiest hour of the last days.

        >>> Ceiling().most(7), Ceiling().most(100), Ceiling(per_hour=3).most(100)
        (200, 500, 3)
        """
        return self.per_hour if self.per_hour is not None else max(LEAST, TIMES * busiest)


PAUSED = Ceiling(paused=True)


def recipient_of(payload: bytes | None, path: str | None) -> str | None:
    """Read whom an input is for, alike however it is written; None where it does not say.

    >>> recipient_of(b'{"to": {"email": "A@Example.com "}}', "to.email")
    'a@example.com'
    """
    if payload is None or path is None:
        return None
    found: Json = read_json(payload)
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return str(found).strip().lower() if isinstance(found, str | int) else None
