"""An account that is unavailable night after night is left out, asked again once a week, and back once it answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import TaskDeferred
from airflow_provider_iginsights.errors import AccountUnavailable, PermissionMissing
from airflow_provider_iginsights.sandbox.graph import Account, ErrorEffect, GraphFault
from tests.support.sandboxes import TRANSFERS, RecordingTaskInstance, Sandboxes, open_sandboxes
from tests.support.transfers.story_runs import follow, publish, quiet_world

GOOD, GONE, ALSO_GONE = "17841400000000101", "17841400000000999", "17841400000000998"
NIGHT = timedelta(days=1)
FIRST = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)  # 12:00 in the Pacific zone
CHEAP: dict[str, dict[str, Any]] = {
    "account": {"metrics": ["reach"], "breakdowns": {}, "lookback_days": 0, "profile_table_id": None},
    "media": {"metrics": ["reach"], "breakdowns": {}},
    "story": {"metrics": ["reach"], "breakdowns": {}},
}
LIMITED = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account.")
DENIED = ErrorEffect(10, message="(#10) Application does not have permission for this action")


@pytest.fixture
def nights() -> Iterator[Sandboxes]:
    """Serve one account that publishes nothing."""
    with open_sandboxes(quiet_world(GOOD, now=FIRST)) as sandboxes:
        yield sandboxes


def run(sandboxes: Sandboxes, kind: str, *account_ids: str, **arguments: Any) -> dict[str, Any]:
    """Run one night's transfer."""
    sandboxes.graph.clear_log()
    options = {"account_ids": list(account_ids), "on_account_error": "quarantine"} | CHEAP[kind] | arguments
    return sandboxes.run(kind, interval=(sandboxes.now - NIGHT, sandboxes.now), **options)


def was_asked(sandboxes: Sandboxes, account_id: str) -> bool:
    """Return whether Meta was asked for an account in the last run, by path or inside a batch."""
    return any(account_id in f"{received.path} {received.items}" for received in sandboxes.graph.log)


def travel_to(sandboxes: Sandboxes, night: int) -> None:
    """Go to a night; the first is number 1."""
    sandboxes.travel(FIRST + (night - 1) * NIGHT - sandboxes.now)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about accounts that are left out, since the last look."""
    found = [each.getMessage() for each in caplog.records if "it is left out" in each.getMessage()]
    levels = [each.levelno for each in caplog.records if "it is left out" in each.getMessage()]
    caplog.clear()
    return [text for text, level in zip(found, levels, strict=True) if level == logging.WARNING]


@pytest.mark.parametrize("kind", CHEAP)
def test_the_table_is_asked_once_a_task(nights: Sandboxes, kind: str) -> None:
    """However many accounts it reads: each question bills 10 MiB; where all answer, nothing is written."""
    many = [f"178414{number:011d}" for number in range(40)]
    for account_id in many:
        nights.world.put(Account(id=account_id, username=f"user_{account_id[-2:]}", page_id=f"9{account_id}"))
    with pytest.raises(AccountUnavailable, match=GONE):
        run(nights, kind, GOOD, GONE)
    before = len(nights.bigquery.jobs)
    assert len(run(nights, kind, GOOD, *many)["accounts_done"]) == 41
    statements = [job.statement or "" for job in nights.bigquery.jobs[before:]]
    assert sum("instagram_account_status`" in sql for sql in statements) == 1


@pytest.mark.parametrize("kind", CHEAP)
def test_three_nights_then_once_a_week(nights: Sandboxes, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Two nights fail, also when repeated; the third warns; then it is asked each seventh night, and comes back."""
    caplog.set_level(logging.INFO)
    for night in (1, 1, 2):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match=GONE):
            run(nights, kind, GOOD, GONE)
        assert was_asked(nights, GONE)
        nights.travel(timedelta(minutes=5))
    assert warnings(caplog) == []
    for night, is_asked, warned, again in ((3, True, 1, "2026-11-30"), (4, False, 0, "2026-11-30")):
        travel_to(nights, night)
        summary = run(nights, kind, GOOD, GONE)
        assert was_asked(nights, GONE) is is_asked
        assert len(warnings(caplog)) == warned
        named = summary["accounts_quarantined"][GONE]
        assert (named["unavailable_since"], named["asked_again"]) == ("2026-11-21", again)
        assert GONE in named["reason"]
        assert (summary["accounts_done"], summary["accounts_failed"]) == ([GOOD], {})
    travel_to(nights, 10)
    summary = run(nights, kind, GOOD, GONE)
    assert was_asked(nights, GONE)
    assert warnings(caplog) == []
    assert summary["accounts_quarantined"][GONE]["asked_again"] == "2026-12-07"
    nights.world.put(Account(id=GONE, username="back", page_id="91"))
    travel_to(nights, 17)
    assert sorted(run(nights, kind, GOOD, GONE)["accounts_done"]) == [GOOD, GONE]
    travel_to(nights, 18)
    summary = run(nights, kind, GOOD, GONE)
    assert (summary["accounts_quarantined"], sorted(summary["accounts_done"])) == ({}, [GOOD, GONE])
    del nights.world.accounts[GONE]
    travel_to(nights, 19)
    with pytest.raises(AccountUnavailable, match=GONE):
        run(nights, kind, GOOD, GONE)
    status = nights.rows("instagram_account_status")
    assert sorted((row["status"], row["snapshot_date"].isoformat()) for row in status) == [
        ("answered", "2026-12-07"),
        *(("unavailable", f"2026-{day}") for day in ("11-21", "11-22", "11-23", "11-30", "12-09")),
    ]


def test_a_task_of_its_own_fares_the_same(nights: Sandboxes) -> None:
    """A mapped task whose only account is unavailable succeeds from the third night on, in every load_mode."""
    for night in (1, 2):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match=GONE):
            run(nights, "account", GONE, load_mode="append")
        run(nights, "account", GOOD, load_mode="append")
    travel_to(nights, 3)
    summary = run(nights, "account", GONE, load_mode="replace", table_id="others")
    assert (list(summary["accounts_quarantined"]), summary["accounts_done"]) == ([GONE], [])
    travel_to(nights, 4)
    summary = run(nights, "account", GONE, load_mode="replace", table_id="others")
    assert list(summary["accounts_quarantined"]) == [GONE]
    assert not was_asked(nights, GONE)


def test_a_token_that_sees_nobody_fails_every_night(nights: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """Of several accounts none answers: each is asked each night, the task fails, and nothing is held against them."""
    lost = nights.world.accounts.pop(GOOD)
    for night in (1, 2, 3, 4):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match="2 of 2 accounts failed"):
            run(nights, "account", GOOD, GONE)
        assert was_asked(nights, GOOD)
        assert was_asked(nights, GONE)
        assert "which may be the token's fault" in caplog.text
        caplog.clear()
    assert nights.rows("instagram_account_status") == []
    nights.world.put(lost)
    nights.world.put(Account(id=GONE, username="back", page_id="91"))
    travel_to(nights, 5)
    summary = run(nights, "account", GOOD, GONE)
    assert (sorted(summary["accounts_done"]), summary["accounts_quarantined"]) == ([GOOD, GONE], {})


def test_a_task_of_nobody_but_quarantined_accounts_asks_them(nights: Sandboxes) -> None:
    """Where the one that answered is taken out of the Dag, the others are asked each night, and the task fails."""
    for night in (1, 2):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable):
            run(nights, "account", GOOD, GONE, ALSO_GONE)
    travel_to(nights, 3)
    assert sorted(run(nights, "account", GOOD, GONE, ALSO_GONE)["accounts_quarantined"]) == [ALSO_GONE, GONE]
    for night in (4, 5):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match="2 of 2 accounts failed"):
            run(nights, "account", GONE, ALSO_GONE)
        assert was_asked(nights, GONE)
        assert was_asked(nights, ALSO_GONE)
    travel_to(nights, 6)
    assert sorted(run(nights, "account", GOOD, GONE, ALSO_GONE)["accounts_quarantined"]) == [ALSO_GONE, GONE]
    assert not was_asked(nights, GONE)


def test_an_earlier_step_of_the_task_counts_as_an_answer(nights: Sandboxes) -> None:
    """Who answered before the task waited for Meta's rate limit shows that the token works after it."""
    nights.world.put(Account(id=GONE, username="denied", page_id="91"))
    for night in (1, 2, 3):
        travel_to(nights, night)
        nights.graph.faults.clear()
        nights.graph.faults.add(GraphFault(effect=LIMITED, path=GONE, times=None))
        options = {"account_ids": [GOOD, GONE], "on_account_error": "quarantine", "dataset_id": "instagram"}
        operator = TRANSFERS["account"](
            task_id="account", gcp_conn_id=None, create_dataset=True, deferrable=True, **options, **CHEAP["account"]
        )
        context = {
            "ti": RecordingTaskInstance(run_id=f"night_{night}"),
            "data_interval_start": nights.now - NIGHT,
            "data_interval_end": nights.now,
        }
        with pytest.raises(TaskDeferred) as waiting:
            operator.execute(context)
        nights.graph.faults.clear()
        nights.graph.faults.add(GraphFault(effect=DENIED, path=GONE, times=None))
        nights.travel(timedelta(hours=1))
        if night < 3:
            with pytest.raises(PermissionMissing, match=GONE):
                operator.resume(context, **waiting.value.kwargs)
        else:
            assert list(operator.resume(context, **waiting.value.kwargs)["accounts_quarantined"]) == [GONE]


def test_a_permission_that_all_lack_is_the_token_s(nights: Sandboxes) -> None:
    """Where nobody answers, a missing permission stays a failure however many nights it lasts."""
    nights.world.put(Account(id=GONE, username="denied", page_id="91"))
    nights.graph.faults.add(GraphFault(effect=DENIED, path="insights", times=None))
    for night in (1, 2, 3, 4):
        travel_to(nights, night)
        with pytest.raises(PermissionMissing):
            run(nights, "account", GOOD, GONE)
    assert nights.rows("instagram_account_status") == []


def test_a_permission_that_one_lacks_is_its_own(nights: Sandboxes) -> None:
    """Where another account of the task answers, the account without it is left out from the third night."""
    nights.world.put(Account(id=GONE, username="denied", page_id="91"))
    nights.graph.faults.add(GraphFault(effect=DENIED, path=GONE, times=None))
    for night in (1, 2):
        travel_to(nights, night)
        with pytest.raises(PermissionMissing, match=GONE):
            run(nights, "account", GOOD, GONE)
    travel_to(nights, 3)
    assert list(run(nights, "account", GOOD, GONE)["accounts_quarantined"]) == [GONE]


def test_captures_go_on_without_it(nights: Sandboxes) -> None:
    """A run that waits for stories leaves the account out at its first look, names it at the end, and ends in time."""
    options = {"account_ids": [GOOD, GONE], "on_account_error": "quarantine", "capture_for": timedelta(hours=3)}
    for night in (1, 2):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match=GONE):
            follow(nights, run=f"night_{night}", scheduled=nights.now, **options)
    for night in (3, 4):
        travel_to(nights, night)
        publish(nights.world, GOOD, nights.now - timedelta(hours=22), night)
        summary, moments = follow(nights, run=f"night_{night}", scheduled=nights.now, **options)
        assert list(summary["accounts_quarantined"]) == [GONE]
        assert (summary["accounts_done"], summary["captures"]) == ([GOOD], len(moments) + 1)
        assert len(moments) >= 1


def test_an_answer_in_between_starts_the_count_anew(nights: Sandboxes) -> None:
    """Two nights, an answer, two nights: nobody is left out."""
    for night in (1, 2, 4, 5):
        travel_to(nights, night)
        with pytest.raises(AccountUnavailable, match=GONE):
            run(nights, "account", GOOD, GONE)
        if night == 2:
            nights.world.put(Account(id=GONE, username="back", page_id="91"))
            travel_to(nights, 3)
            assert sorted(run(nights, "account", GOOD, GONE)["accounts_done"]) == [GOOD, GONE]
            del nights.world.accounts[GONE]
