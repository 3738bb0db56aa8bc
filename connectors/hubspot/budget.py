"""The double's two budgets: calls in any ten seconds, and calls a day."""

from collections import deque
from datetime import UTC, date, datetime

from hub import Json, rfc3339

TEN_SECONDS, DAILY = "TEN_SECONDLY_ROLLING", "DAILY"
_WINDOW = 10.0


class Budget:
    """Counts calls; `limit` and `daily` may be set. Source: usage details page (2026-03)."""

    def __init__(self) -> None:
        self.limit, self.daily = 190, 650_000
        self._calls: deque[float] = deque()
        self._day = date.min
        self._used = 0

    def spend(self, now: datetime) -> str | None:
        """Count a call; names the policy where it is one too many."""
        if self._day != now.astimezone(UTC).date():
            self._day, self._used = now.astimezone(UTC).date(), 0
        while self._calls and self._calls[0] <= now.timestamp() - _WINDOW:
            self._calls.popleft()
        if self._used >= self.daily:
            return DAILY
        if len(self._calls) >= self.limit:
            return TEN_SECONDS
        self._used += 1
        self._calls.append(now.timestamp())
        return None

    def headers(self) -> dict[str, str]:
        """Say what is left, as every answer does."""
        left = {
            "Max": self.limit,
            "Remaining": self.limit - len(self._calls),
            "Interval-Milliseconds": int(_WINDOW * 1000),
            "Daily": self.daily,
            "Daily-Remaining": self.daily - self._used,
        }
        return {f"X-HubSpot-RateLimit-{name}": str(max(n, 0)) for name, n in left.items()}

    def usage(self, now: datetime) -> Json:
        """Give the account API's row."""
        return {
            "name": "private-apps-api-calls-daily",
            "usageLimit": self.daily,
            "currentUsage": self._used,
            "fetchStatus": "SUCCESS",
            "collectedAt": rfc3339(now),
        }
