"""No test leaves the machine: the guard of tests/conftest.py bites."""

import socket

import pytest


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "192.0.2.1"),
        (socket.AF_INET6, "2001:db8::1"),
        # an IPv4 address in IPv6 clothes
        (socket.AF_INET6, "::ffff:192.0.2.1"),
    ],
)
def test_a_connect_to_another_machine_is_stopped(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as line, pytest.raises(RuntimeError):
        line.connect((address, 9))


def test_a_connect_to_this_machine_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
