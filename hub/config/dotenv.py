"""`.env` beside config.yaml: what `${env:}` reads where the environment itself says nothing.

    # a comment
    HUB_KEY=the value, to the end of the line
    NAME="quotes around all of it are taken off"

Nothing in it is expanded. The environment wins, so a deployment needs no such file.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from hub.errors import ConfigError, Fault

NAME = ".env"
MAX_FILE = 1 << 20
_LINE = re.compile(r"(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def environment(config: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment, and below it what `.env` beside a configuration says.

    Raises:
        ConfigError: env.syntax, at each line that is none; its text is not shown.
    """
    path = config.parent / NAME
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE).decode()
    except FileNotFoundError:
        return dict(env)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        text = f"cannot be read: {why}"
        raise ConfigError(Fault(code="file.missing", text=text, file=str(path))) from error
    found, faults = read(text, str(path))
    if faults:
        raise ConfigError(*faults)
    return found | dict(env)


def read(text: str, file: str) -> tuple[dict[str, str], list[Fault]]:
    r"""Read NAME=value lines.

    >>> read("# mine\nA=1 # all of it\nB='x'", ".env")[0]
    {'A': '1 # all of it', 'B': 'x'}
    """
    found, faults = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if (parts := _LINE.fullmatch(bare)) is None:
            said = "is not NAME=value"
            faults.append(
                Fault(code="env.syntax", text=said, file=file, line=number, col=1, fix="NAME=value")
            )
            continue
        found[parts[1]] = _bare(parts[2].strip())
    return found, faults


def _bare(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
