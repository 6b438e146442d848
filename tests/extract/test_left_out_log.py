"""What a run says it left out: each thing named once, counted exactly, with a few examples, safe for threads."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_iginsights.errors import GraphFacts, ObjectGone
from airflow_provider_iginsights.extract.left_out import MAX_EXAMPLES, MAX_GROUPS, LeftOutLog, limit_groups


def test_the_same_thing_counts_once() -> None:
    """A repetition adds nothing; another object adds to the count; another reason is another finding."""
    left_out_log = LeftOutLog()
    for whom in ("media 1", "media 1", "media 2"):
        left_out_log.note(whom, "likes", "MetricRefused", f"why {whom}")
    left_out_log.note("media 1", "likes", "ObjectGone", "gone")
    assert left_out_log.summarize() == [
        {"what": "likes", "kind": "MetricRefused", "why": "why media 1", "count": 2, "whom": ["media 1", "media 2"]},
        {"what": "likes", "kind": "ObjectGone", "why": "gone", "count": 1, "whom": ["media 1"]},
    ]


def test_examples_are_few_and_the_count_is_exact() -> None:
    """However many objects, the summary stays small and says how many there were."""
    left_out_log = LeftOutLog()
    for number in range(1000):
        left_out_log.note(f"media {number}", "insights", "MediaTooOld", "too old")
    (finding,) = left_out_log.summarize()
    assert (finding["count"], len(finding["whom"])) == (1000, MAX_EXAMPLES)  # type: ignore[arg-type]
    assert len(json.dumps(finding)) < 1000


def test_one_warning_per_reason(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the first object of each reason as a warning; the others are details."""
    left_out_log = LeftOutLog()
    with caplog.at_level(logging.INFO):
        for number in range(5):
            left_out_log.note(f"media {number}", "insights", "MediaTooOld", "too old")
    assert [record.message for record in caplog.records] == ["insights of media 0 left out: too old"]


def test_errors_are_named() -> None:
    """A refusal of Meta is kept under its error's name, with its message and facts."""
    left_out_log = LeftOutLog()
    left_out_log.note_error("media 1", "insights", ObjectGone("It is gone.", facts=GraphFacts(code=100, subcode=33)))
    (finding,) = left_out_log.summarize()
    assert (finding["kind"], finding["why"]) == ("ObjectGone", "It is gone. (code 100, subcode 33)")


def test_many_threads() -> None:
    """Threads that note the same and different things at once lose and double nothing."""
    left_out_log = LeftOutLog()

    def note(worker: int) -> None:
        for number in range(200):
            left_out_log.note(f"media {number}", "insights", "ObjectGone", "gone")
            left_out_log.note(f"media {worker}-{number}", "likes", "MetricRefused", "no")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(8)))
    assert {finding["what"]: finding["count"] for finding in left_out_log.summarize()} == {
        "insights": 200,
        "likes": 1600,
    }


def test_what_could_not_be_read_is_told_apart() -> None:
    """Metrics of which a value was lost may have more than was stored; what was refused or did not come has none."""
    left_out_log = LeftOutLog()
    left_out_log.note("account 1", "saves", "NoData", "why")
    for what, kind in [("reach", "Unreadable"), ("views", "Contradictory"), ("reach", "Undated")]:
        left_out_log.note_unreadable("account 1", what, kind, "why", group={"account_id": ("1",)})
    assert left_out_log.list_unreadable() == [
        {"account_id": ("1",), "metric": ("reach",)},
        {"account_id": ("1",), "metric": ("views",)},
    ]
    assert left_out_log.count == 4


def test_what_has_not_even_a_name_is_kept_apart() -> None:
    """Where the metric itself is lost, any metric of the answer may have more than was stored."""
    left_out_log = LeftOutLog()
    left_out_log.note_unreadable("account 1", "insights", "Unreadable", "why", group={"account_id": ("1",)})
    assert left_out_log.list_unreadable() == [{"account_id": ("1",)}]


def test_very_many_groups_are_kept_by_their_metrics() -> None:
    """What ends up in one statement stays short, and spares rather more than less."""
    left_out_log = LeftOutLog()
    for number in range(3 * MAX_GROUPS):
        group = {"account_id": ("1",), "media_id": (str(number),)}
        left_out_log.note_unreadable(
            f"media {number}", ("reach", "likes")[number % 2], "Unreadable", "why", group=group
        )
        assert len(left_out_log.list_unreadable()) <= MAX_GROUPS
    unread = left_out_log.list_unreadable()
    for metric in ("reach", "likes"):
        assert {"metric": (metric,)} in unread


def test_what_may_be_anywhere_stays_so() -> None:
    """Of very many groups, one that names no metric leaves everything in doubt."""
    left_out_log = LeftOutLog()
    left_out_log.note_unreadable("account 1", "insights", "Unreadable", "why", group={"account_id": ("1",)})
    for number in range(MAX_GROUPS):
        left_out_log.keep_unreadable({"metric": ("reach",), "account_id": (str(number),)})
    assert {} in left_out_log.list_unreadable()


def test_the_groups_of_many_tasks_are_limited_together() -> None:
    """What several tasks hand on goes into one statement, too: each group once, and above the limit by metric."""
    few = [{"account_id": [str(number)], "metric": ["reach"]} for number in range(MAX_GROUPS)]
    assert limit_groups([*few, *few]) == few
    assert limit_groups([*few, {"account_id": ["x"], "metric": ["likes"]}]) == [
        {"metric": ["reach"]},
        {"metric": ["likes"]},
    ]


def test_remarks_are_about_what_was_stored() -> None:
    """A remark is no finding: it says once for each thing whom it concerns, twenty by name and the rest by number."""
    left_out_log = LeftOutLog()
    for number in range(25):
        for _ in range(2):
            left_out_log.remark(f"account {number:02}", "reach", "It is refused.")
    assert left_out_log.summarize() == []
    named = ", ".join(f"account {number:02}" for number in range(20))
    assert left_out_log.list_remarks() == [f"reach of {named} and 5 more: It is refused."]


def test_silence_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """What did not come is counted like everything that is left out, and said on a lower level."""
    left_out_log = LeftOutLog()
    with caplog.at_level(logging.INFO):
        left_out_log.note_no_data("account 1", "reach", "No number came.")
        left_out_log.note_no_data("account 2", "reach", "No number came.")
        left_out_log.note("account 2", "likes", "Unreadable", "It is a list.")
    assert [(each["what"], each["kind"], each["count"]) for each in left_out_log.summarize()] == [
        ("reach", "NoData", 2),
        ("likes", "Unreadable", 1),
    ]
    assert left_out_log.count == 3
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING]
