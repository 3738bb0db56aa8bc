"""The command line: one file per command, each imported only when it is called.

Exit codes: 0 good, 1 faults found, 2 wrong use. A user's mistake never shows a traceback.
"""

import importlib
import os
import sys

import click
import typer

from hub.errors import ConfigError, HubError

COMMANDS = {
    "serve": "run the hub",
    "demo": "play one order through the hub and the sandbox",
    "check": "check a configuration and print every fault",
    "jobs": "list jobs; show, retry, cancel or settle one",
    "events": "list events; show one",
    "inbox": "list the requests that were taken in; show one",
    "orders": "list orders; show one with its timeline",
    "verify": "check the stored invariants",
    "keys": "create, list and revoke API keys",
    "secrets": "make keys and secrets",
    "connectors": "list connector types and their quality; begin a new one",
    "sandbox": "serve the providers' doubles",
    "migrate": "bring the store up to this release",
}


class Commands(typer.core.TyperGroup):
    """The commands, found by name, so that `hub keys` does not import the server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command's file."""
        if name not in COMMANDS:
            return None
        app: typer.Typer = importlib.import_module(f"hub.cli.{name}").app
        return typer.main.get_command(app)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def main() -> None:
    """Run a command; turn every mistake into one line and an exit code."""
    hub = Commands(name="hub", help=f"{__doc__}".partition("\n")[0])
    try:
        hub.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except ConfigError as error:
        _say("\n".join(str(fault) for fault in error.faults))
    except (HubError, OSError) as error:
        _say(f"hub: {error}")
    except BrokenPipeError:
        os._exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.exit(1)
