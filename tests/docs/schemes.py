"""What each provider's webhook signature is worth: tables made of the schemes' declarations."""

from collections.abc import Iterator

from pydantic_core import PydanticUndefined

from hub.discovery import discover, homes
from hub.effects import Signing
from tests.docs.effects import SHIPPED
from webhooks.library import SCHEMES
from webhooks.signers import Signer

COVERS = {"body": "all", "partial": "some fields", "none": "nothing"}
Row = tuple[str, str, Signing]


def every() -> Iterator[Row]:
    """Give how it is written, the provider, and the signature: connectors first."""
    for kind, home in sorted(homes().items()):
        if home.parent == SHIPPED and (signing := discover(kind).signature) is not None:
            title = (home / "README.md").read_text("utf-8").partition("\n")[0].removeprefix("# ")
            yield f"`type: {kind}`", title, signing
    for name, scheme in SCHEMES.items():
        yield f"`{name}`", scheme.title, scheme.signing


def short(_: str = "") -> str:
    """Make the README's table."""
    rows = ["| provider | signed | a replay is stopped by | while a secret changes |",
            "|---|---|---|---|"]  # fmt: skip
    rows += [
        f"| {title} | {COVERS[signing.covers]} | {replay(signing)} | {rotation(signing)} |"
        for _, title, signing in every()
    ]
    return "\n".join(rows)


def full(_: str = "") -> str:
    """Make the guide's table."""
    head = "scheme | provider | covers | window | a repeat is known by | while a secret changes"
    rows = [f"| {head} | source |", "|---|---|---|---|---|---|---|"]
    rows += [
        f"| {name} | {title} | {signing.covers}{' and URL' if signing.url else ''} "
        f"| {window(signing)} | {signing.dedupe} | {rotation(signing)} | {signing.source} |"
        for name, title, signing in every()
    ]
    return "\n".join(rows)


def options(_: str = "") -> str:
    """Make the table of what can be set beside a scheme's name."""
    rows = ["| scheme | setting | default | means |", "|---|---|---|---|"]
    rows += [row for name, scheme in SCHEMES.items() for row in _settings(name, scheme.signer)]
    return "\n".join(rows)


def _settings(name: str, signer: type[Signer]) -> Iterator[str]:
    for setting, field in signer.model_fields.items():
        given = "**required**" if field.default is PydanticUndefined else f"`{field.default}`"
        default = given.replace("`None`", "none").replace("``", "none")
        yield f"| `{name}` | `{setting}` | {default} | {field.description or _choices(field)} |"


def _choices(field: object) -> str:
    return " or ".join(f"`{one}`" for one in field.annotation.__args__)  # type: ignore[attr-defined] # a Literal


def window(signing: Signing) -> str:
    """Say how old, and how far ahead, a request may be."""
    if signing.window is None:
        return "no time is signed"
    past, future = (_span(seconds) for seconds in signing.window)
    return f"±{past}" if past == future else f"{past} back, {future} ahead"


def _span(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 3600 else f"{seconds / 3600:g} h"


def replay(signing: Signing) -> str:
    """Say what stops a captured request that comes again."""
    known = signing.dedupe.removeprefix("header ")
    return known if signing.window is None else f"{window(signing)}, then {known}"


def rotation(signing: Signing) -> str:
    """Say how a secret is changed without a gap; the hub tries each of its secrets."""
    return "signs with both" if signing.overlap else "we take both"
