"""Messages as Meta's documentation and its App Dashboard show them, and ways to make more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

ACCOUNT, STORY = "17841405309211844", "18023345989012587"
SENT = datetime(2019, 1, 17, 1, 4, 3, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
COUNTS = {"exits": 1, "replies": 0, "reach": 17, "taps_forward": 12, "taps_back": 0, "impressions": 28}


def change(media_id: Any = STORY, **counts: Any) -> dict[str, Any]:
    """Return one change of the field story_insights."""
    return {"field": "story_insights", "value": {"media_id": media_id, **counts}}


def message(*changes: Any, account_id: Any = ACCOUNT, time: Any = 1547687043) -> dict[str, Any]:
    """Return one notification with one entry; by default the documentation's sample."""
    return {
        "object": "instagram",
        "entry": [{"id": account_id, "time": time, "changes": list(changes) or [change(**COUNTS)]}],
    }


DASHBOARD_TEST = message(
    change("17887498072083520", impressions=444, reach=44, taps_forward=4, taps_back=3, exits=3, replies=0),
    account_id="0",
    time=1547687043,
)
