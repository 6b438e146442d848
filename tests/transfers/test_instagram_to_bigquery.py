"""The main job from end to end: what stands in BigQuery after a run is exactly what the world says, each row once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import truth
from stage import DATASET, DAY, END, KEYS, NOW, START, Row, Stage, facts, open_stage, pacific_days

from airflow_provider_iginsights.clock import RunClock
from airflow_provider_iginsights.sandbox.graph import Account, Media, Token, World

YESTERDAY = date(2026, 11, 20)
LOOKBACK = 3
DAYS = pacific_days(YESTERDAY - LOOKBACK * DAY, YESTERDAY)
REFRESH = timedelta(days=28)

WRITTEN = [table_id for table_id in KEYS if table_id != "instagram_account_status"]  # that one only by "quarantine"


def posts(stage: Stage, account: Account, *, since: Any = START - REFRESH, until: Any = END) -> list[Media]:
    """Return the account's posts that were published in [since, until)."""
    return [post for post in stage.world.media_of(account.id, stage.now) if since <= post.timestamp < until]


def expected(stage: Stage, accounts: Iterable[Account], **offers: Any) -> dict[str, list[Row]]:
    """Return the truth of all tables for one run of the three transfers."""
    world, now, tables = stage.world, stage.now, {table_id: [] for table_id in WRITTEN}
    for account in accounts:
        chosen, stories = posts(stage, account), world.stories_of(account.id, now)
        offer = offers.get("account", truth.DEFAULT_ACCOUNT)
        tables["instagram_account_insights"] += truth.account_rows(world, account, DAYS, now=now, offer=offer)
        tables["instagram_accounts"].append(truth.profile_rows(account, now=now))
        tables["instagram_media"] += truth.listed_rows(world, [*chosen, *stories], now=now)
        offer = offers.get("posts", truth.DEFAULT_POSTS)
        tables["instagram_media_insights"] += truth.post_rows(world, chosen, now=now, offer=offer)
        offer = offers.get("stories", truth.DEFAULT_STORIES)
        tables["instagram_story_insights"] += truth.story_rows(world, stories, now=now, offer=offer)
        tables["instagram_story_polls"].append(truth.poll_row(world, account, now=now))
    return tables


def run_all(stage: Stage, **arguments: Any) -> list[dict[str, Any]]:
    """Run the three transfers of one data interval."""
    return [stage.run(kind, **arguments) for kind in ("account", "media", "story")]


def assert_holds(stage: Stage, tables: dict[str, list[Row]]) -> None:
    """Compare every value of every column that says something of the world; and that the truth is not empty."""
    for table_id, rows in tables.items():
        assert rows, f"the truth of {table_id} is empty: the test would show nothing"
        assert facts(table_id, stage.rows(table_id)) == facts(table_id, rows), table_id


def test_one_run_is_the_truth_and_a_second_one_changes_nothing(stage: Stage) -> None:
    """All tables equal the truth of both accounts after a run, and are the same to the byte after it is repeated."""
    summaries = run_all(stage)
    assert_holds(stage, expected(stage, stage.world.accounts.values()))
    first = stage.everything()
    for row in (row for rows in first.values() for row in rows):
        assert NOW <= row["fetched_at"] < NOW + timedelta(minutes=5)
        assert row["run_id"] == f"scheduled__{END}"
        assert row.get("api_version", "v25.0") == "v25.0"
    again = run_all(stage)
    assert stage.everything() == first
    assert [summary["rows"] for summary in again] == [summary["rows"] for summary in summaries]
    assert [summary["rows_changed"] for summary in again] == [0, 0, 0]
    assert stage.staging() == []
    assert sum(summary["rows"] for summary in summaries) == sum(map(len, first.values()))


def test_the_same_on_the_referee(referee: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent emulator of BigQuery ends up with the same tables, after one run and after two."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    with open_stage(World.build(now=NOW, accounts=1)) as stage:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", referee)
        # The referee lives in the real time, and no test can set its clock: it is not asked for it.
        monkeypatch.setattr(RunClock, "set_by_bigquery", lambda *_: None)
        monkeypatch.setattr("airflow_provider_iginsights.bigquery.stage.LIFETIME", timedelta(days=36500))
        client = Client(
            project=stage.bigquery.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": referee},
        )

        def held(table_id: str) -> list[Row]:
            rows = client.query(f"SELECT * FROM `instagram.{table_id}`").result()
            return sorted(map(dict, rows), key=lambda row: [str(row[name]) for name in KEYS[table_id]])

        run_all(stage)
        first = {table_id: held(table_id) for table_id in WRITTEN}
        for table_id, rows in expected(stage, [stage.account]).items():
            assert facts(table_id, first[table_id]) == facts(table_id, rows), table_id
        run_all(stage)
        assert {table_id: held(table_id) for table_id in WRITTEN} == first
        client.close()


def test_revised_numbers_overwrite_and_settled_ones_stay(small_stage: Stage) -> None:
    """Six hours later, days younger than 48 hours hold the new numbers; rows of the same number are as before."""
    stage = small_stage
    stage.run("account")
    stage.run("media")
    before, stories = stage.everything(), stage.rows("instagram_story_insights")
    assert stories == []
    truth_before = expected(stage, [stage.account])
    stage.travel(timedelta(hours=6))
    stage.run("account")
    stage.run("media")
    truth_after = expected(stage, [stage.account])
    for table_id in ("instagram_account_insights", "instagram_accounts", "instagram_media_insights"):
        # A value that was seen once and is not in the new answer stays: no answer never deletes.
        merged = facts(table_id, truth_before[table_id]) | facts(table_id, truth_after[table_id])
        after = stage.rows(table_id)
        assert facts(table_id, after) == merged
        old = {tuple(row[name] for name in KEYS[table_id]): row for row in before[table_id]}
        same = {key for key, row in facts(table_id, before[table_id]).items() if row == merged[key]}
        for row in after:
            key = tuple(row[name] for name in KEYS[table_id])
            assert row == old[key] if key in same else row["fetched_at"] >= NOW + timedelta(hours=6)
    settled = [row for row in stage.rows("instagram_account_insights") if row["metric_date"] <= date(2026, 11, 18)]
    revised = [row for row in stage.rows("instagram_account_insights") if row["fetched_at"] >= NOW + timedelta(hours=6)]
    assert {row["metric_date"] for row in revised} == {date(2026, 11, 19), date(2026, 11, 20)}
    assert len(settled) > 100
    assert not {id(row) for row in settled} & {id(row) for row in revised}


def test_consecutive_runs_cover_each_day_once_and_overlap_without_doubles(small_stage: Stage) -> None:
    """Three daily runs with their lookback leave the same rows as one run over the whole stretch."""
    stage = small_stage
    for back in (2, 1, 0):
        stage.run("account", interval=(START - back * DAY, END - back * DAY), metrics=["reach", "likes"])
    daily = facts("instagram_account_insights", stage.rows("instagram_account_insights"))
    offer = truth.offers.AccountOffer(
        series=(("reach", "day"),),
        totals={"reach": ("media_product_type", "follow_type"), "likes": ("", "media_product_type")},
    )
    days = pacific_days(YESTERDAY - 5 * DAY, YESTERDAY)
    rows = truth.account_rows(stage.world, stage.account, days, now=stage.now, offer=offer)
    assert daily == facts("instagram_account_insights", rows)
    assert stage.rows("instagram_accounts"), "the youngest run reads the profile"


def test_a_run_over_many_days_is_cut_into_windows_that_meta_takes(small_stage: Stage) -> None:
    """Forty days, across the end of daylight saving, arrive whole, each once; follower_count ends where Meta's does."""
    stage = small_stage
    first = YESTERDAY - 39 * DAY
    summary = stage.run(
        "account",
        since="2026-10-12",
        until="2026-11-21",
        metrics="reach,follower_count",
        breakdowns={"reach": []},
        lookback_days=0,
    )
    offer = truth.offers.AccountOffer(series=(("reach", "day"), ("follower_count", "day")), totals={"reach": ()})
    rows = truth.account_rows(stage.world, stage.account, pacific_days(first, YESTERDAY), now=stage.now, offer=offer)
    assert facts("instagram_account_insights", stage.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", rows
    )
    (left_out,) = [finding for finding in summary["left_out"] if finding["kind"] == "BeyondHistory"]
    assert "follower_count" in left_out["what"]
    assert "30 days" in left_out["why"]


def test_all_metrics(small_stage: Stage) -> None:
    """The set "all" adds the rolling weeks, the reached audience, profile_activity and the numbers from Facebook."""
    stage = small_stage
    run_all(stage, metrics="all")
    assert_holds(
        stage,
        expected(
            stage, [stage.account], account=truth.ALL_ACCOUNT, posts=truth.ALL_POSTS, stories=truth.offers.ALL_STORIES
        ),
    )
    shared = {post.shared_to_facebook for post in posts(stage, stage.account)}
    assert shared == {True, False}, "the world must hold media of both kinds"


CHOICES = {
    "a list": (
        {"metrics": ["reach", "saves"]},
        {
            "series": (("reach", "day"),),
            "totals": {"reach": ("media_product_type", "follow_type"), "saves": ("", "media_product_type")},
        },
    ),
    "a comma string and no breakdowns": (
        {"metrics": "views, saves", "breakdowns": {"views": [], "saves": []}},
        {"totals": {"views": ("",), "saves": ("",)}},
    ),
    "one breakdown instead of two, as JSON text": (
        {"metrics": ["views"], "breakdowns": '{"views": ["follow_type"]}'},
        {"totals": {"views": ("", "follow_type")}},
    ),
    "two dimensions at once": (
        {
            "metrics": ["reach", "follower_demographics"],
            "breakdowns": {"follower_demographics": ["country,gender"], "reach": ["media_product_type,follow_type"]},
        },
        {
            "series": (("reach", "day"),),
            "totals": {"reach": ("media_product_type,follow_type",)},
            "audiences": {"follower_demographics": ("country,gender",)},
        },
    ),
    "another timeframe": (
        {
            "metrics": ["engaged_audience_demographics/this_week"],
            "breakdowns": {"engaged_audience_demographics": "age"},
        },
        {"audiences": {"engaged_audience_demographics": ("age",)}, "timeframe": "THIS_WEEK"},
    ),
    "another period": (
        {"metrics": ["reach/days_28"], "breakdowns": {"reach": []}},
        {"series": (("reach", "days_28"),)},
    ),
    "what has no value without its breakdown": (
        {"metrics": ["follows_and_unfollows"], "breakdowns": {"follows_and_unfollows": []}},
        {"totals": {"follows_and_unfollows": ("follow_type",)}},
    ),
}


@pytest.mark.parametrize(("arguments", "offer"), CHOICES.values(), ids=CHOICES)
def test_chosen_metrics(small_stage: Stage, arguments: dict[str, Any], offer: dict[str, Any]) -> None:
    """Exactly the metrics and breakdowns asked for are stored, and nothing beside them."""
    stage = small_stage
    stage.run("account", lookback_days=0, profile_table_id=None, **arguments)
    rows = truth.account_rows(
        stage.world, stage.account, [YESTERDAY], now=stage.now, offer=truth.offers.AccountOffer(**offer)
    )
    wanted = facts("instagram_account_insights", rows)
    assert wanted
    assert facts("instagram_account_insights", stage.rows("instagram_account_insights")) == wanted
    assert stage.rows("instagram_accounts") == []


@pytest.mark.parametrize("lookback", [0, 5, "2"])
def test_lookback(small_stage: Stage, lookback: int | str) -> None:
    """The day of the window and as many closed days before it are written."""
    small_stage.run("account", metrics=["likes"], lookback_days=lookback)
    days = {row["metric_date"] for row in small_stage.rows("instagram_account_insights")}
    assert days == set(pacific_days(YESTERDAY - int(lookback) * DAY, YESTERDAY))


@pytest.mark.parametrize(
    ("refresh_days", "since"), [(0, START), (3, START - 3 * DAY), (None, None), ("90", START - 90 * DAY)]
)
def test_refresh_days_choose_posts_by_publish_time(small_stage: Stage, refresh_days: Any, since: Any) -> None:
    """Posts from refresh_days before the window up to its end are read; None reads every post, none later than it."""
    stage = small_stage
    stage.world.put(
        Media(
            id="17899999999999999",
            account_id=stage.account.id,
            media_type="IMAGE",
            media_product_type="FEED",
            timestamp=END,
        )
    )
    stage.run("media", refresh_days=refresh_days)
    chosen = posts(stage, stage.account, since=since or NOW - 3000 * DAY)
    assert chosen
    assert {row["media_id"] for row in stage.rows("instagram_media")} == {post.id for post in chosen}
    wanted = facts("instagram_media_insights", truth.post_rows(stage.world, chosen, now=stage.now))
    assert facts("instagram_media_insights", stage.rows("instagram_media_insights")) == wanted


def test_one_odd_post_costs_no_other_its_numbers(small_stage: Stage) -> None:
    """A post older than the business account, and one that is hidden, are listed and named; all others are whole."""
    stage = small_stage
    odd = {
        "media_type": "IMAGE",
        "media_product_type": "FEED",
        "timestamp": START,
        "account_id": stage.account.id,
        "permalink": "https://www.instagram.com/p/odd/",
        "shortcode": "odd",
    }
    stage.world.put(Media(id="17899999999999991", before_business=True, **odd))
    stage.world.put(Media(id="17899999999999992", hidden=True, **odd))
    summary = stage.run("media")
    chosen = posts(stage, stage.account)
    assert facts("instagram_media", stage.rows("instagram_media")) == facts(
        "instagram_media", truth.listed_rows(stage.world, chosen, now=stage.now)
    )
    assert facts("instagram_media_insights", stage.rows("instagram_media_insights")) == facts(
        "instagram_media_insights", truth.post_rows(stage.world, chosen, now=stage.now)
    )
    named = {finding["kind"]: finding["whom"] for finding in summary["left_out"]}
    assert named == {"MediaTooOld": ["media 17899999999999991"], "ObjectGone": ["media 17899999999999992"]}


def test_stories_until_they_die(small_stage: Stage) -> None:
    """Hourly runs keep one snapshot an hour; the last one, in the last hour of a story, is final, and no other."""
    stage = small_stage
    (story,) = stage.world.stories_of(stage.account.id, stage.now)
    written: dict[Any, Row] = {}
    for back in (timedelta(hours=2), timedelta(minutes=40), timedelta(minutes=5)):
        stage.travel(story.timestamp + timedelta(hours=24) - back - stage.now)
        stage.run("story")
        live = stage.world.stories_of(stage.account.id, stage.now)
        assert story in live
        written |= facts("instagram_story_insights", truth.story_rows(stage.world, live, now=stage.now))
    final = max(row["snapshot_at"] for row in written.values() if row["is_final"])
    assert {row["snapshot_at"] for row in written.values() if row["is_final"]} > {final}, "the last hour is read twice"
    for row in written.values():
        row["is_final"] = row["is_final"] and row["snapshot_at"] == final
    assert facts("instagram_story_insights", stage.rows("instagram_story_insights")) == written


def test_stories_with_few_viewers_and_in_europe(small_stage: Stage) -> None:
    """A story that fewer than five saw has no numbers and is named; Europe has no replies; 0 is a number."""
    stage = small_stage
    quiet = {"media_type": "IMAGE", "media_product_type": "STORY", "timestamp": NOW - timedelta(hours=3)}
    european = Account(id="17841499999999999", username="europe", page_id="19", europe=True)
    stage.world.put(european)
    stage.world.put(Media(id="17999999999999991", account_id=stage.account.id, viewers=4, **quiet))
    stage.world.put(Media(id="17999999999999992", account_id=european.id, **quiet))
    summary = stage.run("story")
    stories = [story for account in stage.world.accounts for story in stage.world.stories_of(account, stage.now)]
    assert facts("instagram_story_insights", stage.rows("instagram_story_insights")) == facts(
        "instagram_story_insights", truth.story_rows(stage.world, stories, now=stage.now)
    )
    assert [(finding["kind"], finding["whom"]) for finding in summary["left_out"]] == [
        ("TooFewViewers", ["story 17999999999999991"])
    ]
    assert 0 in {row["value"] for row in stage.rows("instagram_story_insights") if row["metric"] == "replies"}


def test_a_repeated_old_run_never_dates_todays_totals_back(small_stage: Stage) -> None:
    """A backfill of old days leaves audience and profile alone, and dates the totals of posts by today."""
    stage = small_stage
    old = {"interval": (START - 10 * DAY, END - 10 * DAY)}
    stage.run("account", **old)
    stage.run("media", **old)
    assert stage.rows("instagram_accounts") == []
    assert {row["timeframe"] for row in stage.rows("instagram_account_insights")} == {""}
    assert max(row["metric_date"] for row in stage.rows("instagram_account_insights")) == YESTERDAY - 10 * DAY
    assert {row["snapshot_date"] for row in stage.rows("instagram_media_insights")} == {YESTERDAY + DAY}


def test_small_accounts(small_stage: Stage) -> None:
    """An account below 100 followers loses only the metrics that need them; why is said, nothing is written as 0."""
    stage = small_stage
    tiny = Account(id="17841488888888888", username="tiny", page_id="18", followers_count=12)
    stage.world.put(tiny)
    summary = stage.run("account", account_ids=tiny.id, lookback_days=0)
    offer = truth.offers.AccountOffer(
        series=(("reach", "day"),),
        totals={name: by for name, by in truth.DEFAULT_ACCOUNT.totals.items() if name != "follows_and_unfollows"},
    )
    rows = truth.account_rows(stage.world, tiny, [YESTERDAY], now=stage.now, offer=offer)
    assert facts("instagram_account_insights", stage.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", rows
    )
    assert {finding["kind"] for finding in summary["left_out"]} == {"TooFewFollowers"}
    assert len(summary["accounts_done"]) == 1


def test_instagram_login(small_stage: Stage) -> None:
    """On graph.instagram.com the same rows arrive without batches, less what only Facebook Login offers."""
    stage = small_stage
    stage.connect(host=stage.graph.instagram_url, password=stage.world.instagram_token(stage.account.id))
    run_all(stage)
    assert_holds(
        stage,
        expected(stage, [stage.account], posts=truth.INSTAGRAM_POSTS, stories=truth.INSTAGRAM_STORIES),
    )
    assert {received.method for received in stage.graph.log} == {"GET"}
    assert all(received.path.startswith("/graph.instagram.com/") for received in stage.graph.log)


def test_version_10() -> None:
    """The API of 2021 is read with the metrics of its time, as its documentation shows them."""
    with open_stage(
        World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=1), pin="v10.0"
    ) as stage:
        world, now, account = stage.world, stage.now, stage.account
        summaries = run_all(stage)
        chosen, stories = posts(stage, account), world.stories_of(account.id, now)
        assert_holds(
            stage,
            {
                "instagram_account_insights": list(
                    truth.legacy_account_rows(world, account, DAYS, now=now, offer=truth.LEGACY_ACCOUNT)
                ),
                "instagram_accounts": [truth.profile_rows(account, now=now)],
                "instagram_media": list(truth.listed_rows(world, [*chosen, *stories], now=now, legacy=True)),
                "instagram_media_insights": list(
                    truth.post_rows(world, chosen, now=now, offer=truth.LEGACY_POSTS, legacy=True)
                ),
                "instagram_story_insights": list(truth.story_rows(world, stories, now=now, offer=truth.LEGACY_STORIES)),
            },
        )
        assert {row["api_version"] for row in stage.rows("instagram_account_insights")} == {"v10.0"}
        assert all(summary["left_out"] == [] for summary in summaries)


def test_a_limited_token_reads_its_own_accounts(stage: Stage) -> None:
    """Without account_ids, the accounts that the token sees are read, and no other."""
    mine, other = stage.world.accounts.values()
    stage.world.put(Token("EAAGlimited", "user", account_ids=(mine.id,)))
    stage.connect(password="EAAGlimited")
    summary = stage.run("account", metrics=["likes"])
    assert len(summary["accounts_done"]) == 1
    assert {row["account_id"] for row in stage.rows("instagram_account_insights")} == {mine.id}
    stage.connect(extra={"account_ids": other.id})
    stage.run("account", metrics=["likes"])
    assert {row["account_id"] for row in stage.rows("instagram_account_insights")} == {mine.id, other.id}


def test_the_summary_says_what_was_done(small_stage: Stage) -> None:
    """The return value names tables, window, rows, accounts, calls and jobs, and holds no row; a link is in XCom."""
    stage = small_stage
    summary = stage.run("account", metrics=["likes"])
    table = f"{stage.bigquery.project}.instagram.instagram_account_insights"
    assert summary["window"] == {"since": START.isoformat(), "until": END.isoformat(), "rule": "data_interval"}
    assert summary["tables"][table] == len(stage.rows("instagram_account_insights"))
    assert len(summary["accounts_done"]) == 1
    assert summary["graph_calls"] >= summary["http_requests"] == len(stage.graph.log)
    assert set(summary["bigquery_jobs"]) == {
        job.id for job in stage.bigquery.jobs if "-load-" in job.id or "-merge-" in job.id
    }
    assert "instagram_account_insights" in stage.instance.pushed["bigquery_table_link"]
    assert len(str(summary)) < 2000


@pytest.mark.parametrize("load_mode", ["merge", "replace"])
def test_a_post_whose_timestamp_changes_is_one_row(small_stage: Stage, load_mode: str) -> None:
    """A post of two years ago that now says it is of yesterday moves, also where the run looks at 28 days only."""
    stage = small_stage
    stage.run("media", refresh_days=None)
    before = {row["media_id"]: row for row in stage.rows("instagram_media")}
    oldest = min(before.values(), key=lambda row: row["published_at"])
    post = stage.world.media(oldest["media_id"])
    assert post is not None
    assert oldest["published_date"] < YESTERDAY - 60 * DAY
    stage.world.put(replace(post, timestamp=NOW - DAY))
    stage.run("media", load_mode=load_mode)
    after = {row["media_id"]: row for row in stage.rows("instagram_media")}
    assert len(stage.rows("instagram_media")) == len(before) == len(after)
    assert (after[post.id]["published_date"], after[post.id]["published_at"]) == (YESTERDAY, NOW - DAY)
    assert {name for name, row in after.items() if row["published_at"] != before[name]["published_at"]} == {post.id}


def test_replace_removes_only_what_an_answer_no_longer_has(small_stage: Stage) -> None:
    """load_mode="replace" removes a value that a metric, breakdown and day no longer have; the unasked stays."""
    stage = small_stage
    stage.run("account", metrics=["likes", "saves"], interval=(START - 2 * DAY, END), lookback_days=0)
    before = stage.rows("instagram_account_insights")
    forget = f"""INSERT INTO {DATASET}.instagram_account_insights
        (account_id, metric, period, timeframe, breakdown, breakdown_value, metric_date, value, fetched_at)
        SELECT account_id, metric, period, timeframe, breakdown, 'FORGOTTEN', metric_date, 1, fetched_at
        FROM {DATASET}.instagram_account_insights WHERE breakdown_value = 'AD'"""
    stage.bigquery.client().query_and_wait(forget)
    forgotten = [row for row in stage.rows("instagram_account_insights") if row["breakdown_value"] == "FORGOTTEN"]
    stage.run("account", metrics=["likes"], breakdowns={"likes": []}, load_mode="replace", lookback_days=0)
    assert len(stage.rows("instagram_account_insights")) == len(before) + len(forgotten)
    stage.run("account", metrics=["likes"], load_mode="replace", lookback_days=0)
    gone = [row for row in forgotten if (row["metric"], row["metric_date"]) == ("likes", YESTERDAY)]
    assert len(gone) == 1
    left = [row for row in forgotten if row not in gone] + before
    assert facts("instagram_account_insights", stage.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", left
    )


def test_append_keeps_every_reading(small_stage: Stage) -> None:
    """load_mode="append" adds the rows of every run beside those before."""
    for _ in range(2):
        small_stage.run("account", metrics=["likes"], lookback_days=0, load_mode="append", profile_table_id=None)
    rows = small_stage.rows("instagram_account_insights")
    assert rows
    assert all(rows.count(row) in (1, 2) for row in rows)
    assert len({(row["breakdown_value"]) for row in rows}) * 2 == len(rows)
