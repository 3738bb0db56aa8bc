"""What `check` asks of an account: reach, token, calls left, each scope, our properties."""

from collections.abc import Awaitable, Mapping

from hub import Answer, AuthFailed, CallError, Check, Http, Json, Reject

ENOUGH = 0.9  # of the daily limit; above it is a warning


async def account(http: Http, version: str) -> tuple[Check, Mapping[str, Json]]:
    """Prove reach and token; also give the account's details."""
    try:
        answer = await http.get(f"/account-info/{version}/details")
        details = answer.json()
    except AuthFailed as error:
        fix = "make a new service key or private app token and set access_token"
        return Check("access_token", "fail", str(error), fix), {}
    except CallError as error:
        return Check("reach", "fail", str(error), "see base_url and the network"), {}
    return Check("access_token", "ok", f"account {details.get('portalId')}"), details


def zone(details: Mapping[str, Json], ours: str) -> Check:
    """Compare the account's time zone, at whose midnight its daily limit starts anew."""
    theirs = details.get("timeZone")
    if theirs in (None, ours):
        return Check("time_zone", "ok", ours)
    return Check("time_zone", "warn", f"the account is in {theirs}", f"set time_zone: {theirs}")


async def usage(http: Http, version: str) -> Check:
    """Say how much of the account's daily limit is gone."""
    path = f"/account-info/{version}/api-usage/daily/private-apps"
    try:
        rows = (await http.get(path)).json().get("results") or [{}]
    except CallError as error:
        return Check("daily calls", "warn", str(error))
    used, limit = rows[0].get("currentUsage") or 0, rows[0].get("usageLimit") or 0
    text = f"{used} of {limit} used today"
    return Check("daily calls", "warn" if limit and used > ENOUGH * limit else "ok", text)


async def scope(http: Http, path: str, name: str) -> Check:
    """Read one record where a scope is needed; HubSpot shows write scopes in no other way."""
    fix = f"give the app the scopes {name} and {name.removesuffix('write')}read"
    return await _check(name, http.get(path, params={"limit": "1"}), fix)


async def unique(http: Http, path: str, name: str) -> Check:
    """Prove that one of our properties exists and holds unique values."""
    fix = "run the action ensure_properties, or make it by hand with unique values"
    try:
        made: Mapping[str, Json] = (await http.get(path)).json()
    except Reject:
        return Check(name, "fail", "there is no such property", fix)
    except CallError as error:
        return Check(name, "fail", str(error), fix)
    if not made.get("hasUniqueValue"):
        return Check(name, "fail", "its values need not be unique", fix)
    return Check(name, "ok")


async def _check(name: str, asked: Awaitable[Answer], fix: str) -> Check:
    try:
        await asked
    except CallError as error:
        return Check(name, "fail", str(error), fix)
    return Check(name, "ok")
