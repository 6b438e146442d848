"""What the demo asks of BigQuery, and the text of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.demo.text_table import draw_sparkline, format_table

Row = Mapping[str, Any]

DATASET = "instagram"
YESTERDAY = f"""\
SELECT username AS account, reach, views, likes, comments, shares, saves
FROM `{DATASET}.instagram_account_daily` JOIN `{DATASET}.instagram_accounts` USING (account_id)
WHERE metric_date = '{{day}}'
ORDER BY account"""
REELS = f"""\
SELECT published_date AS published, username AS account,
  reach, views, likes, saved
FROM `{DATASET}.instagram_posts`
WHERE media_product_type = 'REELS' ORDER BY reach DESC LIMIT 3"""
AGES = f"""\
SELECT username AS account, breakdown_value, value
FROM `{DATASET}.instagram_audience` JOIN `{DATASET}.instagram_accounts` USING (account_id)
WHERE metric = 'follower_demographics' AND breakdown = 'age'
ORDER BY account, breakdown_value"""
VIEWS = f"""\
SELECT media_id, username AS account, TIMESTAMP_DIFF(I.fetched_at, published_at, HOUR) AS age, value
FROM `{DATASET}.instagram_story_insights` I JOIN `{DATASET}.instagram_accounts` USING (account_id)
WHERE metric = 'views' AND breakdown = ''
ORDER BY account, media_id, age"""


def show_numbers(sandbox: BigQuerySandbox, *, day: date, blocks: str) -> Iterator[str]:
    """Yield lines: a day of each account, the best reels, an audience, the views of a story.

    :param day: a Pacific day that has closed.
    :param blocks: the characters of a curve, the lowest first.
    """
    client = sandbox.client()

    def ask(sql: str) -> list[dict[str, Any]]:
        return [dict(row.items()) for row in client.query(sql).result()]

    try:
        yield f"Yesterday, {day}"
        yield from format_table(ask(YESTERDAY.format(day=day)))
        yield from ("", "Reels of most reach")
        yield from format_table(ask(REELS))
        yield from ("", "Followers by age")
        yield from format_table(list(_put_beside(ask(AGES))))
        yield from ("", *_draw_story(ask(VIEWS), blocks=blocks))
    finally:
        client.close()


def _put_beside(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield a row an account, with a column a value of the breakdown."""
    columns = dict.fromkeys(row["breakdown_value"] for row in rows)
    for account in dict.fromkeys(row["account"] for row in rows):
        values = {row["breakdown_value"]: row["value"] for row in rows if row["account"] == account}
        yield {"account": account, **{name: values.get(name) for name in columns}}


def _draw_story(rows: Sequence[Row], *, blocks: str) -> Iterator[str]:
    """Yield the curve of the story that was read most often; of several, that of most views."""
    stories: dict[str, list[Row]] = {}
    for row in rows:
        stories.setdefault(row["media_id"], []).append(row)
    points = max(stories.values(), key=lambda points: (len(points), points[-1]["value"]), default=[])
    if points:
        yield f"Views of a story of {points[0]['account']}"
        first, last = points[0], points[-1]
        curve = draw_sparkline([float(point["value"]) for point in points], blocks=blocks)
        yield f"{curve}  {first['value']:,} after {first['age']} h, {last['value']:,} after {last['age']} h"
