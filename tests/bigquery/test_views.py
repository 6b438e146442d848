"""The analysts' views: what they show of any table, and that they come to be whoever else is at it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.bigquery import Routine, RoutineArgument, StandardSqlDataType, StandardSqlTypeNames
from google.cloud.bigquery import Table as BigQueryTable

from airflow_provider_iginsights.bigquery.view_state import view_path
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA_INSIGHTS, STORY_INSIGHTS, TABLES, Table
from airflow_provider_iginsights.catalog.views import VIEWS, View, ViewName, find_views, name_daily_columns
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import ConfigurationError, IncompatibleTable
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_iginsights.bigquery.views import Done
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse

    Row = dict[str, Any]

VIEW = {view.name: view for view in VIEWS}
SINCE, UNTIL = date(2026, 10, 31), date(2026, 11, 3)
SHOWN = [table for table in TABLES if any(table in (view.table, *view.tables) for view in VIEWS)]
OF_POSTS = ("posts", "post_ages", "changes")
STATE = {"iginsights_current_through", "iginsights_late_rows"}
DAILY_METRICS = [
    "reach", "follower_count", "views", "accounts_engaged", "total_interactions", "likes", "comments", "shares",
    "saves", "replies", "reposts", "profile_links_taps", "profile_views", "website_clicks", "impressions",
    "content_views", "quotes", "email_contacts", "phone_call_clicks", "text_message_clicks", "get_directions_clicks",
]  # fmt: skip
WATCHED = ("reach", "follower_count", "impressions")
FOLLOWS = {"FOLLOWER": "follows_and_unfollows_follower", "NON_FOLLOWER": "follows_and_unfollows_non_follower"}


def some_rows(table: Table, dice: random.Random, *, count: int = 250) -> list[Row]:
    """Return rows of raw history with few distinct keys, so that many snapshots and repeated fetches meet.

    One account day has a breakdown and no total.
    """
    made = [rows.row(table, number) | _drawn(table, dice) | {"fetched_at": _fetch(number)} for number in range(count)]
    if table == ACCOUNT_INSIGHTS:
        alone = {"metric": "reach", "period": "day", "breakdown": "follow_type", "metric_date": "2026-12-24"}
        made.append(made[0] | alone)
    return made


def _fetch(number: int) -> str:
    return f"2026-11-20T{number // 60:02d}:{number % 60:02d}:00Z"


def _drawn(table: Table, dice: random.Random) -> Row:
    day = (date(2026, 10, 28) + timedelta(days=dice.randrange(9))).isoformat()
    breakdown = dice.choice(("", "", "media_product_type", "follow_type"))
    drawn: Row = {
        "account_id": dice.choice("12"),
        "metric": dice.choice((*WATCHED, "follows_and_unfollows", "unheard_of")),
        "breakdown": breakdown,
        "breakdown_value": dice.choice(("FOLLOWER", "NON_FOLLOWER")) if breakdown else "",
        "value": Decimal(dice.randrange(-50, 4000)) / 4,
    }
    if table == ACCOUNT_INSIGHTS:
        return drawn | {"period": dice.choice(("day", "day", "week")), "timeframe": "", "metric_date": day}
    source = dice.choice(("poll", "poll", "poll", "webhook"))
    drawn |= {"media_id": dice.choice("789"), "snapshot_date": day}
    if table == STORY_INSIGHTS:
        drawn |= {"snapshot_at": f"{day}T{dice.randrange(24):02d}:00:00Z", "source": source}
        drawn |= {"is_final": dice.choice((True, False, None)) if source == "poll" else True}
    return drawn


def newest(given: Iterable[Row], *, by: Sequence[str], order: Sequence[str]) -> list[Row]:
    """Return, of each group of rows, the one that comes last in the order of these columns."""
    kept: dict[tuple[Any, ...], Row] = {}
    for each in sorted(given, key=lambda row: tuple(row[name] for name in order)):
        kept[tuple(each[name] for name in by)] = each
    return list(kept.values())


def shown_daily(given: list[Row]) -> list[Row]:
    """Return the truth of ``account_daily``."""
    days: dict[tuple[str, str], Row] = {}
    for each in newest(given, by=ACCOUNT_INSIGHTS.key, order=["fetched_at"]):
        column = each["metric"]
        if each["period"] != "day":
            continue
        if column == "follows_and_unfollows" and each["breakdown"] == "follow_type":
            column = FOLLOWS[each["breakdown_value"]]
        elif each["breakdown"]:
            if column == "follows_and_unfollows":
                days.setdefault((each["account_id"], each["metric_date"]), {})
            continue
        days.setdefault((each["account_id"], each["metric_date"]), {})[column] = each["value"]
    wanted = (*WATCHED, *FOLLOWS.values())
    return [
        {"account_id": account, "metric_date": day} | {name: numbers.get(name) for name in wanted}
        for (account, day), numbers in days.items()
    ]


def shown_media(given: list[Row]) -> list[Row]:
    """Return the truth of the latest numbers of media."""
    series = ("account_id", "media_id", "metric", "breakdown", "breakdown_value")
    return newest(given, by=series, order=["snapshot_date", "fetched_at"])


def shown_stories(given: list[Row]) -> list[Row]:
    """Return the truth of the last word on stories."""
    ranked = [row | {"told": row["source"] == "webhook", "ended": bool(row["is_final"])} for row in given]
    series = ("account_id", "media_id", "metric", "breakdown", "breakdown_value")
    return newest(ranked, by=series, order=["told", "ended", "snapshot_at", "fetched_at"])


def shown_growth(given: list[Row]) -> list[Row]:
    """Return the truth of the growth from SINCE to UNTIL."""
    snapshots = newest(given, by=MEDIA_INSIGHTS.key, order=["fetched_at"])
    before: dict[tuple[Any, ...], Row] = {}
    grown = []
    for each in sorted(snapshots, key=lambda row: row["snapshot_date"]):
        series = (each["account_id"], each["media_id"], each["metric"], each["breakdown"], each["breakdown_value"])
        previous = before.get(series)
        days = growth = None
        if previous:
            days = (date.fromisoformat(each["snapshot_date"]) - date.fromisoformat(previous["snapshot_date"])).days
            growth = each["value"] - previous["value"]
        grown.append(each | {"days": days, "growth": growth})
        before[series] = each
    return [each for each in grown if SINCE <= date.fromisoformat(each["snapshot_date"]) <= UNTIL]


def source(view: View, path: str) -> str:
    """Return what stands after FROM to read a view, or a table function from SINCE to UNTIL."""
    return f"`{path}`(DATE '{SINCE}', DATE '{UNTIL}')" if view.parameters else f"`{path}`"


TRUTHS = {
    "account_daily": (shown_daily, ("account_id", "metric_date", *WATCHED, *FOLLOWS.values())),
    "media_insights_latest": (shown_media, MEDIA_INSIGHTS.column_names),
    "media_growth": (shown_growth, ("media_id", "metric", "breakdown_value", "snapshot_date", "days", "growth")),
    "story_insights_latest": (shown_stories, STORY_INSIGHTS.column_names),
}


@pytest.mark.referee
@pytest.mark.parametrize("name", TRUTHS)
def test_a_view_shows_the_truth(warehouse: Warehouse, name: ViewName) -> None:
    """Over raw history, with every key fetched several times, a view's rows equal those computed in Python."""
    view = VIEW[name]
    truth, columns = TRUTHS[name]
    given = some_rows(view.table, random.Random(name))
    destination = rows.target(
        view.table, project=warehouse.project, dataset=warehouse.dataset, location=warehouse.location
    )
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([destination], load_mode="append")
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        loader.commit([row_file], load_mode="append")
        done = {result.path: result.done for result in loader.create_views([destination])}
        assert done[view_path(view, destination)] == "created"
    with warehouse.connect() as client:
        names = ", ".join(f"`{column}`" for column in columns)
        found = client.query(f"SELECT {names} FROM {source(view, view_path(view, destination))}").result()
        shown = sorted(tuple(rows.comparable(row[column]) for column in columns) for row in found)
    assert shown == sorted(tuple(rows.comparable(row[column]) for column in columns) for row in truth(given))


def test_the_daily_view_has_every_daily_metric() -> None:
    """Live or retired, each account metric of a day has one column; one that has no total has one for each side."""
    assert sorted(name_daily_columns()) == sorted([*DAILY_METRICS, *FOLLOWS.values()])


@pytest.mark.parametrize(
    ("table_id", "names"),
    [
        (
            "instagram_media_insights",
            [f"instagram_{name}" for name in ("media_insights_latest", "media_growth", *OF_POSTS)],
        ),
        ("brand_insights", [f"brand_{name}" for name in ("insights_latest", "growth", *OF_POSTS)]),
        ("posts", [f"posts_{name}" for name in ("latest", "growth", *OF_POSTS)]),
    ],
)
def test_views_are_named_after_their_table(table_id: str, names: list[str]) -> None:
    """Whatever the table is called, its views are called alike."""
    assert [view.view_id(table_id) for view in find_views(MEDIA_INSIGHTS)] == names
    assert VIEW["account_daily"].view_id("instagram_account_insights") == "instagram_account_daily"
    assert VIEW["story_insights_latest"].view_id("instagram_story_insights") == "instagram_story_insights_latest"


def make(warehouse: Warehouse) -> list[Done]:
    """Create the tables and their views; return what was done about each view."""
    targets = [rows.target(table, project=warehouse.project, dataset=warehouse.dataset) for table in SHOWN]
    with warehouse.loader(rows.identity(), labels={"Team": "Brand A"}) as loader:
        loader.ensure(targets)
        return [result.done for result in loader.create_views(targets)]


def path(warehouse: Warehouse, view: View = VIEW["account_daily"]) -> str:
    """Return a view's path where the tables have their default ids."""
    return f"{warehouse.project}.{warehouse.dataset}.{view.view_id(view.table.default_id)}"


def alter(warehouse: Warehouse, sql: str) -> None:
    """Give the daily view another query, as an older release or a person might have."""
    with warehouse.connect() as client:
        view = client.get_table(path(warehouse))
        view.view_query = sql
        view.description = "Mine."
        view.labels = {**view.labels, "mine": "yes"}
        client.update_table(view, ["view_query", "description", "labels"])


@pytest.mark.referee
def test_views_are_created_once_and_updated_when_they_differ(warehouse: Warehouse) -> None:
    """A second call changes nothing; another query is replaced; description and labels are set, others' labels stay."""
    assert make(warehouse) == ["created"] * len(VIEWS)
    assert make(warehouse) == ["unchanged"] * len(VIEWS)
    alter(warehouse, f"SELECT 1 AS x FROM `{path(warehouse).replace('_daily', '_insights')}`")
    assert make(warehouse) == ["updated", *["unchanged"] * (len(VIEWS) - 1)]
    with warehouse.connect() as client:
        for view in VIEWS:
            found = (client.get_routine if view.parameters else client.get_table)(path(warehouse, view))
            before, _, example = found.description.partition(" For example:\n\n")
            assert before == view.description
            assert f"`{path(warehouse, view)}`" in example
            assert list(client.query(example).result()) == []
            if view.parameters:
                continue
            ours = {"team": "brand_a", "iginsights_view": view.name, "iginsights_table": view.table.name}
            state = {name: text for name, text in found.labels.items() if name in STATE} if view.current else {}
            assert found.labels == ours | state | ({"mine": "yes"} if view.name == "account_daily" else {})
        assert client.query(f"SELECT COUNT(reach) FROM `{path(warehouse)}`").result().total_rows == 1


@pytest.mark.parametrize("outdated", [False, True], ids=["creating", "updating"])
def test_tasks_that_make_the_views_at_once(warehouse: Warehouse, outdated: bool) -> None:
    """However many tasks begin together, all succeed and the views are right."""
    if outdated:
        make(warehouse)
        alter(warehouse, "SELECT 1 AS x")
    with ThreadPoolExecutor(6) as pool:
        done = [each.result() for each in [pool.submit(make, warehouse) for _ in range(6)]]
    firsts = [results[0] for results in done]
    assert sorted(firsts) == sorted([*["unchanged"] * 5, "updated" if outdated else "created"])
    assert make(warehouse) == ["unchanged"] * len(VIEWS)


@pytest.mark.parametrize("route", [r"GET .*/tables/instagram_account_daily", r"POST .*/tables$"])
@pytest.mark.parametrize("effect", ["answerLost", "serviceUnavailable"])
def test_a_request_for_a_view_may_go_wrong(
    sandbox: BigQuerySandbox, faulty: Warehouse, route: str, effect: str
) -> None:
    """A lost or refused request is repeated, and a view that it made is recognised."""
    sandbox.faults.add(BigQueryFault(route=route, effect=effect, body="useLegacySql" if "POST" in route else ""))  # type: ignore[arg-type]
    assert make(faulty)[1:] == ["created"] * (len(VIEWS) - 1)
    assert make(faulty) == ["unchanged"] * len(VIEWS)


def test_a_view_that_changes_under_our_hands_is_looked_at_again(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update that somebody overtook (412) is not forced: the view is read again, then updated."""
    from google.cloud.bigquery import Client

    make(faulty)
    alter(faulty, "SELECT 1 AS x")
    update, overtaken = Client.update_table, []

    def update_late(client: Client, table: Any, *arguments: Any, **options: Any) -> Any:
        if not overtaken:
            overtaken.append(table)
            monkeypatch.setattr(Client, "update_table", update)
            alter(faulty, "SELECT 2 AS x")
        return update(client, table, *arguments, **options)

    monkeypatch.setattr(Client, "update_table", update_late)
    assert make(faulty)[0] == "updated"
    assert [request.status for request in sandbox.log if request.method == "PATCH"] == [200, 200, 412, 200]


@pytest.mark.referee
def test_growth_reads_the_days_that_it_shows(warehouse: Warehouse) -> None:
    """A function takes the days; the snapshot before the first one is looked for in 31 days, and not beyond."""
    destination = rows.target(MEDIA_INSIGHTS, project=warehouse.project, dataset=warehouse.dataset)
    days = {"near": (-31, 0, 2), "far": (-32, 0, 2)}
    given = [
        rows.row(MEDIA_INSIGHTS, 1)
        | {"media_id": post, "snapshot_date": (SINCE + timedelta(days=day)).isoformat(), "value": 100 + day}
        for post, snapshots in days.items()
        for day in snapshots
    ]
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        loader.commit([row_file])
        loader.create_views([destination])
    with warehouse.connect() as client:
        named = source(VIEW["media_growth"], path(warehouse, VIEW["media_growth"]))
        job = client.query(f"SELECT media_id, days, growth FROM {named} ORDER BY media_id, snapshot_date")
        assert [tuple(row) for row in job.result()] == [
            ("far", None, None), ("far", 2, 2), ("near", 31, 31), ("near", 2, 2)
        ]  # fmt: skip
        if warehouse.name == "sandbox":
            whole = client.query(f"SELECT * FROM `{destination.path}`").result()
            assert whole.total_rows == 6
            assert 0 < job.total_bytes_processed < client.get_table(destination.path).num_bytes * 5 / 6


def test_a_function_that_somebody_changed_is_updated(warehouse: Warehouse) -> None:
    """A table function with another query is replaced; tasks that do it at once all succeed."""
    make(warehouse)
    growth = path(warehouse, VIEW["media_growth"])
    with warehouse.connect() as client:
        routine = client.get_routine(growth)
        fields = ["type_", "language", "arguments", "body", "description"]
        routine.body = "SELECT iginsights_since AS x, iginsights_until AS y"
        client.update_routine(routine, fields)
        with ThreadPoolExecutor(4) as pool:
            done = [each.result() for each in [pool.submit(make, warehouse) for _ in range(4)]]
        at = [view.name for table in SHOWN for view in find_views(table)].index("media_growth")
        assert sorted(results[at] for results in done) == ["unchanged", "unchanged", "unchanged", "updated"]
        assert "LAG(" in client.get_routine(growth).body


def test_something_else_of_that_name_is_refused(warehouse: Warehouse) -> None:
    """A table with a view's name is named, and left as it is."""
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset, exists_ok=True)
        client.query(f"CREATE TABLE `{path(warehouse)}` (mine INT64)").result()
        with pytest.raises(
            IncompatibleTable, match=rf"{warehouse.dataset}\.instagram_account_daily is a table"
        ) as refusal:
            make(warehouse)
        assert isinstance(refusal.value, ConfigurationError)
        assert [field.name for field in client.get_table(path(warehouse)).schema] == ["mine"]


def test_what_somebody_else_made_is_left_as_it_is(warehouse: Warehouse) -> None:
    """A view and a function of these names, which nobody of ours made: both are told, and the others are made."""
    daily, growth = path(warehouse), path(warehouse, VIEW["media_growth"])
    kept = {"view_query": "SELECT 7 AS mine", "labels": {"team": "brand"}, "description": "Mine."}
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset, exists_ok=True)
        view = BigQueryTable(daily)
        for name, value in kept.items():
            setattr(view, name, value)
        client.create_table(view)
        days = [RoutineArgument(name="d", data_type=StandardSqlDataType(type_kind=StandardSqlTypeNames.DATE))]
        client.create_routine(
            Routine(growth, type_="TABLE_VALUED_FUNCTION", language="SQL", arguments=days, body="SELECT d AS mine")
        )
        for _ in range(2):
            with pytest.raises(IncompatibleTable) as refusal:
                make(warehouse)
            assert f"{daily} is a view that somebody else made" in str(refusal.value)
            assert f"{growth} is a routine that somebody else made" in str(refusal.value)
        found = client.get_table(daily)
        assert {name: getattr(found, name) for name in kept} == kept
        assert client.get_routine(growth).body == "SELECT d AS mine"
        others = {view.view_id(view.table.default_id) for view in VIEWS if not view.parameters}
        assert others <= {each.table_id for each in client.list_tables(warehouse.dataset)}


def test_a_table_function_that_cannot_be_named_costs_the_others_nothing(warehouse: Warehouse) -> None:
    """A table may have a hyphen in its id, and a function may not: the views are made, and it is told, each time."""
    posts = rows.target(MEDIA_INSIGHTS, project=warehouse.project, dataset=warehouse.dataset, table_id="brand-posts")
    functions = [view for view in find_views(MEDIA_INSIGHTS) if view.parameters]
    for done in ("created", "unchanged"):
        with warehouse.loader(rows.identity()) as loader:
            loader.ensure([posts])
            found = {result.path.rpartition(".")[2]: result for result in loader.create_views([posts])}
        unnamed = {name for name, result in found.items() if result.done == "unnamed"}
        assert unnamed == {view.view_id("brand-posts") for view in functions}
        assert {"brand-posts_growth", "brand-posts_post_ages"} == unnamed
        assert "letters from A to Z" in str(found["brand-posts_growth"])
        assert found["brand-posts_latest"].done == done


@pytest.mark.parametrize("taken", [["instagram_account_daily"], ["instagram_account_daily", "instagram_stories"]])
def test_a_name_that_is_taken_costs_that_view_alone(warehouse: Warehouse, taken: list[str]) -> None:
    """Where a view's name is that of a table, all other views are made; then each such name is told."""
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset, exists_ok=True)
        for name in taken:
            client.query(f"CREATE TABLE `{warehouse.project}.{warehouse.dataset}.{name}` (mine INT64)").result()
        with pytest.raises(IncompatibleTable) as refusal:
            make(warehouse)
        found = {each.table_id: each.table_type for each in client.list_tables(warehouse.dataset)}
    assert [name for name in found if f"{warehouse.dataset}.{name} is a table" in str(refusal.value)] == taken
    wanted = {view.view_id(view.table.default_id) for view in VIEWS if not view.parameters}
    assert {name for name in wanted if found.get(name) != "VIEW"} == set(taken)


def test_a_table_may_require_a_filter(warehouse: Warehouse) -> None:
    """A view of a table that requires a filter on its partition can be read without one."""
    make(warehouse)
    with warehouse.connect() as client:
        for table in SHOWN:
            found = client.get_table(rows.target(table, project=warehouse.project, dataset=warehouse.dataset).path)
            found.require_partition_filter = True
            client.update_table(found, ["require_partition_filter"])
        for view in VIEWS:
            assert list(client.query(f"SELECT * FROM {source(view, path(warehouse, view))}").result()) == []


def test_the_command_makes_the_views_of_tables_that_exist(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With table ids of one's own; tables that nobody made are named, and one that was asked for is refused."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", sandbox.url)
    destination = rows.target(MEDIA_INSIGHTS, table_id="posts_insights")
    with faulty.loader(rows.identity()) as loader:
        loader.ensure([destination])
    where = ["--project", faulty.project, "--dataset", faulty.dataset, "--table", "media_insights=posts_insights"]
    assert main(["tables", "--views", *where, "--skip-missing"]) == 0
    # Where a log goes differs from Airflow to Airflow.
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("p-1.")] == [
        "p-1.d.posts_insights_latest: created.",
        "p-1.d.posts_growth: created.",
        "p-1.d.posts_posts: not made, since a table that it reads does not exist or lacks columns of this release: "
        "p-1.d.instagram_media, p-1.d.instagram_accounts.",
        "p-1.d.posts_post_ages: created.",
        "p-1.d.posts_changes: not made, since a table that it reads does not exist or lacks columns of this release: "
        "p-1.d.instagram_media, p-1.d.instagram_accounts.",
        "p-1.d.instagram_freshness: created.",
    ]
    assert sandbox.tables("d") == ["instagram_freshness", "posts_insights", "posts_insights_latest"]
    assert main(["tables", "--views", *where]) == 0
    missing = ["account_insights", "accounts", "media", "media_children", "story_insights", "story_polls"]
    named = ", ".join(f"p-1.d.instagram_{name}" for name in missing)
    assert f"Left out, since there is no such table: {named}." in capsys.readouterr().err.splitlines()
    wrong = [argument.replace("posts_insights", "no_such_table") for argument in where]
    assert main(["tables", "--views", *wrong]) == 2
    assert "p-1.d.no_such_table" in capsys.readouterr().err


def test_a_refused_view_costs_the_view_of_freshness_nothing(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command makes all others, names the one whose name is taken, and ends with the code of an error."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", sandbox.url)
    with faulty.loader(rows.identity()) as loader:
        loader.ensure([rows.target(MEDIA_INSIGHTS)])
    with faulty.connect() as client:
        client.query("CREATE TABLE `p-1.d.instagram_media_insights_latest` (mine INT64)").result()
    assert main(["tables", "--views", "--project", faulty.project, "--dataset", faulty.dataset, "--skip-missing"]) == 2
    said = capsys.readouterr()
    assert "p-1.d.instagram_freshness: created." in said.out
    assert "d.instagram_media_insights_latest is a table" in said.err
    assert "instagram_freshness" in sandbox.tables("d")
