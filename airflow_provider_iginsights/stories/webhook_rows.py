"""From notifications of the field ``story_insights`` to rows: the last numbers of stories that have expired.

Meta sends them once a story is over, repeats a message until it is answered, and now and then sends one twice. The only
time in a message is ``entry.time``, when it was *sent*, which differs at each repetition. A row's key must not have it:
``snapshot_at`` is therefore the same for all of them, :data:`WEBHOOK_SNAPSHOT_AT`, after every snapshot of a poll.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from airflow_provider_iginsights.json_values import read_id, read_number, read_whole_number
from airflow_provider_iginsights.pacific import as_utc, format_instant, pacific_date
from airflow_provider_iginsights.webhooks.payload import FIELD, OBJECT, Notification, items, list_changes

Row = dict[str, Any]
Reason = Literal[
    "no_notification",
    "foreign_object",
    "foreign_field",
    "test",
    "malformed",
    "not_a_number",
    "fewer_than_five",
    "repeated",
]

WEBHOOK_SNAPSHOT_AT = "9999-12-31T00:00:00Z"  # META-35
REDELIVERY = timedelta(days=8)
"""How far apart two sendings of one message usually lie: Meta's pages say 36 hours, that of WhatsApp 7 days."""

REASONS: Mapping[Reason, str] = MappingProxyType(
    {
        "no_notification": "messages in which no notification of Meta's was found",
        "foreign_object": "notifications about another object than instagram",
        "foreign_field": "changes of another field than story_insights",
        "test": "changes of the App Dashboard's test message, which is about no real story",
        "malformed": "entries or changes without a usable account id, media id or value",
        "not_a_number": "values that are no number",
        "fewer_than_five": "counts of -1, by which Meta says that fewer than five people are behind them",
        "repeated": "numbers that had come before",
    }
)
TEST_ACCOUNT = "0"

_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_FEWER_THAN_FIVE = -1  # META-36
_FIRST_YEAR = datetime(2010, 1, 1, tzinfo=UTC)
_IN_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryNumbers:
    """Rows of the table ``story_insights``, one per account, story and metric, and how much was left out, and why."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, int]

    @property
    def stories(self) -> int:
        """How many stories the rows are about."""
        return len({(row["account_id"], row["media_id"]) for row in self.rows})

    @property
    def accounts(self) -> int:
        """How many accounts the stories belong to."""
        return len({row["account_id"] for row in self.rows})


def read_story_insights(
    notifications: Iterable[tuple[Notification, datetime]], *, run_id: str | None = None
) -> StoryNumbers:
    """Return the rows of all notifications, each with the instant at which it came in.

    Every number, also one that came as text, is a row under the very key that Meta sent, old names (``exits``,
    ``impressions``) and new ones (``views``, ``navigation``) alike. A -1 is none: by Meta's "Webhooks
    for Instagram" it stands for fewer than five. Of several values for one story and metric the one
    that was sent last counts. The instant is used only where a message does not say when it was sent. An empty
    notification stands for a message without one.
    """
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, str, str], Row] = {}
    for notification, received_at in notifications:
        for row in _read_notification(notification, received_at, left_out):
            # META-35: the same numbers come again, with a later time of sending.
            key = row["account_id"], row["media_id"], row["metric"]
            left_out["repeated"] += key in rows
            if key not in rows or row["fetched_at"] >= rows[key]["fetched_at"]:
                rows[key] = {**row, "run_id": run_id}
    return StoryNumbers(
        rows=tuple(rows.values()),
        left_out={name: count for name, count in left_out.items() if count},
    )


def _read_notification(notification: Notification, received_at: datetime, left_out: Counter[str]) -> Iterator[Row]:
    if not notification:
        left_out["no_notification"] += 1
        return
    if notification.get("object") != OBJECT:
        left_out["foreign_object"] += 1
        return
    for entry in items(notification.get("entry")):
        given = entry.get("id") if isinstance(entry, Mapping) else None
        account_id = given if given == TEST_ACCOUNT else read_id(given)
        if account_id is None:
            left_out["malformed"] += 1
            continue
        sent_at = _read_sent_at(entry.get("time"), received_at)
        for change in list_changes(entry):
            yield from _read_change(change, account_id, sent_at, left_out)


def _read_change(change: Any, account_id: str, sent_at: datetime, left_out: Counter[str]) -> Iterator[Row]:
    named = change if isinstance(change, Mapping) else {}
    value = named.get("value")
    media_id = read_id(value.get("media_id")) if isinstance(value, Mapping) else None
    if named and named.get("field") != FIELD:
        left_out["foreign_field"] += 1
    elif account_id == TEST_ACCOUNT:
        left_out["test"] += 1
    elif not isinstance(value, Mapping) or media_id is None:
        left_out["malformed"] += 1
    else:
        for metric, number in value.items():
            if metric == "media_id":
                continue
            read = read_number(number) if _METRIC.fullmatch(metric) else None
            if read is None:
                left_out["not_a_number"] += 1
            # META-36: a number below five is hidden, and -1 would be summed as a number.
            elif read == _FEWER_THAN_FIVE:
                left_out["fewer_than_five"] += 1
            else:
                yield _row(account_id, media_id, metric, read, sent_at)


def _row(account_id: str, media_id: str, metric: str, number: float | Decimal, sent_at: datetime) -> Row:
    return {
        "media_id": media_id,
        "metric": metric,
        "breakdown": "",
        "breakdown_value": "",
        "snapshot_at": WEBHOOK_SNAPSHOT_AT,
        "source": "webhook",
        "account_id": account_id,
        "snapshot_date": pacific_date(sent_at).isoformat(),
        "value": number,
        "is_final": True,
        "fetched_at": format_instant(sent_at),
    }


def _read_sent_at(value: Any, received_at: datetime) -> datetime:
    """Return the whole second (UTC) of sending: Unix seconds, or milliseconds as some products of Meta send them.

    Where the message does not say it, that of its receipt.
    """
    if (number := read_whole_number(value)) and number > 0:
        seconds = number // 1000 if number >= _IN_MILLISECONDS else number
        if _FIRST_YEAR.timestamp() <= seconds <= (as_utc(received_at) + timedelta(days=1)).timestamp():
            return datetime.fromtimestamp(seconds, UTC)
    return as_utc(received_at).replace(microsecond=0)
