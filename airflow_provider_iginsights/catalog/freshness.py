"""The query for what is missing in the tables of a dataset: per account and table the last day, and the days without.

A day is missing where an account that was seen before has no row of it. Yesterday (in the Pacific zone) counts from the
moment at which any account of the table has it: until then the night's run may still be to come. Posts are read again
for some days after they were published, and an account without such posts has no snapshot to miss; for how many days,
the table itself says. Stories are there or not, so their polls are looked at.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

FRESHNESS_ID = "instagram_freshness"
DAYS = 28
RARE = 7
"""A metric that answered on fewer days is not missed: Meta sends nothing for many of them where there is nothing."""
LATE = 2
"""So many days a metric may be behind its table: Meta's numbers lag up to 48 hours."""
TODAY = "CURRENT_DATE('America/Los_Angeles')"

_POSTS = "DATE(MAX(`published_at`), 'America/Los_Angeles')"
_PARTS: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        "account_insights": ("`metric_date`", "`metric`", "''", "CAST(NULL AS DATE)"),
        "accounts": ("`snapshot_date`", "''", "''", "CAST(NULL AS DATE)"),
        "media_insights": ("`snapshot_date`", "`metric`", "IFNULL(`media_product_type`, '')", _POSTS),
        "story_polls": ("`snapshot_date`", "''", "''", "CAST(NULL AS DATE)"),
    }
)
"""Table -> its day, metric and kind of posts, and when the newest post of a row was published."""
CHECKED_TABLES: tuple[str, ...] = tuple(_PARTS)


def freshness_query(tables: Iterable[tuple[str, str, str]], *, days: int = DAYS) -> str:
    """Return the query over tables: name in the catalog, id, quoted path; at least one that is looked at.

    :param days: so many closed days are looked at; twice as many are read, to know who was there before.
    """
    seen = "\n  UNION ALL\n".join(_select_seen(*table, days=days) for table in tables if table[0] in _PARTS)
    return f"""\
WITH seen AS (
{seen}
),
tables AS (
  SELECT table_id, MAX(day) AS newest, MAX(DATE_DIFF(day, published, DAY)) AS longest
  FROM seen GROUP BY table_id
),
accounts AS (
  SELECT table_id, account_id, MIN(day) AS first_day, MAX(day) AS last_day, MAX(published) AS published
  FROM seen GROUP BY table_id, account_id
),
expected AS (
  SELECT A.table_id, A.account_id, day
  FROM accounts A JOIN tables T ON A.table_id = T.table_id
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(
    DATE_SUB({TODAY}, INTERVAL {days} DAY), DATE_SUB({TODAY}, INTERVAL 1 DAY))) AS day
  WHERE day >= A.first_day
    AND (day <= DATE_SUB({TODAY}, INTERVAL 2 DAY) OR T.newest >= day)
    AND (A.published IS NULL OR day <= DATE_ADD(A.published, INTERVAL T.longest DAY))
),
missing AS (
  SELECT E.table_id, E.account_id, COUNT(*) AS days, STRING_AGG(CAST(E.day AS STRING), ', ' ORDER BY E.day) AS listed
  FROM expected E
  LEFT JOIN (SELECT DISTINCT table_id, account_id, day FROM seen) S
    ON S.table_id = E.table_id AND S.account_id = E.account_id AND S.day = E.day
  WHERE S.day IS NULL
  GROUP BY E.table_id, E.account_id
),
kinds AS (
  SELECT table_id, account_id, kind, MAX(day) AS last_day FROM seen GROUP BY table_id, account_id, kind
),
metrics AS (
  SELECT table_id, account_id, kind, metric, MAX(day) AS last_day
  FROM seen WHERE metric != '' GROUP BY table_id, account_id, kind, metric HAVING COUNT(DISTINCT day) >= {RARE}
),
stopped AS (
  SELECT M.table_id, M.account_id,
    STRING_AGG(
      CONCAT(M.metric, IF(M.kind = '', '', CONCAT(' of ', M.kind)), ' after ', CAST(M.last_day AS STRING)),
      ', ' ORDER BY M.metric, M.kind) AS listed
  FROM metrics M JOIN kinds K ON M.table_id = K.table_id AND M.account_id = K.account_id AND M.kind = K.kind
  WHERE M.last_day < DATE_SUB(K.last_day, INTERVAL {LATE} DAY)
  GROUP BY M.table_id, M.account_id
)
SELECT A.account_id, A.table_id, A.last_day, IFNULL(N.days, 0) AS missing_days, N.listed AS missing,
  S.listed AS stopped_metrics
FROM accounts A
LEFT JOIN missing N ON N.table_id = A.table_id AND N.account_id = A.account_id
LEFT JOIN stopped S ON S.table_id = A.table_id AND S.account_id = A.account_id"""


def _select_seen(name: str, table_id: str, path: str, *, days: int) -> str:
    day, metric, kind, published = _PARTS[name]
    daily = " AND `period` = 'day'" if name == "account_insights" else ""
    return (
        f"  SELECT '{table_id}' AS table_id, `account_id`, {metric} AS metric, {kind} AS kind, {day} AS day,\n"
        f"    {published} AS published\n  FROM {path}\n"
        f"  WHERE {day} >= DATE_SUB({TODAY}, INTERVAL {2 * days} DAY){daily}\n"
        "  GROUP BY table_id, account_id, metric, kind, day"
    )
