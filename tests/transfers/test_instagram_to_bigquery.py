"""The main job from end to end: what stands in BigQuery after a run is exactly what the world says, each row once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.clock import RunClock
from airflow_provider_iginsights.sandbox.graph import Account, Media, Token, World
from tests.support import truth
from tests.support.sandboxes import (
    DATASET,
    DAY,
    END,
    KEYS,
    NOW,
    START,
    Row,
    Sandboxes,
    facts,
    open_sandboxes,
    pacific_days,
)
from tests.support.transfers.expected_tables import (
    DAYS,
    WRITTEN,
    YESTERDAY,
    assert_holds,
    expected,
    posts,
    run_all,
)


def test_one_run_is_the_truth_and_a_second_one_changes_nothing(sandboxes: Sandboxes) -> None:
    """All tables equal the truth of both accounts after a run, and are the same to the byte after it is repeated."""
    summaries = run_all(sandboxes)
    assert_holds(sandboxes, expected(sandboxes, sandboxes.world.accounts.values()))
    first = sandboxes.everything()
    for row in (row for rows in first.values() for row in rows):
        assert NOW <= row["fetched_at"] < NOW + timedelta(minutes=5)
        assert row["run_id"] == f"scheduled__{END}"
        assert row.get("api_version", "v25.0") == "v25.0"
    again = run_all(sandboxes)
    assert sandboxes.everything() == first
    assert [summary["rows"] for summary in again] == [summary["rows"] for summary in summaries]
    assert [summary["rows_changed"] for summary in again] == [0, 0, 0]
    assert sandboxes.staging() == []
    assert sum(summary["rows"] for summary in summaries) == sum(map(len, first.values()))


def test_the_same_on_the_referee(referee: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent emulator of BigQuery ends up with the same tables, after one run and after two."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    with open_sandboxes(World.build(now=NOW, accounts=1)) as sandboxes:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", referee)
        # The referee lives in the real time, and no test can set its clock: it is not asked for it.
        monkeypatch.setattr(RunClock, "set_by_bigquery", lambda *_: None)
        monkeypatch.setattr("airflow_provider_iginsights.bigquery.stage.LIFETIME", timedelta(days=36500))
        client = Client(
            project=sandboxes.bigquery.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": referee},
        )

        def held(table_id: str) -> list[Row]:
            rows = client.query(f"SELECT * FROM `instagram.{table_id}`").result()
            return sorted(map(dict, rows), key=lambda row: [str(row[name]) for name in KEYS[table_id]])

        run_all(sandboxes)
        first = {table_id: held(table_id) for table_id in WRITTEN}
        for table_id, rows in expected(sandboxes, [sandboxes.account]).items():
            assert facts(table_id, first[table_id]) == facts(table_id, rows), table_id
        run_all(sandboxes)
        assert {table_id: held(table_id) for table_id in WRITTEN} == first
        client.close()


def test_revised_numbers_overwrite_and_settled_ones_stay(small_sandboxes: Sandboxes) -> None:
    """Six hours later, days younger than 48 hours hold the new numbers; rows of the same number are as before."""
    sandboxes = small_sandboxes
    sandboxes.run("account")
    sandboxes.run("media")
    before, stories = sandboxes.everything(), sandboxes.rows("instagram_story_insights")
    assert stories == []
    truth_before = expected(sandboxes, [sandboxes.account])
    sandboxes.travel(timedelta(hours=6))
    sandboxes.run("account")
    sandboxes.run("media")
    truth_after = expected(sandboxes, [sandboxes.account])
    for table_id in ("instagram_account_insights", "instagram_accounts", "instagram_media_insights"):
        # A value that was seen once and is not in the new answer stays: no answer never deletes.
        merged = facts(table_id, truth_before[table_id]) | facts(table_id, truth_after[table_id])
        after = sandboxes.rows(table_id)
        assert facts(table_id, after) == merged
        old = {tuple(row[name] for name in KEYS[table_id]): row for row in before[table_id]}
        same = {key for key, row in facts(table_id, before[table_id]).items() if row == merged[key]}
        for row in after:
            key = tuple(row[name] for name in KEYS[table_id])
            assert row == old[key] if key in same else row["fetched_at"] >= NOW + timedelta(hours=6)
    settled = [row for row in sandboxes.rows("instagram_account_insights") if row["metric_date"] <= date(2026, 11, 18)]
    revised = [
        row for row in sandboxes.rows("instagram_account_insights") if row["fetched_at"] >= NOW + timedelta(hours=6)
    ]
    assert {row["metric_date"] for row in revised} == {date(2026, 11, 19), date(2026, 11, 20)}
    assert len(settled) > 100
    assert not {id(row) for row in settled} & {id(row) for row in revised}


def test_consecutive_runs_cover_each_day_once_and_overlap_without_doubles(small_sandboxes: Sandboxes) -> None:
    """Three daily runs with their lookback leave the same rows as one run over the whole stretch."""
    sandboxes = small_sandboxes
    for back in (2, 1, 0):
        sandboxes.run("account", interval=(START - back * DAY, END - back * DAY), metrics=["reach", "likes"])
    daily = facts("instagram_account_insights", sandboxes.rows("instagram_account_insights"))
    offer = truth.offers.AccountOffer(
        series=(("reach", "day"),),
        totals={"reach": ("media_product_type", "follow_type"), "likes": ("", "media_product_type")},
    )
    days = pacific_days(YESTERDAY - 5 * DAY, YESTERDAY)
    rows = truth.account_rows(sandboxes.world, sandboxes.account, days, now=sandboxes.now, offer=offer)
    assert daily == facts("instagram_account_insights", rows)
    assert sandboxes.rows("instagram_accounts"), "the youngest run reads the profile"


def test_a_run_over_many_days_is_cut_into_windows_that_meta_takes(small_sandboxes: Sandboxes) -> None:
    """Forty days, across the end of daylight saving, arrive whole, each once; follower_count ends where Meta's does."""
    sandboxes = small_sandboxes
    first = YESTERDAY - 39 * DAY
    summary = sandboxes.run(
        "account",
        since="2026-10-12",
        until="2026-11-21",
        metrics="reach,follower_count",
        breakdowns={"reach": []},
        lookback_days=0,
    )
    offer = truth.offers.AccountOffer(series=(("reach", "day"), ("follower_count", "day")), totals={"reach": ()})
    rows = truth.account_rows(
        sandboxes.world, sandboxes.account, pacific_days(first, YESTERDAY), now=sandboxes.now, offer=offer
    )
    assert facts("instagram_account_insights", sandboxes.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", rows
    )
    (left_out,) = [finding for finding in summary["left_out"] if finding["kind"] == "BeyondHistory"]
    assert "follower_count" in left_out["what"]
    assert "30 days" in left_out["why"]


def test_all_metrics(small_sandboxes: Sandboxes) -> None:
    """The set "all" adds the rolling weeks, the reached audience, profile_activity and the numbers from Facebook."""
    sandboxes = small_sandboxes
    run_all(sandboxes, metrics="all")
    assert_holds(
        sandboxes,
        expected(
            sandboxes,
            [sandboxes.account],
            account=truth.ALL_ACCOUNT,
            posts=truth.ALL_POSTS,
            stories=truth.offers.ALL_STORIES,
        ),
    )
    shared = {post.shared_to_facebook for post in posts(sandboxes, sandboxes.account)}
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
def test_chosen_metrics(small_sandboxes: Sandboxes, arguments: dict[str, Any], offer: dict[str, Any]) -> None:
    """Exactly the metrics and breakdowns asked for are stored, and nothing beside them."""
    sandboxes = small_sandboxes
    sandboxes.run("account", lookback_days=0, profile_table_id=None, **arguments)
    rows = truth.account_rows(
        sandboxes.world, sandboxes.account, [YESTERDAY], now=sandboxes.now, offer=truth.offers.AccountOffer(**offer)
    )
    wanted = facts("instagram_account_insights", rows)
    assert wanted
    assert facts("instagram_account_insights", sandboxes.rows("instagram_account_insights")) == wanted
    assert sandboxes.rows("instagram_accounts") == []


@pytest.mark.parametrize("lookback", [0, 5, "2"])
def test_lookback(small_sandboxes: Sandboxes, lookback: int | str) -> None:
    """The day of the window and as many closed days before it are written."""
    small_sandboxes.run("account", metrics=["likes"], lookback_days=lookback)
    days = {row["metric_date"] for row in small_sandboxes.rows("instagram_account_insights")}
    assert days == set(pacific_days(YESTERDAY - int(lookback) * DAY, YESTERDAY))


@pytest.mark.parametrize(
    ("refresh_days", "since"), [(0, START), (3, START - 3 * DAY), (None, None), ("90", START - 90 * DAY)]
)
def test_refresh_days_choose_posts_by_publish_time(small_sandboxes: Sandboxes, refresh_days: Any, since: Any) -> None:
    """Posts from refresh_days before the window up to its end are read; None reads every post, none later than it."""
    sandboxes = small_sandboxes
    sandboxes.world.put(
        Media(
            id="17899999999999999",
            account_id=sandboxes.account.id,
            media_type="IMAGE",
            media_product_type="FEED",
            timestamp=END,
        )
    )
    sandboxes.run("media", refresh_days=refresh_days)
    chosen = posts(sandboxes, sandboxes.account, since=since or NOW - 3000 * DAY)
    assert chosen
    assert {row["media_id"] for row in sandboxes.rows("instagram_media")} == {post.id for post in chosen}
    wanted = facts("instagram_media_insights", truth.post_rows(sandboxes.world, chosen, now=sandboxes.now))
    assert facts("instagram_media_insights", sandboxes.rows("instagram_media_insights")) == wanted


def test_one_odd_post_costs_no_other_its_numbers(small_sandboxes: Sandboxes) -> None:
    """A post older than the business account, and one that is hidden, are listed and named; all others are whole."""
    sandboxes = small_sandboxes
    odd = {
        "media_type": "IMAGE",
        "media_product_type": "FEED",
        "timestamp": START,
        "account_id": sandboxes.account.id,
        "permalink": "https://www.instagram.com/p/odd/",
        "shortcode": "odd",
    }
    sandboxes.world.put(Media(id="17899999999999991", before_business=True, **odd))
    sandboxes.world.put(Media(id="17899999999999992", hidden=True, **odd))
    summary = sandboxes.run("media")
    chosen = posts(sandboxes, sandboxes.account)
    assert facts("instagram_media", sandboxes.rows("instagram_media")) == facts(
        "instagram_media", truth.listed_rows(sandboxes.world, chosen, now=sandboxes.now)
    )
    assert facts("instagram_media_insights", sandboxes.rows("instagram_media_insights")) == facts(
        "instagram_media_insights", truth.post_rows(sandboxes.world, chosen, now=sandboxes.now)
    )
    named = {finding["kind"]: finding["whom"] for finding in summary["left_out"]}
    assert named == {"MediaTooOld": ["media 17899999999999991"], "ObjectGone": ["media 17899999999999992"]}


def test_stories_until_they_die(small_sandboxes: Sandboxes) -> None:
    """Hourly runs keep one snapshot an hour; the last one, in the last hour of a story, is final, and no other."""
    sandboxes = small_sandboxes
    (story,) = sandboxes.world.stories_of(sandboxes.account.id, sandboxes.now)
    written: dict[Any, Row] = {}
    for back in (timedelta(hours=2), timedelta(minutes=40), timedelta(minutes=5)):
        sandboxes.travel(story.timestamp + timedelta(hours=24) - back - sandboxes.now)
        sandboxes.run("story")
        live = sandboxes.world.stories_of(sandboxes.account.id, sandboxes.now)
        assert story in live
        written |= facts("instagram_story_insights", truth.story_rows(sandboxes.world, live, now=sandboxes.now))
    final = max(row["snapshot_at"] for row in written.values() if row["is_final"])
    assert {row["snapshot_at"] for row in written.values() if row["is_final"]} > {final}, "the last hour is read twice"
    for row in written.values():
        row["is_final"] = row["is_final"] and row["snapshot_at"] == final
    assert facts("instagram_story_insights", sandboxes.rows("instagram_story_insights")) == written


def test_stories_with_few_viewers_and_in_europe(small_sandboxes: Sandboxes) -> None:
    """A story that fewer than five saw has no numbers and is named; Europe has no replies; 0 is a number."""
    sandboxes = small_sandboxes
    quiet = {"media_type": "IMAGE", "media_product_type": "STORY", "timestamp": NOW - timedelta(hours=3)}
    european = Account(id="17841499999999999", username="europe", page_id="19", europe=True)
    sandboxes.world.put(european)
    sandboxes.world.put(Media(id="17999999999999991", account_id=sandboxes.account.id, viewers=4, **quiet))
    sandboxes.world.put(Media(id="17999999999999992", account_id=european.id, **quiet))
    summary = sandboxes.run("story")
    stories = [
        story for account in sandboxes.world.accounts for story in sandboxes.world.stories_of(account, sandboxes.now)
    ]
    assert facts("instagram_story_insights", sandboxes.rows("instagram_story_insights")) == facts(
        "instagram_story_insights", truth.story_rows(sandboxes.world, stories, now=sandboxes.now)
    )
    assert [(finding["kind"], finding["whom"]) for finding in summary["left_out"]] == [
        ("TooFewViewers", ["story 17999999999999991"])
    ]
    assert 0 in {row["value"] for row in sandboxes.rows("instagram_story_insights") if row["metric"] == "replies"}


def test_a_repeated_old_run_never_dates_todays_totals_back(small_sandboxes: Sandboxes) -> None:
    """A backfill of old days leaves audience and profile alone, and dates the totals of posts by today."""
    sandboxes = small_sandboxes
    old = {"interval": (START - 10 * DAY, END - 10 * DAY)}
    sandboxes.run("account", **old)
    sandboxes.run("media", **old)
    assert sandboxes.rows("instagram_accounts") == []
    assert {row["timeframe"] for row in sandboxes.rows("instagram_account_insights")} == {""}
    assert max(row["metric_date"] for row in sandboxes.rows("instagram_account_insights")) == YESTERDAY - 10 * DAY
    assert {row["snapshot_date"] for row in sandboxes.rows("instagram_media_insights")} == {YESTERDAY + DAY}


def test_small_accounts(small_sandboxes: Sandboxes) -> None:
    """An account below 100 followers loses only the metrics that need them; why is said, nothing is written as 0."""
    sandboxes = small_sandboxes
    tiny = Account(id="17841488888888888", username="tiny", page_id="18", followers_count=12)
    sandboxes.world.put(tiny)
    summary = sandboxes.run("account", account_ids=tiny.id, lookback_days=0)
    offer = truth.offers.AccountOffer(
        series=(("reach", "day"),),
        totals={name: by for name, by in truth.DEFAULT_ACCOUNT.totals.items() if name != "follows_and_unfollows"},
    )
    rows = truth.account_rows(sandboxes.world, tiny, [YESTERDAY], now=sandboxes.now, offer=offer)
    assert facts("instagram_account_insights", sandboxes.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", rows
    )
    assert {finding["kind"] for finding in summary["left_out"]} == {"TooFewFollowers"}
    assert len(summary["accounts_done"]) == 1


def test_instagram_login(small_sandboxes: Sandboxes) -> None:
    """On graph.instagram.com the same rows arrive without batches, less what only Facebook Login offers."""
    sandboxes = small_sandboxes
    sandboxes.connect(
        host=sandboxes.graph.instagram_url, password=sandboxes.world.instagram_token(sandboxes.account.id)
    )
    run_all(sandboxes)
    assert_holds(
        sandboxes,
        expected(
            sandboxes,
            [sandboxes.account],
            posts=truth.INSTAGRAM_POSTS,
            stories=truth.INSTAGRAM_STORIES,
            page_id=None,
        ),
    )
    assert {received.method for received in sandboxes.graph.log} == {"GET"}
    assert all(received.path.startswith("/graph.instagram.com/") for received in sandboxes.graph.log)


def test_version_10() -> None:
    """The API of 2021 is read with the metrics of its time, as its documentation shows them."""
    with open_sandboxes(
        World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=1), pin="v10.0"
    ) as sandboxes:
        world, now, account = sandboxes.world, sandboxes.now, sandboxes.account
        summaries = run_all(sandboxes)
        chosen, stories = posts(sandboxes, account), world.stories_of(account.id, now)
        assert_holds(
            sandboxes,
            {
                "instagram_account_insights": list(
                    truth.legacy_account_rows(world, account, DAYS, now=now, offer=truth.LEGACY_ACCOUNT)
                ),
                "instagram_accounts": [truth.profile_rows(account, now=now, page_id=account.page_id)],
                "instagram_media": list(truth.listed_rows(world, [*chosen, *stories], now=now, legacy=True)),
                "instagram_media_children": list(truth.child_rows(world, chosen, legacy=True)),
                "instagram_media_insights": list(
                    truth.post_rows(world, chosen, now=now, offer=truth.LEGACY_POSTS, legacy=True)
                ),
                "instagram_story_insights": list(truth.story_rows(world, stories, now=now, offer=truth.LEGACY_STORIES)),
            },
        )
        assert {row["api_version"] for row in sandboxes.rows("instagram_account_insights")} == {"v10.0"}
        assert all(summary["left_out"] == [] for summary in summaries)


def test_a_limited_token_reads_its_own_accounts(sandboxes: Sandboxes) -> None:
    """Without account_ids, the accounts that the token sees are read, and no other."""
    mine, other = sandboxes.world.accounts.values()
    sandboxes.world.put(Token("EAAGlimited", "user", account_ids=(mine.id,)))
    sandboxes.connect(password="EAAGlimited")
    summary = sandboxes.run("account", metrics=["likes"])
    assert len(summary["accounts_done"]) == 1
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {mine.id}
    sandboxes.connect(extra={"account_ids": other.id})
    sandboxes.run("account", metrics=["likes"])
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {mine.id, other.id}


def test_the_summary_says_what_was_done(small_sandboxes: Sandboxes) -> None:
    """The return value names tables, window, rows, accounts, calls and jobs, and holds no row; a link is in XCom."""
    sandboxes = small_sandboxes
    summary = sandboxes.run("account", metrics=["likes"])
    table = f"{sandboxes.bigquery.project}.instagram.instagram_account_insights"
    assert summary["window"] == {
        "since": START.isoformat(),
        "until": END.isoformat(),
        "rule": "data_interval",
        "days": ["2026-11-20"],
        "days_read_again": ["2026-11-17", "2026-11-18", "2026-11-19"],
    }
    assert summary["tables"][table] == len(sandboxes.rows("instagram_account_insights"))
    assert len(summary["accounts_done"]) == 1
    assert summary["graph_calls"] >= summary["http_requests"] == len(sandboxes.graph.log)
    assert set(summary["bigquery_jobs"]) == {
        job.id for job in sandboxes.bigquery.jobs if "-load-" in job.id or "-merge-" in job.id
    }
    assert "instagram_account_insights" in sandboxes.instance.pushed["bigquery_table_link"]
    assert len(str(summary)) < 2000


@pytest.mark.parametrize("load_mode", ["merge", "replace"])
def test_a_post_whose_timestamp_changes_is_one_row(small_sandboxes: Sandboxes, load_mode: str) -> None:
    """A post of two years ago that now says it is of yesterday moves, also where the run looks at 28 days only."""
    sandboxes = small_sandboxes
    sandboxes.run("media", refresh_days=None)
    before = {row["media_id"]: row for row in sandboxes.rows("instagram_media")}
    oldest = min(before.values(), key=lambda row: row["published_at"])
    post = sandboxes.world.media(oldest["media_id"])
    assert post is not None
    assert oldest["published_date"] < YESTERDAY - 60 * DAY
    sandboxes.world.put(replace(post, timestamp=NOW - DAY))
    sandboxes.run("media", load_mode=load_mode)
    after = {row["media_id"]: row for row in sandboxes.rows("instagram_media")}
    assert len(sandboxes.rows("instagram_media")) == len(before) == len(after)
    assert (after[post.id]["published_date"], after[post.id]["published_at"]) == (YESTERDAY, NOW - DAY)
    assert {name for name, row in after.items() if row["published_at"] != before[name]["published_at"]} == {post.id}


def test_replace_removes_only_what_an_answer_no_longer_has(small_sandboxes: Sandboxes) -> None:
    """load_mode="replace" removes a value that a metric, breakdown and day no longer have; the unasked stays."""
    sandboxes = small_sandboxes
    sandboxes.run("account", metrics=["likes", "saves"], interval=(START - 2 * DAY, END), lookback_days=0)
    before = sandboxes.rows("instagram_account_insights")
    forget = f"""INSERT INTO {DATASET}.instagram_account_insights
        (account_id, metric, period, timeframe, breakdown, breakdown_value, metric_date, value, fetched_at)
        SELECT account_id, metric, period, timeframe, breakdown, 'FORGOTTEN', metric_date, 1, fetched_at
        FROM {DATASET}.instagram_account_insights WHERE breakdown_value = 'AD'"""
    sandboxes.bigquery.client().query_and_wait(forget)
    forgotten = [row for row in sandboxes.rows("instagram_account_insights") if row["breakdown_value"] == "FORGOTTEN"]
    sandboxes.run("account", metrics=["likes"], breakdowns={"likes": []}, load_mode="replace", lookback_days=0)
    assert len(sandboxes.rows("instagram_account_insights")) == len(before) + len(forgotten)
    sandboxes.run("account", metrics=["likes"], load_mode="replace", lookback_days=0)
    gone = [row for row in forgotten if (row["metric"], row["metric_date"]) == ("likes", YESTERDAY)]
    assert len(gone) == 1
    left = [row for row in forgotten if row not in gone] + before
    assert facts("instagram_account_insights", sandboxes.rows("instagram_account_insights")) == facts(
        "instagram_account_insights", left
    )


def test_append_keeps_every_reading(small_sandboxes: Sandboxes) -> None:
    """load_mode="append" adds the rows of every run beside those before."""
    for _ in range(2):
        small_sandboxes.run("account", metrics=["likes"], lookback_days=0, load_mode="append", profile_table_id=None)
    rows = small_sandboxes.rows("instagram_account_insights")
    assert rows
    assert all(rows.count(row) in (1, 2) for row in rows)
    assert len({(row["breakdown_value"]) for row in rows}) * 2 == len(rows)
