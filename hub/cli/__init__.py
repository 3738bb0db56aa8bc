"""The command line: one file per command, each imported only when it is called.

Exit codes: 0 good, 1 faults found, 2 wrong use. A user's mistake never shows a traceback.
"""

import importlib
import os
import sys

import typer

from hub.errors import ConfigError, HubError

COMMANDS = {
    "serve": "run the hub",
    "demo": "play one order through the hub and the sandbox",
    "init": "write a configuration to start from",
    "schema": "print the JSON Schemas that editors complete by",
    "check": "check a configuration and print every fault",
    "config": "show the configuration; list what became of each version",
    "reload": "ask the running hub to read its configuration anew",
    "map": "test, run and explain mappings",
    "plan": "show what another configuration would send differently",
    "jobs": "list jobs; show one; retry, cancel or settle one or many",
    "events": "list events; show one; replay one or many",
    "inbox": "list the requests that were taken in; show one",
    "webhooks": "list the webhooks' secrets and when each was last seen; watch what is refused",
    "orders": "list orders; show one with its timeline",
    "cases": "list what only a person can settle; show or resolve one",
    "import": "import orders made elsewhere, out of a file",
    "verify": "check the stored invariants",
    "keys": "create, list and revoke API keys",
    "reconcile": "ask the providers what their webhooks did not say",
    "pull": "take a provider's events from its own list; run a sync; list both",
    "secrets": "make keys and secrets",
    "routes": "list routes; release or cancel what is held of one",
    "connectors": "list connector types and their quality; pause, resume one; begin a new one",
    "sandbox": "serve the providers' doubles",
    "store": "copy a stopped hub's store from SQLite to PostgreSQL",
    "backup": "back the store up into a file, beside running hubs",
    "restore": "restore a backup into an empty store",
    "resume": "see what would go out after a restore, and let it",
    "migrate": "bring the store up to this release",
}
MODULES = {"import": "importing"}  # a module cannot have every name


def main() -> None:
    """Run a command; turn every mistake into one line and an exit code."""
    try:
        _hub(sys.argv[1:])()
    except ConfigError as error:
        _say("\n".join(str(fault) for fault in error.faults))
    except BrokenPipeError:
        os._exit(0)
    except (HubError, OSError) as error:
        _say(f"hub: {error}")


def _hub(words: list[str]) -> typer.Typer:
    """Make the application: only the named command is imported, or all where none is."""
    hub = typer.Typer(
        name="hub",
        help="Shop Hub: orders in, payments matched, everyone told exactly once.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    hub.callback()(_root)
    for name in [word for word in words[:1] if word in COMMANDS] or COMMANDS:
        app: typer.Typer = importlib.import_module(f"hub.cli.{MODULES.get(name, name)}").app
        if app.registered_callback is not None:
            hub.add_typer(app, name=name, help=COMMANDS[name])
        else:
            command = app.registered_commands[0].callback
            hub.command(name, help=COMMANDS[name])(command or _root)
    return hub


def _root() -> None:
    """Stand before the commands, so that a single one keeps its name."""


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.exit(1)
