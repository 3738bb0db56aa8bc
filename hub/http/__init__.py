"""The one way out: see hub.http.client."""

from hub.http.client import Client, Outbound

__all__ = ["Client", "Outbound"]
