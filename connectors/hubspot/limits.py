"""HubSpot's rate limits: by plan, shared by all apps of an account; its answers tell what is left.

Source: https://developers.hubspot.com/docs/api/usage-details (2026-03).
"""

from hub import Limit, RateHeaders

_RATE = "X-HubSpot-RateLimit"
LIMITS = (  # Professional, Enterprise; the answers tell of smaller plans
    Limit(190, 10, headers=RateHeaders(remaining=f"{_RATE}-Remaining", limit=f"{_RATE}-Max")),
    Limit(
        650_000,
        86_400,
        headers=RateHeaders(remaining=f"{_RATE}-Daily-Remaining", limit=f"{_RATE}-Daily"),
    ),
)
