"""What holds for every test: none connects to another machine, and how plugins are forgotten."""

import sys
from ipaddress import ip_address

import pytest

pytest_plugins = ["tests.postgres"]


def stay_here(event, args):
    """Stop a connect that would leave the machine; names and unix sockets are local."""
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    try:
        address = ip_address(str(args[1][0]).partition("%")[0])
    except ValueError:
        return
    address = getattr(address, "ipv4_mapped", None) or address
    if not (address.is_loopback or address.is_unspecified):
        raise RuntimeError(f"a test tried to connect to {address}")


sys.addaudithook(stay_here)


@pytest.fixture
def forget_plugins():
    """Forget the connectors a test imported from folders of its own: their names are free again."""
    before = {name for name in sys.modules if name.startswith("hub_plugins.")}
    yield
    for name in [name for name in sys.modules if name.startswith("hub_plugins.")]:
        if name not in before:
            del sys.modules[name]
