"""Texts become Secrets where a model's field is one; a secret written in clear is a fault."""

from dataclasses import replace
from typing import Any, get_args, get_origin

from hub.config.references import Referred, Unset
from hub.config.refusals import models_in
from hub.config.report import Report, dotted
from hub.nodes import Items, Node, Path, Scalar
from hub.secrets import Secret


def seal(node: Node, hint: Any, path: Path, report: Report, *, production: bool) -> Node:
    """Give the tree below a path with a Secret wherever the annotation wants one.

    Args:
        production: A secret in clear is an error, not a warning.
    """
    return _Sealing(report, production).node(node, hint, path)


class _Sealing:
    """One walk over a tree beside its annotation."""

    def __init__(self, report: Report, production: bool) -> None:
        self._report, self._production = report, production

    def node(self, node: Node, hint: Any, path: Path) -> Node:
        if isinstance(node, Scalar):
            return self._scalar(node, path) if _wants_secret(hint) else node
        if isinstance(node, Items):
            inner = next(iter(get_args(_plain(hint))), None)
            made = [self.node(item, inner, (*path, n)) for n, item in enumerate(node.items)]
            return replace(node, items=tuple(made))
        return replace(
            node,
            pairs=tuple(
                (key, self.node(value, _hint_of(hint, key.text), (*path, key.text)))
                for key, value in node.pairs
            ),
        )

    def _scalar(self, node: Scalar, path: Path) -> Node:
        value = node.value
        if value is None or isinstance(value, bool | Secret):
            return node
        if not isinstance(value, Referred):
            self._report.hide(path, name=str(path[-1]), value=str(value))
            fix = "write ${env:NAME}; change the secret, it is in your file's history"
            text = f"{dotted(path)} holds a secret in clear"
            self._report.at(path, "secret.literal", text, fix, warning=not self._production)
            return replace(node, value=Secret(str(value), str(path[-1])))
        if not value.whole:
            self._report.hide(path, name=value.name, value=value)
            text = f"{dotted(path)} is a secret: it takes one whole reference"
            self._report.at(path, "ref.place", text, "${env:NAME} or ${file:/path}")
        self._report.hide(path, name=value.name, value=value)
        made = Unset("", value.name) if value.missing else Secret(value, value.name)
        return replace(node, value=made)


def _plain(hint: Any) -> Any:
    """Take an annotation out of Annotated and `| None`."""
    if hasattr(hint, "__metadata__"):
        return _plain(hint.__origin__)
    arms = [arm for arm in get_args(hint) if arm is not type(None)]
    lone = len(arms) == 1 and get_origin(hint) not in (list, tuple, dict, frozenset, set)
    return _plain(arms[0]) if lone else hint


def _wants_secret(hint: Any) -> bool:
    """Say whether a text at this annotation is a Secret; for a dated secret it is its value."""
    if hint is Secret:
        return True
    if get_origin(hint) in (list, tuple, dict, frozenset, set):
        return False
    shorthand = (m.model_fields.get("value") for m in models_in(hint))
    arms = [field.annotation for field in shorthand if field] or list(get_args(hint))
    return any(_wants_secret(arm) for arm in arms)


def _hint_of(hint: Any, key: str) -> Any:
    """Give the annotation of what stands under a key."""
    found = _plain(hint)
    if get_origin(found) is dict:
        return get_args(found)[1]
    for model in models_in(hint):
        for name, field in model.model_fields.items():
            if key in (name, field.alias):
                return field.annotation
    return None
