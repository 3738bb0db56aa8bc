"""The mappings and events of a configuration, for looking at: nothing else has to be right."""

from collections.abc import Mapping
from pathlib import Path

from hub.config import declared, filters
from hub.config.document import Document, read, resolve
from hub.config.events import Events, gather
from hub.config.instances import classes, inputs
from hub.config.mapped import Mappings, SchemaOf
from hub.config.parts import shape
from hub.config.report import Report
from hub.config.vocabulary import Vocabulary
from hub.errors import ConfigError
from mappings.plugged import Plugged


def mappings(path: Path, env: Mapping[str, str], *, shop: Vocabulary) -> Mappings:
    """Find the mappings that a configuration's routes may use.

    Raises:
        ConfigError: The file cannot be read.
    """
    report = Report()
    document, known, targets, beside = _read(path, env, shop, report)
    return Mappings(
        document.mappings, report, sources=known.schema, targets=targets, filters=beside
    )


def events(path: Path, env: Mapping[str, str], *, shop: Vocabulary) -> Events:
    """Find the events that a configuration's routes may name; the shop's alone without a file.

    Raises:
        ConfigError: The file cannot be read.
    """
    if not path.is_file():
        return gather(shop, {}, {})
    return _read(path, env, shop, Report())[1]


def _read(
    path: Path, env: Mapping[str, str], shop: Vocabulary, report: Report
) -> tuple[Document, Events, SchemaOf, Mapping[str, Plugged]]:
    """Read as far as names go; what else is wrong is told by `hub check`."""
    document = read(path, report)
    if document is None:
        raise ConfigError(*report.faults([str(path)]))
    tree = resolve(document.tree, env, path.parent, Report(document.tree), secrets=False)
    aside = Report(tree)
    parts = shape(tree, aside)
    folders = declared.folders(tree, path.parent, aside)
    found = classes(tree, folders, aside)
    known = gather(shop, declared.events(parts, found, aside), found)
    return document, known, inputs(found), filters.found(folders, report)
