"""A poll that came too late says so: in the log, in the summary, in the asset's event and in the table of polls."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

import pytest

from airflow_provider_iginsights._compat import Asset
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, ReduceData
from tests.support.sandboxes import Sandboxes, open_sandboxes
from tests.support.transfers.story_runs import (
    DAY,
    HOUR,
    MINUTE,
    POLLS,
    START,
    TABLE,
    Events,
    final_hours,
    gap_sums,
    hour_of,
    make_operator,
    poll,
    publish,
    quiet_world,
)

ONE, TWO = "17841400000000101", "17841400000000102"


def test_a_pause_of_more_than_a_day_is_told_per_account(caplog: pytest.LogCaptureFixture) -> None:
    """After 30 hours the stories of an account are told to be lost, late or without an end; a first poll has no gap."""
    world = quiet_world(ONE, TWO)
    publish(world, ONE, START - 2 * HOUR, 1)  # seen, and dead before the second poll
    publish(world, ONE, START + 2 * HOUR, 2)  # never seen
    publish(world, ONE, START + 10 * HOUR, 3)  # seen late
    publish(world, ONE, START + 20 * HOUR, 4)  # seen in its first half
    with open_sandboxes(world) as sandboxes, caplog.at_level(logging.WARNING):
        first = poll(sandboxes, START, account_ids=[ONE])
        assert (first["gaps"], first["first_polls"]) == ({}, 1)
        events, asset = Events(), Asset("bigquery://project/dataset/stories")
        events[asset].extra = {"kept": True}
        second = poll(sandboxes, START + 30 * HOUR, account_ids=[ONE, TWO], outlets=[asset], outlet_events=events)
        assert gap_sums(second) == {ONE: ([30], 1, 1)}
        assert second["first_polls"] == 1
        gap = second["gaps"][ONE]
        assert gap["pauses"][0]["unseen_published_after"].startswith("2026-11-20T10:0")
        assert gap["pauses"][0]["unseen_published_before"].startswith("2026-11-20T16:0")
        assert [(story["what"], story["media_id"][-1]) for story in gap["stories"]] == [
            ("finals_missed", "1"),
            ("seen_late", "3"),
        ]
        extra = events[asset].extra
        assert (extra["kept"], extra["gaps"], extra["captures"]) == (True, second["gaps"], 1)
        warnings = [record.getMessage() for record in caplog.records if f"Stories of account {ONE}" in record.message]
        assert len(warnings) == 1
        assert f"no poll succeeded for {gap['pauses'][0]['hours']} hours" in warnings[0]
        row = sandboxes.rows(POLLS)[1]
        assert (row["live_stories"], row["seen_late"], row["finals_missed"]) == (2, 1, 1)
        assert row["fetched_at"] - row["previous_poll_at"] > DAY


def test_a_poll_that_finds_no_story_is_remembered() -> None:
    """An account without stories is polled all the same: its last poll counts, not its last story."""
    world = quiet_world(ONE)
    with open_sandboxes(world) as sandboxes:
        gaps = [poll(sandboxes, START + hours * HOUR)["gaps"] for hours in (0, 20, 40)]
        assert gaps == [{}, {}, {}]
        assert sandboxes.rows(TABLE) == []
        assert [row["live_stories"] for row in sandboxes.rows(POLLS)] == [0, 0, 0]
        assert gap_sums(poll(sandboxes, START + 65 * HOUR)) == {ONE: ([25], 0, 0)}


def test_a_poll_that_failed_is_none() -> None:
    """An account that Meta refused was not polled: its next success tells the whole pause, the other account's none."""
    world = quiet_world(ONE, TWO)
    with open_sandboxes(world) as sandboxes:
        poll(sandboxes, START)
        sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(10), path=f"{ONE}/stories", times=None))
        assert poll(sandboxes, START + 20 * HOUR, on_account_error="skip")["accounts_done"] == [TWO]
        sandboxes.graph.faults.clear()
        assert gap_sums(poll(sandboxes, START + 40 * HOUR)) == {ONE: ([40], 0, 0)}


def test_a_repeated_run_tells_the_same_gap_and_adds_no_row() -> None:
    """A retry or a clear within the hour writes the same poll; a later one still tells what the first try found."""
    world = quiet_world(ONE)
    with open_sandboxes(world) as sandboxes:
        poll(sandboxes, START)
        late = START + 26 * HOUR
        first = poll(sandboxes, late, run="late")
        rows = sandboxes.rows(POLLS)
        again = poll(sandboxes, late + 5 * MINUTE, run="late", try_number=2)
        assert gap_sums(first) == gap_sums(again) == {ONE: ([26], 0, 0)}
        assert again["gaps"][ONE]["pauses"][0]["since"] == first["gaps"][ONE]["pauses"][0]["since"]
        assert sandboxes.rows(POLLS) == rows
        assert gap_sums(poll(sandboxes, late + 2 * HOUR, run="late", try_number=3)) == {ONE: ([26], 0, 0)}
        assert poll(sandboxes, late + 3 * HOUR, run="next")["gaps"] == {}


def test_a_story_that_its_owner_took_down_is_no_loss() -> None:
    """A story that was gone from the profile at the last poll before its expiry misses nothing."""
    world = quiet_world(ONE)
    story = publish(world, ONE, START - 20 * HOUR, 1)
    with open_sandboxes(world) as sandboxes:
        poll(sandboxes, START)
        world.deleted.add(story.id)
        assert poll(sandboxes, START + HOUR)["gaps"] == {}
        assert poll(sandboxes, START + 9 * HOUR)["gaps"] == {}


def test_numbers_that_the_webhook_brought_are_not_missed() -> None:
    """A story whose end no poll saw, but whose numbers Meta sent, is not told as missed."""
    world = quiet_world(ONE)
    publish(world, ONE, START - 20 * HOUR, 1)
    with open_sandboxes(world) as sandboxes:
        poll(sandboxes, START)
        client = sandboxes.bigquery.client()
        columns = ", ".join(sandboxes.rows(TABLE)[0])
        sent = columns.replace("source", "'webhook' AS source").replace("is_final", "TRUE AS is_final")
        sql = f"INSERT INTO instagram.{TABLE} ({columns}) SELECT {sent} FROM instagram.{TABLE}"
        client.query(sql).result()
        client.close()
        assert poll(sandboxes, START + 9 * HOUR)["gaps"] == {}


def test_without_a_table_of_polls_nothing_is_remembered() -> None:
    """polls_table_id=None writes no polls and asks BigQuery nothing; the stories are written as ever."""
    world = quiet_world(ONE)
    publish(world, ONE, START - HOUR, 1)
    with open_sandboxes(world) as sandboxes:
        summary = poll(sandboxes, START, polls_table_id=None, runs_table_id=None, left_out_table_id=None)
        assert sandboxes.bigquery.tables("instagram") == [TABLE]
        assert summary["gaps"] == {}
        assert len(sandboxes.rows(TABLE)) == 1


def test_the_number_of_jobs_does_not_depend_on_the_accounts() -> None:
    """Two hundred accounts are looked up with as many BigQuery jobs as two."""
    counts = []
    for accounts in (2, 200):
        world = quiet_world(*(f"178414{number:011d}" for number in range(accounts)))
        for number, account_id in enumerate(world.accounts):
            publish(world, account_id, START - HOUR, number)
        with open_sandboxes(world) as sandboxes:
            poll(sandboxes, START)
            before = len(sandboxes.bigquery.jobs)
            poll(sandboxes, START + HOUR)
            counts.append(len(sandboxes.bigquery.jobs) - before)
    assert counts[0] == counts[1]


def test_an_account_that_was_away_makes_no_lookup_of_others_longer() -> None:
    """One of twelve accounts comes back after 20 days: only its own stories are looked up so far back."""
    away, *others = (f"178414{number:011d}" for number in range(12))
    back = START + 20 * DAY
    world = quiet_world(away, *others)
    lost = publish(world, away, START - HOUR, 0)
    ended = publish(world, others[0], back - 22 * HOUR - 55 * MINUTE, 1)  # read last 65 minutes before it expires
    for number, account_id in enumerate(others):
        publish(world, account_id, START - HOUR, 100 + number)
    with open_sandboxes(world, pricing=True) as sandboxes:
        sandboxes.bigquery.switches.block_bytes = 400  # a few rows: the accounts of a day fill several blocks
        poll(sandboxes, START)
        copy_to_days(sandboxes, 20, but=away)
        poll(sandboxes, back, account_ids=others)
        alone = lookup_bytes(sandboxes)
        found = poll(sandboxes, back + 2 * HOUR, account_ids=[away, *others])
        both = lookup_bytes(sandboxes)[len(alone) :]
        assert gap_sums(found) == {away: ([20 * 24 + 2], 0, 1)}
        assert final_hours(sandboxes) == {ended.id: {back}}
        assert lost.id in {row["media_id"] for row in sandboxes.rows(TABLE)}
    # The poll of the eleven after 20 days reads all these days; with hourly polls, and one account away, few are read.
    assert (len(alone), len(both)) == (2, 2)
    assert sum(both) < alone[-1] / 3


def copy_to_days(sandboxes: Sandboxes, days: int, *, but: str) -> None:
    """Copy what is stored of the stories to each of so many days after START, but for one account's."""
    columns = ", ".join(sandboxes.rows(TABLE)[0])
    copied = columns.replace("snapshot_date", "day AS snapshot_date")
    listed = ", ".join(f"DATE '{(START + step * DAY).date()}'" for step in range(1, days))
    with sandboxes.bigquery.client() as client:
        client.query(
            f"INSERT INTO instagram.{TABLE} ({columns}) SELECT {copied} FROM instagram.{TABLE}, UNNEST([{listed}]) day "
            f"WHERE account_id != '{but}'"
        ).result()


def lookup_bytes(sandboxes: Sandboxes) -> list[int]:
    """Return what each lookup of stories processed until now."""
    statements = ((job.statement or "", job.bytes_processed) for job in sandboxes.bigquery.jobs)
    return [size for sql, size in statements if sql.endswith("GROUP BY T.`account_id`, T.`media_id`")]


@pytest.mark.usefixtures("without_waits")
def test_final_numbers_are_marked_once_after_a_first_listing_that_broke_off() -> None:
    """No poll is remembered of it, but its rows are there: the next poll unmarks what it had marked."""
    world = quiet_world(ONE)
    for name in range(12):
        publish(world, ONE, START - 23 * HOUR + 5 * MINUTE, name)
    with open_sandboxes(world) as sandboxes:
        down = GraphFault(effect=ErrorEffect(-1, http=500), path=f"{ONE}/stories", times=None, skip=6)
        sandboxes.graph.faults.add(GraphFault(effect=ReduceData(10), path=f"{ONE}/stories", times=None), down)
        poll(sandboxes, START + 10 * MINUTE)
        assert list(final_hours(sandboxes).values()) == [{START}] * 10
        sandboxes.graph.faults.clear()
        assert poll(sandboxes, START + HOUR)["first_polls"] == 1
        assert list(final_hours(sandboxes).values()) == [{START + HOUR}] * 12


def test_outlets_that_are_missing_do_no_harm() -> None:
    """A context without asset events, as in a test of a user's own, is no error."""
    world = quiet_world(ONE)
    with open_sandboxes(world) as sandboxes:
        assert poll(sandboxes, START, outlets=[Asset("bigquery://project/dataset/stories")])["gaps"] == {}


def test_the_tables_are_named_and_templated() -> None:
    """The polls' table comes last, so that a poll is remembered only once its numbers are in; its name is templated."""
    operator = make_operator(polls_table_id="{{ ds }}_polls", media_table_id="media")
    assert list(operator.tables.values()) == [TABLE, "media", "{{ ds }}_polls"]
    operator.render_template_fields({"ds": "today"})
    assert operator.polls_table_id == "today_polls"
    assert timedelta(hours=1) == operator.final_within


@pytest.mark.usefixtures("without_waits")
def test_a_listing_that_broke_off_is_no_poll() -> None:
    """On the last try what the first page brought is stored, the rest is named, and no poll claims to have seen all."""
    world = quiet_world(ONE, TWO)
    for account_id, first in ((ONE, 100), (TWO, 200)):
        for name in range(12):
            publish(world, account_id, START - HOUR, first + name)
    with open_sandboxes(world) as sandboxes:
        poll(sandboxes, START)
        down = GraphFault(effect=ErrorEffect(-1, http=500), path=f"{TWO}/stories", times=None, skip=6)
        sandboxes.graph.faults.add(GraphFault(effect=ReduceData(10), path=f"{TWO}/stories", times=None), down)
        broken = poll(sandboxes, START + HOUR)
        assert {found["kind"] for found in broken["left_out"]} == {"ServerTrouble"}
        at_second = [row for row in sandboxes.rows(TABLE) if row["snapshot_at"] == hour_of(START + HOUR)]
        assert sorted(Counter(row["account_id"] for row in at_second).items()) == [(ONE, 12), (TWO, 10)]
        sandboxes.graph.faults.clear()
        poll(sandboxes, START + 2 * HOUR)
        assert [
            (
                row["account_id"],
                row["snapshot_at"],
                row["live_stories"],
                row["previous_poll_at"] and hour_of(row["previous_poll_at"]),
            )
            for row in sandboxes.rows(POLLS)
        ] == [
            (ONE, START, 12, None),
            (ONE, START + HOUR, 12, START),
            (ONE, START + 2 * HOUR, 12, START + HOUR),
            (TWO, START, 12, None),
            (TWO, START + 2 * HOUR, 12, START),
        ]
