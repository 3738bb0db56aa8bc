"""Reading secrets out of HashiCorp Vault: one GET for each path of a KV version 2 engine.

Sources: developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, /auth/approle, /auth/kubernetes
(Vault 1.15). No redirect is followed and no proxy used; no answer's text is ever shown.
"""

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.errors import HubError

WITHIN = 5.0
MAX_ANSWER = 1 << 20
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
REFERENCE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_./-]*)#([A-Za-z0-9_.-]+)")


class VaultError(HubError):
    """Vault gave no value; says why, without a value."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: a token must reach no other host."""


@dataclass(slots=True)
class Vault:
    """One Vault, as `secrets.vault` says; asked once for each path and load.

    Args:
        auth: `token`; or `role_id` and `secret_id`; or `kubernetes`, a role.
    """

    address: str
    auth: Mapping[str, str]
    mount: str = "secret"
    _token: str | None = None
    _read: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def value(self, path: str, name: str) -> str:
        """Give one field of a path.

        Raises:
            VaultError: Vault cannot be reached, refuses, or holds no such text.
        """
        if ".." in path.split("/"):
            raise VaultError("a path goes down only")
        if path not in self._read:
            answer = self._ask(f"{self.mount}/data/{path}", token=self._login())
            found = (answer.get("data") or {}).get("data")
            if not isinstance(found, dict):
                raise VaultError(f"{path} holds nothing")
            self._read[path] = found
        value = self._read[path].get(name)
        if not isinstance(value, str):
            raise VaultError(f"{path} has no text '{name}'")
        return value

    def _login(self) -> str:
        if self._token is None:
            self._token = self.auth.get("token") or self._by_role()
        return self._token

    def _by_role(self) -> str:
        if "kubernetes" in self.auth:
            kind = "kubernetes"
            body = {"role": self.auth["kubernetes"], "jwt": _service_account()}
        else:
            kind = "approle"
            body = {name: self.auth.get(name, "") for name in ("role_id", "secret_id")}
        answer = self._ask(f"auth/{kind}/login", body=body)
        token = (answer.get("auth") or {}).get("client_token")
        if not isinstance(token, str):
            raise VaultError("the log-in gave no token")
        return token

    def _ask(
        self, path: str, *, token: str | None = None, body: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        request = urllib.request.Request(  # noqa: S310 -- the loader took http and https alone
            f"{self.address.rstrip('/')}/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Request": "true"} | ({"X-Vault-Token": token} if token else {}),
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
            _NoRedirects(),
        )
        try:
            with opener.open(request, timeout=WITHIN) as answer:
                found = json.loads(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            error.close()
            raise VaultError(f"Vault answered {error.code}") from None
        except OSError:
            raise VaultError(f"Vault cannot be reached at {self.address}") from None
        except ValueError:
            raise VaultError("Vault's answer is no JSON") from None
        return found if isinstance(found, dict) else {}


def _service_account() -> str:
    try:
        return SERVICE_ACCOUNT.read_text("utf-8").strip()
    except OSError as error:
        raise VaultError(f"{SERVICE_ACCOUNT} cannot be read") from error
