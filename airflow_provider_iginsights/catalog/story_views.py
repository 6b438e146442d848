"""The view of stories, as data: a row a story, its last numbers wide, and how its viewers went on."""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_iginsights.catalog.media_metrics import STORY
from airflow_provider_iginsights.catalog.tables import MEDIA, STORY_INSIGHTS
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    list_columns,
    select_newest,
    show_columns,
)
from airflow_provider_iginsights.catalog.wide_numbers import (
    OF_MEDIA,
    POST,
    gather_numbers,
    list_numbers,
    name_metrics,
    take_largest,
)

_ACTIONS = {
    "exits": "tap_exit",
    "taps_forward": "tap_forward",
    "taps_back": "tap_back",
    "swipes_forward": "swipe_forward",
}
"""How viewers went on -> its value of the breakdown of navigation; the first three are metrics of old versions, too."""
_OLD = tuple(name for name in name_metrics(STORY) if name in _ACTIONS)
_METRICS = tuple(name for name in name_metrics(STORY) if name not in _ACTIONS)
_SOURCES = "IF(MIN(`source`) = MAX(`source`), MIN(`source`), 'poll and webhook') AS `source`"
_IS_FINAL = "LOGICAL_AND(IFNULL(`is_final`, FALSE)) AS `is_final`"
_POLLED_AT = "MAX(IF(`source` = 'poll', `snapshot_at`, NULL)) AS `polled_at`"


def _list_actions() -> Iterator[ViewColumn]:
    for name, action in _ACTIONS.items():
        part = f"navigation by {action}"
        old = f", or {name}, as the webhook and old versions call it: the later of the two" if name in _OLD else ""
        yield ViewColumn(name, "NUMERIC", f"{part}{old}.", _action(name) if old else "")


def _list_rates() -> Iterator[ViewColumn]:
    left, forward = _beside_views("exits"), _beside_views("taps_forward")
    skipped = f"{left} + {forward}"
    for name, text, above, below in (
        (
            "completion_rate_by_views",
            "(views - exits) / views, of numbers that were read together if there are any",
            _rest(left),
            "views",
        ),
        ("full_view_rate_by_views", "(views - exits - taps_forward) / views", _rest(skipped), "views"),
        ("exit_rate_by_views", "exits / views", left, "views"),
        ("tap_forward_rate_by_views", "taps_forward / views", forward, "views"),
        ("tap_back_rate_by_views", "taps_back / views", _beside_views("taps_back"), "views"),
        ("reply_rate_by_reach", "replies / reach", "`replies`", "reach"),
        ("views_per_reach", "views / reach", "`views`", "reach"),
    ):
        yield ViewColumn(name, "NUMERIC", f"{text}.", f"SAFE_DIVIDE({above}, `{below}`)")


# The webhook's numbers are those at the end, and it knows no breakdown: a poll's navigation is older.
def _action(name: str) -> str:
    part = f"navigation_{_ACTIONS[name]}"
    return f"IF(`{name}_at` > `{part}_at`, `{name}`, IFNULL(`{part}`, `{name}`))"


# A rate is one of numbers that were read together, where there are such.
def _beside_views(name: str) -> str:
    part = f"navigation_{_ACTIONS[name]}"
    is_old = f"`{name}_at` = `views_at` AND IFNULL(`{part}_at` != `views_at`, TRUE)"
    return f"IF({is_old}, `{name}`, IFNULL(`{part}`, `{name}`))"


# Numbers of different moments can say that more people left than came: then nobody knows.
def _rest(gone: str) -> str:
    return f"IF({gone} <= `views`, `views` - ({gone}), NULL)"


def _list_columns() -> Iterator[ViewColumn]:
    yield from show_columns(MEDIA, (*POST, "published_date", "published_at"))
    yield from show_columns(STORY_INSIGHTS, ("expires_at",))
    yield from show_columns(MEDIA, OF_MEDIA)
    yield ViewColumn("source", "STRING", "Where the numbers come from: poll, webhook, or poll and webhook.")
    yield ViewColumn("is_final", "BOOL", "True where every number is the last before the expiry, or the webhook's.")
    yield ViewColumn("polled_at", "TIMESTAMP", "Hour (UTC) of the newest poll whose numbers count; NULL = of none.")
    yield ViewColumn("fetched_at", "TIMESTAMP", "When the newest of the numbers was read from Meta (UTC).")
    yield from (column for column in list_numbers(STORY) if column.name in _METRICS)
    yield from _list_actions()
    yield from _list_rates()


def _select_stories(sources: Sources) -> str:
    told = (_SOURCES, _IS_FINAL, _POLLED_AT, *take_largest("published_at", "expires_at", "fetched_at"), *_take_parts())
    numbers = gather_numbers(sources["story_insights_latest"], of=POST, names=(*_METRICS, *_OLD), others=told)
    media = select_newest(MEDIA, sources[MEDIA.name], of=POST, order=("{0}`fetched_at`",))
    either = ", ".join(f"IFNULL(M.`{name}`, N.`{name}`) AS `{name}`" for name in (*POST, "published_at"))
    own = ("expires_at", "source", "is_final", "polled_at", "fetched_at", *_NAVIGATION, *_MOMENTS, *_METRICS, *_OLD)
    shown = ",\n  ".join(column.selected for column in STORY_COLUMNS)
    return f"""\
WITH numbers AS (
{numbers}
), media AS (
{media}
), stories AS (
  SELECT {either},
    IFNULL(M.`published_date`, DATE(N.`published_at`, 'America/Los_Angeles')) AS `published_date`,
    {list_columns(OF_MEDIA, of="M.")},
    {list_columns(own, of="N.")}
  FROM media M FULL JOIN numbers N ON M.`account_id` = N.`account_id` AND M.`media_id` = N.`media_id`
  WHERE N.`media_id` IS NOT NULL OR M.`media_product_type` = '{STORY}'
)
SELECT
  {shown}
FROM stories"""


def _take_parts() -> Iterator[str]:
    """Yield the parts of navigation, and when each of them and of the old metrics was read, as aggregates."""
    for name, action in _NAVIGATION.items():
        is_part = f"`metric` = 'navigation' AND `breakdown_value` = '{action}'"
        yield f"MAX(IF({is_part}, `value`, NULL)) AS `{name}`"
        if f"{name}_at" in _MOMENTS:
            yield f"MAX(IF({is_part}, `snapshot_at`, NULL)) AS `{name}_at`"
    for name in (*_OLD, "views"):
        yield f"MAX(IF(`metric` = '{name}' AND `breakdown` = '', `snapshot_at`, NULL)) AS `{name}_at`"


_NAVIGATION = {(f"navigation_{action}" if name in _OLD else name): action for name, action in _ACTIONS.items()}
_MOMENTS = tuple(f"{name}_at" for name in (*(f"navigation_{_ACTIONS[name]}" for name in _OLD), *_OLD, "views"))
STORY_COLUMNS: tuple[ViewColumn, ...] = tuple(_list_columns())
STORIES = View(
    name="stories",
    table=STORY_INSIGHTS,
    suffix="_stories",
    replaces=("_story_insights", "_insights"),
    tables=(MEDIA,),
    views=("story_insights_latest",),
    description="One row per account and story: what it is, its last numbers, one column per metric, how viewers went "
    "on, and rates of them. NULL where there is no number, never 0.",
    example="""\
SELECT published_at, permalink, reach, views, exits, completion_rate_by_views, source, is_final
FROM {view}
ORDER BY published_at DESC LIMIT 10""",
    select=_select_stories,
    columns=STORY_COLUMNS,
    key=POST,
)
