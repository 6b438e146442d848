"""The view of posts, as data: a row a post, its newest numbers wide, and the rates that are made of them.

A rate has its denominator in its name, and is NULL where that is missing or 0, or was read on another day: a metric
that Meta no longer answers keeps its last number, and would be divided by a newer one. Numbers that count people are
divided and compared, and never added.
"""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from airflow_provider_iginsights.catalog.media_metrics import FEED, REELS, STORY
from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA, MEDIA_INSIGHTS
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    list_columns,
    select_newest,
    show_columns,
)
from airflow_provider_iginsights.catalog.wide_numbers import (
    FROM_NUMBERS,
    OF_MEDIA,
    POST,
    gather_numbers,
    list_numbers,
    name_metrics,
    take_largest,
)

MEDIAN_DAYS = 90
MEDIAN_AGE = 7
"""So old a post must be when it was read: of a younger one, most of its numbers are still to come."""
COMPARED = ("reach", "views", "total_interactions")
_RATES = (
    ("engagement_rate_by_reach", "total_interactions", "reach"),
    ("engagement_rate_by_followers", "total_interactions", "followers_on_posting_day"),
    ("engagement_rate_by_views", "total_interactions", "views"),
    ("like_rate_by_reach", "likes", "reach"),
    ("comment_rate_by_reach", "comments", "reach"),
    ("save_rate_by_reach", "saved", "reach"),
    ("share_rate_by_reach", "shares", "reach"),
    ("reach_rate_by_followers", "reach", "followers_on_posting_day"),
    ("views_per_reach", "views", "reach"),
)
"""Name, numerator and denominator of each rate."""
_METRICS = name_metrics(FEED, REELS)
_DIVIDED = tuple(name for name in _METRICS if any(name in parts for _, *parts in _RATES))
_READ_ON = {name: f"{name}_read_on" for name in _DIVIDED}
"""Metric -> the column within for the Pacific date on which its newest number was read."""
_DAY_OF_POST = "DATE(N.`published_at`, 'America/Los_Angeles')"


def _list_rates() -> Iterator[ViewColumn]:
    for name, above, below in _RATES:
        number, ending = f"`{above}`", "."
        if below in _READ_ON:
            number = f"IF(`{_READ_ON[above]}` = `{_READ_ON[below]}`, {number}, NULL)"
            ending = "; NULL where they were read on different days."
        yield ViewColumn(name, "NUMERIC", f"{above} / {below}{ending}", f"SAFE_DIVIDE({number}, `{below}`)")
    for name in COMPARED:
        text = f"{name} / the median of the account's posts of the same product type; NULL for a young post."
        number = f"IF({_IS_OLD} AND {_is_newest(name)}, `{name}`, NULL)"
        yield ViewColumn(f"{name}_by_median", "NUMERIC", text, f"SAFE_DIVIDE({number}, `{name}_median`)")
    yield ViewColumn(
        "posts_in_median", "INT64", f"Posts of these {MEDIAN_DAYS} days and this product type that are old enough."
    )


def _list_columns() -> Iterator[ViewColumn]:
    yield from show_columns(MEDIA, (*POST, "published_date", *FROM_NUMBERS))
    yield ViewColumn("account_username", "STRING", "Username of the account, as its newest profile says.")
    yield from show_columns(MEDIA, OF_MEDIA)
    yield ViewColumn("snapshot_date", "DATE", "Pacific date of the newest numbers; NULL = there are none.")
    yield ViewColumn("fetched_at", "TIMESTAMP", "When the newest of the numbers was read from Meta (UTC).")
    yield ViewColumn("age_days", "INT64", "Age of the post at snapshot_date: days since published_date.")
    yield from list_numbers(FEED, REELS)
    yield ViewColumn("followers_on_posting_day", "INT64", "followers_count of the profile read on published_date.")
    yield from _list_rates()


_IS_OLD = f"`age_days` >= {MEDIAN_AGE}"


def _is_newest(name: str) -> str:
    """Return whether the number of a metric is as old as ``age_days`` says."""
    return f"`{_READ_ON[name]}` = `snapshot_date`"


def _select_days() -> Iterator[str]:
    for name, column in _READ_ON.items():
        yield f"MAX(IF(`metric` = '{name}' AND `breakdown` = '', `snapshot_date`, NULL)) AS `{column}`"


def _select_profiles(accounts: str) -> tuple[str, str]:
    """Return the queries for the followers of each day, and for the newest username of each account."""
    newest = partial(select_newest, ACCOUNTS, accounts)
    days = newest(of=ACCOUNTS.key, order=("{0}`fetched_at`",), shown=(*ACCOUNTS.key, "followers_count"))
    order = ("{0}`snapshot_date`", "{0}`fetched_at`")
    return days, newest(of=("account_id",), order=order, shown=("account_id", "username"))


def _select_medians() -> str:
    """Return the query for each post of ``aged`` with the medians of the posts that it is compared with."""
    recent = (
        f"IF({_IS_OLD}, `published_date`, NULL) > DATE_SUB(MAX(`snapshot_date`) OVER (PARTITION BY `account_id`), "
        f"INTERVAL {MEDIAN_DAYS} DAY)"
    )
    alike = "OVER (PARTITION BY `account_id`, `media_product_type`)"
    compared = {name: f"IF(`is_compared` AND {_is_newest(name)}, `{name}`, NULL)" for name in COMPARED}
    medians = ",\n  ".join(
        f"CAST(PERCENTILE_CONT({number}, 0.5) {alike} AS NUMERIC) AS `{name}_median`"
        for name, number in compared.items()
    )
    return (
        f"SELECT *,\n  {medians},\n  COUNT(IF(`is_compared`, `media_id`, NULL)) {alike} AS `posts_in_median`\n"
        f"FROM (SELECT *, {recent} AS `is_compared` FROM aged)"
    )


def _select_posts(sources: Sources) -> str:
    media = select_newest(MEDIA, sources[MEDIA.name], of=POST, order=("{0}`fetched_at`",))
    days, names = _select_profiles(sources[ACCOUNTS.name])
    either = ", ".join(f"IFNULL(M.`{name}`, N.`{name}`) AS `{name}`" for name in (*POST, *FROM_NUMBERS))
    newest_numbers = ("snapshot_date", "fetched_at")
    numbers = gather_numbers(
        sources["media_insights_latest"],
        of=POST,
        names=_METRICS,
        others=(*take_largest(*FROM_NUMBERS, *newest_numbers), *_select_days()),
    )
    of_numbers = (*newest_numbers, *_METRICS, *_READ_ON.values())
    inner = (*POST, *FROM_NUMBERS, "published_date", *OF_MEDIA, *of_numbers)
    shown = ",\n  ".join(column.selected for column in POST_COLUMNS)
    return f"""\
WITH numbers AS (
{numbers}
), media AS (
{media}
), profiles AS (
{days}
), names AS (
{names}
), posts AS (
  SELECT {either},
    IFNULL(M.`published_date`, {_DAY_OF_POST}) AS `published_date`,
    {list_columns(OF_MEDIA, of="M.")},
    {list_columns(of_numbers, of="N.")}
  FROM media M FULL JOIN numbers N ON M.`account_id` = N.`account_id` AND M.`media_id` = N.`media_id`
), aged AS (
  SELECT {list_columns(inner, of="P.")},
    U.`username` AS `account_username`, F.`followers_count` AS `followers_on_posting_day`,
    IF(P.`snapshot_date` >= P.`published_date`, DATE_DIFF(P.`snapshot_date`, P.`published_date`, DAY), NULL)
      AS `age_days`
  FROM posts P
  LEFT JOIN names U ON U.`account_id` = P.`account_id`
  LEFT JOIN profiles F ON F.`account_id` = P.`account_id` AND F.`snapshot_date` = P.`published_date`
  WHERE IFNULL(P.`media_product_type`, '') <> '{STORY}'
), compared AS (
{_select_medians()}
)
SELECT
  {shown}
FROM compared"""


POST_COLUMNS: tuple[ViewColumn, ...] = tuple(_list_columns())
POSTS = View(
    name="posts",
    table=MEDIA_INSIGHTS,
    suffix="_posts",
    replaces=("_media_insights", "_insights"),
    tables=(MEDIA, ACCOUNTS),
    views=("media_insights_latest",),
    description="One row per account and post or reel: what it is, its newest numbers, one column per metric, and "
    "rates of them. NULL where there is no number, never 0.",
    example="""\
SELECT published_date, media_product_type, permalink, reach, engagement_rate_by_reach, reach_by_median
FROM {view}
WHERE age_days >= 7
ORDER BY engagement_rate_by_reach DESC LIMIT 10""",
    select=_select_posts,
    columns=POST_COLUMNS,
    key=POST,
)
