"""What a task leaves in XCom stays small, however many accounts there are and whatever befell them."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_iginsights.errors import AccountUnavailable, ServerTrouble, Throttled
from airflow_provider_iginsights.extract.account_pool import AccountResults
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.unanswered import UnansweredRequest
from airflow_provider_iginsights.task.account_history import AccountHistory
from airflow_provider_iginsights.task.loaded import Loaded
from airflow_provider_iginsights.task.source import Source
from airflow_provider_iginsights.task.summary import summarize
from airflow_provider_iginsights.task.summary_size import MOST_BYTES, shorten_summary
from airflow_provider_iginsights.window import Window
from tests.support.sandboxes import DAY, END, NOW, START

MANY = 5000


def ids(first: int) -> list[str]:
    """Return a fifth of the accounts, by ids as long as Meta's."""
    return [str(17841400000000000 + first * 1000 + number) for number in range(MANY // 5)]


@pytest.fixture
def summary() -> dict[str, Any]:
    """Return the summary of 5,000 accounts with everything that can befall them, each with a long reason."""
    log, why = LeftOutLog(), "Meta says that it cannot be, and much besides. 😀 " * 20
    for number in range(2000):
        log.note(f"account {number % 1000}", f"metric_{number % 400}", "MetricRefused", why, level=logging.DEBUG)
        log.remark(f"account {number % 1000}", f"metric_{number % 400}", why)
    trouble = UnansweredRequest(whom="account 1", what="reach", error=ServerTrouble(why), repeat={})
    results = AccountResults(
        done=ids(0),
        failed={account_id: AccountUnavailable(why) for account_id in ids(1)}
        | {account_id: Throttled(why, retry_after=60) for account_id in ids(2)},
        unanswered=dict.fromkeys(ids(3), (trouble,)),
    )
    history = AccountHistory(days=(START.date(),), reason=why)
    stories = [{"media_id": account_id, "what": "finals_missed"} for account_id in ids(0)[:20]]
    gap = {"pauses": [], "seen_late": 3, "finals_missed": 17, "stories": stories}
    loaded = Loaded(results, (), {"gaps": dict.fromkeys(ids(0), gap)}, quarantined=dict.fromkeys(ids(4), history))
    window = Window(since=START, until=END, rule="given", now=NOW)
    days = {"days": [START.date() + DAY * step for step in range(729)]}
    client: Any = SimpleNamespace(notes=[], call_counts=SimpleNamespace(calls=9, http=3))
    source = Source(client=client, window=window, provenance=Provenance(run_id="run"), left_out_log=log)
    return summarize(source, loaded, skips=False, days=days)


def test_five_thousand_accounts_fit(summary: dict[str, Any]) -> None:
    """Under 48 KB; every count is exact, the days are all there, and each kind of thing has its first names."""
    assert len(json.dumps(summary)) > 20 * MOST_BYTES
    short = shorten_summary(summary)
    assert len(json.dumps(short)) <= MOST_BYTES
    kinds = ("done", "failed", "throttled", "quarantined", "not_whole")
    assert short["account_counts"] == dict.fromkeys(kinds, MANY // 5) | {"skipped": 0}
    assert len(short["window"]["days"]) == 729
    assert sum(entry["count"] for entry in short["left_out"]) == 2000
    for kind in kinds[1:]:
        named = short[f"accounts_{kind}"]
        assert next(iter(named)) in summary[f"accounts_{kind}"]
    assert len(short["gaps"]) - 1 + int(short["gaps"]["and more"]) == MANY // 5


def test_what_is_short_stays_as_it_is(summary: dict[str, Any]) -> None:
    """Nothing is cut from a summary that fits, and what another task needs is cut from none."""
    few = summary | {name: {} for name in summary if name.startswith("accounts_")} | {"gaps": {}}
    few |= {"left_out": summary["left_out"][:3], "notes": ["x" * 3000]}
    assert shorten_summary(few) == few
    staged = {"parts": [{}], "account_ids": ids(0) + ids(1) + ids(2)}
    assert shorten_summary(summary | {"staged": staged})["staged"] == staged
