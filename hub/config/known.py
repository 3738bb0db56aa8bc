"""The mappings of a configuration, for looking at them: nothing else of it has to be right."""

from collections.abc import Mapping
from pathlib import Path

from hub.config import declared, events
from hub.config.document import read, resolve
from hub.config.instances import classes, inputs
from hub.config.mapped import Mappings
from hub.config.parts import shape
from hub.config.report import Report
from hub.config.vocabulary import Vocabulary
from hub.errors import ConfigError


def mappings(path: Path, env: Mapping[str, str], *, shop: Vocabulary) -> Mappings:
    """Find the mappings that a configuration's routes may use.

    Raises:
        ConfigError: The file cannot be read.
    """
    report = Report()
    document = read(path, report)
    if document is None:
        raise ConfigError(*report.faults([str(path)]))
    tree = resolve(document.tree, env, path.parent, Report(document.tree), secrets=False)
    aside = Report(tree)  # what else is wrong is told by `hub check`
    parts = shape(tree, aside)
    found = classes(tree, declared.folders(tree, path.parent, aside), aside)
    known = events.gather(shop, declared.events(parts, found, aside), found)
    return Mappings(document.mappings, report, sources=known.schema, targets=inputs(found))
