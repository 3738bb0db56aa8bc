"""Compare the kinds of what a mapping makes with what its target takes; find dead conditions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jinja2 import nodes

from hub.errors import Fault  # noqa: TC001 -- read at run time, like every annotation here
from hub.model import Json
from hub.nodes import Node, fault
from hub.personal import MARK
from mappings import grammar, kinds
from mappings.forms import Concat, For, Form, If, List, Literal, Lone, Object, Switch, Text, below
from mappings.inference import Inference, asked
from mappings.kinds import UNKNOWN, Known
from mappings.schemas import Schema
from mappings.values import kind

Scope = Mapping[str, Known]
_NONE: frozenset[str] = frozenset()


class Fits:
    """Walks a mapping's forms beside its target; collects what does not fit.

    Args:
        target: The action's name; "" where only expressions are looked at.
    """

    def __init__(self, file: str, target: str = "") -> None:
        self.faults: list[Fault] = []
        self._file, self._target = file, target

    def result(self, form: Form, scope: Scope, schema: Schema | None) -> None:
        """Check a whole mapping; a root list makes one item of the target each."""
        where = schema if schema is not None else Schema(None)
        marked = schema is None or not _marks(where)
        self._form(form, scope, where, _NONE, marked=marked, path="", items=True)

    def value(self, form: Form, scope: Scope, defined: frozenset[str] = _NONE) -> Known:
        """Infer a form that is no part of a target: a `let`, a condition."""
        if isinstance(form, Lone | Text):
            return self._inferred(form, scope, defined)
        if isinstance(form, Literal):
            return kinds.constant(form.node.value)
        self._form(form, scope, Schema(None), defined, marked=True, path="")
        listed = isinstance(form, List | For | Concat)
        return kinds.made("list" if listed else "object") if not _branches(form) else UNKNOWN

    def condition(self, form: Lone, scope: Scope, defined: frozenset[str] = _NONE) -> None:
        """Check that a condition gives true or false, and not always the same."""
        known = self._inferred(form, scope, defined)
        if known.kinds is not None and "bool" not in known.kinds:
            text = f"a condition wants true or false, this is {kinds.worded(known.kinds)}"
            self._say(form.node, "mapping.type", text)
        if not grammar.named(form.formula) - grammar.RESERVED:
            self._say(form.node, "mapping.constant", "this is always the same", warning=True)

    # -- forms -------------------------------------------------------------------------------------
    def _form(
        self, form: Form, scope: Scope, schema: Schema, defined: frozenset[str], *,
        marked: bool, path: str, items: bool = False,
    ) -> None:  # fmt: skip
        marked = marked or schema.personal() is True
        more: dict[str, Any] = {"marked": marked, "path": path, "items": items}
        if isinstance(form, Lone | Text):
            known = self._inferred(form, scope, defined)
            self._leaf(form, known, schema, marked=marked, path=path, items=items)
        elif isinstance(form, Literal):
            self._literal(form, schema, path)
        elif isinstance(form, If):
            self.condition(form.test, scope, defined)
            inner = defined | _asked(form.test)
            for branch in below(form)[1:]:
                self._form(branch, scope, schema, inner, **more)
        elif isinstance(form, Switch):
            self._switch(form, scope, defined)
            for branch in below(form)[1:]:
                self._form(branch, scope, schema, defined, **more)
        elif isinstance(form, Object):
            self._shape(form.node, "object", schema, path)
            for name, _, value in form.fields:
                field = schema.field(name)
                field = Schema(None) if field == "absent" else field
                inside = f"{path}.{name}" if path else name
                self._form(value, scope, field, defined, marked=marked, path=inside)
        else:
            if not items:
                self._shape(form.node, "list", schema, path)
            self._list(form, scope, schema if items else schema.items(), defined, marked, path)

    def _list(
        self, form: Form, scope: Scope, each: Schema, defined: frozenset[str], marked: bool,
        path: str,
    ) -> None:  # fmt: skip
        if isinstance(form, For):
            over = self._inferred(form.over, scope, defined)
            self._sure(form.over.node, over, "$for")
            item = Known.of(over.schema.items())
            inner = {
                **scope,
                form.name: item,
                **({form.index: kinds.made("int")} if form.index else {}),
            }
            if form.keep is not None:
                self.condition(form.keep, inner, defined)
                defined |= _asked(form.keep)
            self._form(form.value, inner, each, defined, marked=marked, path=f"{path}[]")
            return
        for part in below(form):
            lists = isinstance(form, Concat) and isinstance(part, List | For | Concat)
            if lists:
                self._list(part, scope, each, defined, marked, path)
            else:
                where = Schema(None) if isinstance(form, Concat) else each
                self._form(part, scope, where, defined, marked=marked, path=f"{path}[]")

    def _switch(self, form: Switch, scope: Scope, defined: frozenset[str]) -> None:
        known = self._inferred(form.on, scope, defined)
        self._absent(form.on.node, known)
        if known.cases is None:
            return
        for case, key, _ in form.cases:
            if case not in known.cases:
                text = f"'{case}' never comes"
                self._say(key, "mapping.switch", text, grammar.closest(case, known.cases))
        if form.other is None:
            given = {case for case, _, _ in form.cases}
            left = [case for case in known.cases if case not in given]
            if left:
                named = (
                    f"{', '.join(map(repr, left))} {'has' if len(left) == 1 else 'have'} no case"
                )
                text = f"{named} and there is no $else"
                self._say(form.node, "mapping.switch", text, f"{left[0]}: …, or $else: …")

    # -- values ------------------------------------------------------------------------------------
    def _leaf(
        self,
        form: Lone | Text,
        known: Known,
        schema: Schema,
        *,
        marked: bool,
        path: str,
        items: bool,
    ) -> None:
        self._absent(form.node, known)
        wanted = kinds.kinds_of(schema)
        if items and known.kinds == frozenset({"list"}):
            return
        if wanted and known.kinds is not None and not _fit(known.kinds, wanted):
            text = f"'{path}' wants {kinds.worded(wanted)}, {form.node.text} is "
            self._say(
                form.node,
                "mapping.type",
                text + kinds.worded(known.kinds),
                _mend(wanted, known.kinds),
            )
        self._cases(form.node, known.cases, schema, path)
        if known.personal and not marked:
            text = f"{known.personal} is personal data, {self._target} is not for it"
            self._say(
                form.node, "mapping.personal", text, "leave it out, or | sha256", warning=True
            )

    def _literal(self, form: Literal, schema: Schema, path: str) -> None:
        value, wanted = form.node.value, kinds.kinds_of(schema)
        if wanted and not _fit(frozenset({kind(value)}), wanted):
            text = f"'{path}' wants {kinds.worded(wanted)}, this is {kinds.worded({kind(value)})}"
            fix = "write it in quotes" if wanted == frozenset({"string"}) else ""
            self._say(form.node, "mapping.type", text, fix)
        elif isinstance(value, str):
            self._cases(form.node, (value,), schema, path)
            for text in _misfits(value, schema.node):
                self._say(form.node, "mapping.type", f"'{path}' {text}")

    def _cases(self, node: Node, given: tuple[str, ...] | None, schema: Schema, path: str) -> None:
        allowed = kinds.cases_of(schema)
        for case in given or ():
            if allowed is not None and case not in allowed:
                text = f"'{path}' is never '{case}': it takes {', '.join(allowed)}"
                self._say(node, "mapping.enum", text, grammar.closest(case, allowed))

    def _shape(self, node: Node, made: str, schema: Schema, path: str) -> None:
        wanted = kinds.kinds_of(schema)
        if wanted and made not in wanted:
            text = f"'{path}' wants {kinds.worded(wanted)}, this is {kinds.worded({made})}"
            self._say(node, "mapping.type", text)

    def _sure(self, node: Node, known: Known, by: str) -> None:
        self._absent(node, known)
        if known.kinds is not None and "list" not in known.kinds:
            self._say(
                node, "mapping.type", f"{by} wants a list, this is {kinds.worded(known.kinds)}"
            )

    def _absent(self, node: Node, known: Known) -> None:
        if known.absent:
            text = f"{known.absent} may be absent; this fails where it is"
            self._say(node, "mapping.optional", text, "| default(omit)", warning=True)

    def _inferred(self, form: Lone | Text, scope: Scope, defined: frozenset[str]) -> Known:
        def say(node: nodes.Node, code: str, text: str, fix: str, *, warning: bool = False) -> None:
            at = form.formula.source(node)
            found = fault(form.node, code, text, offset=at, fix=fix, warning=warning)
            self.faults.append(replace(found, file=self._file))

        return Inference(form.formula, scope, defined, say).whole()

    def _say(
        self, node: Node, code: str, text: str, fix: str = "", *, warning: bool = False
    ) -> None:
        found = fault(node, code, text, fix=fix, warning=warning)
        self.faults.append(replace(found, file=self._file))


def _fit(given: frozenset[str], wanted: frozenset[str]) -> bool:
    """Say whether any of these kinds is taken; what may be omitted or null is seen elsewhere."""
    return bool(given & (wanted | {"omit"}))


def _mend(wanted: kinds.Kinds, given: kinds.Kinds) -> str:
    """Name the filter that makes one of the other, where there is one."""
    if wanted == frozenset({"string"}) and given <= kinds.WRITABLE:
        return "| string"
    return "| int" if wanted == frozenset({"int"}) and given <= kinds.WRITABLE else ""


def _branches(form: Form) -> bool:
    return isinstance(form, If | Switch)


def _asked(test: Lone) -> frozenset[str]:
    return frozenset(path for node in test.formula.expressions for path in asked(node))


def _misfits(text: str, node: Json) -> Iterator[str]:
    """Say how a fixed text breaks its target's length or pattern."""
    if not isinstance(node, dict):
        return
    least, most, pattern = (node.get(key) for key in ("minLength", "maxLength", "pattern"))
    if isinstance(most, int) and len(text) > most:
        yield f"takes at most {most} characters, this has {len(text)}"
    if isinstance(least, int) and len(text) < least:
        yield f"takes at least {least} characters, this has {len(text)}"
    if isinstance(pattern, str) and not _matches(pattern, text):
        yield f"wants text like {pattern}"


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _marks(schema: Schema) -> bool:
    """Say whether an action's schema says anywhere what is for personal data."""
    return f"'{MARK}'" in str(schema.document)
