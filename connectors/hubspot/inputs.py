"""What the actions take: our ids, and HubSpot's property names with text values only.

Source: https://developers.hubspot.com/docs/api-reference/crm-objects (2026-03).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hub import NOT_PERSONAL, PERSONAL

Kind = Literal["contact", "deal", "line_item"]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^\s@]+@[^\s@]+$"
    ),
]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
Values = dict[Name, str]

TYPES: dict[tuple[str, str], int] = {
    ("contact", "deal"): 4,
    ("deal", "contact"): 3,
    ("deal", "line_item"): 19,
    ("line_item", "deal"): 20,
}
"""HUBSPOT_DEFINED association type ids. Source: hubspot-api-client 12.0.0, association_type.py."""


class Input(BaseModel):
    """What all inputs share: nothing unknown, nothing changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Contact(Input):
    """A person by e-mail; `link` is our customer id, under which HubSpot's id is kept."""

    email: Email = Field(json_schema_extra=PERSONAL)
    properties: Values = Field(default_factory=dict, json_schema_extra=PERSONAL)
    link: Id | None = None


class Deal(Input):
    """A deal by our order id, a unique property of deals; who bought it is the contact's."""

    model_config = ConfigDict(json_schema_extra=NOT_PERSONAL)

    shop_order_id: Id
    properties: Values = Field(default_factory=dict)


class LineItem(Input):
    """A line item by our line id, a unique property of line items."""

    model_config = ConfigDict(json_schema_extra=NOT_PERSONAL)

    shop_line_id: Id
    properties: Values = Field(default_factory=dict)


class Association(Input):
    """Two records that belong together, by our ids of them."""

    from_kind: Kind
    from_id: Id
    to_kind: Kind
    to_id: Id

    @model_validator(mode="after")
    def _known(self) -> Self:
        if (self.from_kind, self.to_kind) not in TYPES:
            raise ValueError(f"{self.from_kind} and {self.to_kind} cannot be associated")
        return self


class UniqueProperties(Input):
    """Which of our unique properties to make; those of deals and line items always."""

    customer: bool = False
