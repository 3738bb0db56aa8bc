"""What a connector's folder must be, before anything is played: imports, class, docs, fixtures."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo

import hub
from hub.plugin import Connector, ConnectorSettings
from hub.sandbox import Double
from hub.testing.case import Case, Mismatch, need, same
from hub.testing.folder import Folder, load
from hub.testing.outbound import expectation

README_LINES = 80
OURS = frozenset({"store", "webhooks", "mappings", "connectors", "hub"})
NEVER: Mapping[str, str] = {
    "aiohttp": "call.http is the way out",
    "httpx": "call.http is the way out",
    "requests": "call.http is the way out",
    "urllib3": "call.http is the way out",
    "urllib.request": "call.http is the way out",
    "http.client": "call.http is the way out",
    "socket": "call.http is the way out",
    "sqlite3": "call.links keeps what an action needs later",
    "sqlalchemy": "call.links keeps what an action needs later",
    "threading": "a connector is called, it does not run",
    "subprocess": "a connector is called, it does not run",
    "logging": "call.log is the log",
    "pytest": "fixtures are the tests",
}
SECRETISH = re.compile(r"(^|_)((api|access|secret|private|write)_key|token|secret|password)$")
SANDBOX = ("aiohttp", "hub.sandbox")
PAYMENT = (
    "create_payment", "create_checkout", "capture_payment", "cancel_payment", "refund",
    "retrieve_payment",
)  # fmt: skip


def shape(folder: Folder) -> Iterator[Case]:
    """Give the cases of the folder as a whole."""
    for claim, check in CLAIMS.items():
        yield Case(f"{folder.kind}: {claim}", partial(check, folder))


# -- code ----------------------------------------------------------------------------------------
def _imports(folder: Folder) -> None:
    wrong = [
        f"{path.relative_to(folder.path)}:{line} imports {name}: {why}"
        for path in sorted(folder.path.rglob("*.py"))
        for line, name in imported(path)
        if (why := _objection(folder, path, name))
    ]
    need(not wrong, "\n".join(wrong))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything a file imports; relative names begin with a dot."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((node.lineno, home + alias.name) for alias in node.names)


def _objection(folder: Folder, path: Path, name: str) -> str:
    """Say what is wrong with importing a name; nothing where it is fine."""
    if _below(name, SANDBOX) and path not in _reached(folder):
        return ""
    if found := _below(name, NEVER):
        return NEVER[found]
    if name.startswith(".."):
        return "it lies outside the folder"
    root, _, rest = name.partition(".")
    if root == "hub":
        return "" if rest in ("", *hub.__all__) else "`hub` itself has all that it may use"
    own = _below(name, (f"connectors.{folder.kind}",))
    return "a connector imports hub and nothing else of ours" if root in OURS and not own else ""


def _reached(folder: Folder) -> set[Path]:
    """Give the files that the connector itself loads; the others are its double's."""
    files = {path.stem: path for path in folder.path.glob("*.py")}
    found, due = set[Path](), [folder.path / "__init__.py"]
    while due:
        path = due.pop()
        found.add(path)
        words = {word for _, name in imported(path) for word in name.split(".")}
        due += [near for stem, near in files.items() if stem in words and near not in found]
    return found


def _below(name: str, roots: Iterable[str]) -> str:
    """Give the root that a name is or lies below; nothing where there is none."""
    return next((root for root in roots if name == root or name.startswith(f"{root}.")), "")


def _catches(folder: Folder) -> None:
    """No `except Exception`: what an error means is for the hub to know."""
    wrong = [
        f"{path.relative_to(folder.path)}:{node.lineno} catches everything"
        for path in sorted(folder.path.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(), str(path)))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    ]
    need(not wrong, "\n".join(wrong))


# -- class ---------------------------------------------------------------------------------------
def _class(folder: Folder) -> None:
    cls = folder.connector
    same("contract", 1, cls.contract)
    need(issubclass(cls.Settings, ConnectorSettings), "Settings must be a ConnectorSettings")
    config = cls.Settings.model_config
    need(config.get("frozen"), "Settings must be frozen")
    same("Settings: extra", "forbid", config.get("extra"))
    need((cls.__doc__ or "").strip() != (Connector.__doc__ or "").strip(), "it has no docstring")
    payment = cls.facts is not Connector.facts
    missing = [name for name in PAYMENT if name not in cls.actions()] if payment else []
    need(not missing, f"a connector with facts() needs the actions {missing}")


def _actions(folder: Folder) -> None:
    cls, specs = folder.connector, folder.connector.actions()
    for name, spec in specs.items():
        need((getattr(cls, name).__doc__ or "").strip(), f"{name} has no docstring")
        need(
            spec.effect.kind != "keyed" or spec.lookup,
            f"{name} is keyed, so it needs a @lookup to find its effect when the window is over",
        )
        safe = spec.effect.kind in {"upsert", "deduped", "read"}
        need(safe or not spec.many, f"{name} is {spec.effect}: such actions take one item")
        need(spec.many or spec.batch == 1, f"{name} has batch={spec.batch}, but takes one item")
    members = [getattr(cls, name, None) for name in dir(cls)]
    looked = {getattr(one, "__lookup__", None) for one in members} - {None}
    need(
        looked <= set(specs), f"@lookup of unknown actions {sorted(map(str, looked - set(specs)))}"
    )


def _settings(folder: Folder) -> None:
    bare = [n for n, f in folder.connector.Settings.model_fields.items() if _is_bare(n, f)]
    need(not bare, f"the settings {bare} look like secrets: declare them `Secret`, not `str`")
    made = folder.settings()
    fields = type(made).model_fields
    good = {f.alias or n: getattr(made, n) for n, f in fields.items() if n in made.model_fields_set}
    for name in folder.secret_fields() & set(good):
        plain = folder.given["settings"][name]
        _refused(folder, good | {name: plain}, f"the secret {name} written out")
    for name, field in fields.items():
        if field.is_required():
            rest = {n: value for n, value in good.items() if n != (field.alias or name)}
            _refused(folder, rest, f"nothing for {name}, which is required")
    _refused(folder, good | {"a_setting_nobody_knows": 1}, "an unknown setting")


def _is_bare(name: str, field: FieldInfo) -> bool:
    return field.annotation is str and bool(SECRETISH.search(name))


def _refused(folder: Folder, given: Mapping[str, object], what: str) -> None:
    try:
        folder.connector.Settings(**given)
    except ValidationError:
        return
    raise Mismatch(f"Settings take {what}")


def _prints(folder: Folder) -> None:
    made = folder.make()
    told = " ".join((repr(made.settings), str(made.settings), repr(made), repr(vars(made))))
    told += made.settings.model_dump_json()
    for secret in folder.hidden:
        need(secret not in told, "a secret's value is in the repr of the settings")


# -- documents and fixtures ----------------------------------------------------------------------
def _readme(folder: Folder) -> None:
    path = folder.path / "README.md"
    need(path.exists(), "README.md is missing")
    text = path.read_text()
    lines = text.splitlines()
    need(len(lines) <= README_LINES, f"README.md has {len(lines)} lines; {README_LINES} will do")
    for name, spec in folder.connector.actions().items():
        told = any(name in line and spec.effect.kind in line for line in lines)
        need(told, f"no line of README.md says that {name} is {spec.effect}")
    fields = folder.connector.Settings.model_fields
    missing = [name for n, f in fields.items() if (name := f.alias or n) not in text]
    need(not missing, f"README.md does not name the settings {missing}")


def _fixtures(folder: Folder) -> None:
    folder.make()
    actions = set(folder.connector.actions())
    played = {path.parent.name for path in folder.fixtures("out") if _plain_action(path)}
    need(played <= actions, f"fixtures of unknown actions {sorted(played - actions)}")
    need(actions <= played, f"no fixture of the actions {sorted(actions - played)}")
    good = {p.parent.name for p in folder.fixtures("out") if expectation(load(p)) == "ok"}
    need(actions <= good, f"no fixture of a success of {sorted(actions - good)}")
    if folder.connector.takes_webhooks():
        need(folder.secrets, 'it takes webhooks; settings.json lists no "secrets"')
        need(list(folder.fixtures("in")), "it takes webhooks; fixtures/in has none")
        need(folder.connector.emits, "it takes webhooks; `emits` lists no event types")
    for path in [*folder.fixtures("in"), *folder.fixtures("out")]:
        need(load(path).get("source"), f"{folder.name(path)} does not say its source")


def _plain_action(path: Path) -> bool:
    return expectation(load(path)) != "lookup"


def _double(folder: Folder) -> None:
    if not (folder.path / "sandbox.py").exists():
        return
    double = folder.sandbox()
    need(issubclass(double, Double), "Sandbox must be a hub.sandbox.Double")
    need(issubclass(folder.connector, double.connector), "Sandbox.connector is another class")
    need(double().routes(), "Sandbox has no routes")


CLAIMS: Mapping[str, Callable[[Folder], None]] = {
    "imports hub and nothing else of ours": _imports,
    "catches no error it does not name": _catches,
    "has a class as the contract asks": _class,
    "declares every action": _actions,
    "takes secrets by reference only": _settings,
    "prints no secret": _prints,
    "says in its README what each action does": _readme,
    "has fixtures for all it can do": _fixtures,
    "has a double that fits": _double,
}
