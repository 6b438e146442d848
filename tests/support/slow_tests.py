"""Tells which tests are slow: ``make test`` leaves them to ``make test-slow``."""

from __future__ import annotations

import pytest

SLOW_MODULES = frozenset(
    {
        # Many runs one after the other.
        "tests/bigquery/test_columns.py",
        "tests/bigquery/test_current_rows.py",
        "tests/bigquery/test_expiration.py",
        "tests/bigquery/test_moved_keys.py",
        "tests/test_soak.py",
        "tests/transfers/test_backfill.py",
        "tests/transfers/test_clocks.py",
        "tests/transfers/test_column_protection.py",
        "tests/transfers/test_quarantine.py",
        "tests/transfers/test_runs.py",
        "tests/transfers/test_story_capture.py",
        "tests/transfers/test_story_gap.py",
        "tests/transfers/test_story_week.py",
        "tests/transfers/test_unlisted_posts.py",
        # Kills, races and faults by chance.
        "tests/bigquery/test_duplicates.py",
        "tests/bigquery/test_fan_in.py",
        "tests/bigquery/test_killed_loads.py",
        "tests/chaos/test_chaos.py",
        "tests/transfers/test_killed_staged_transfers.py",
        "tests/transfers/test_killed_transfers.py",
        "tests/transfers/test_killed_unlisted_posts.py",
        "tests/transfers/test_staged_transfers.py",
        "tests/transfers/test_stopped_transfers.py",
        # Whole Dags and whole commands, each in a process of its own.
        "tests/cassettes/test_dag_run.py",
        "tests/cli/test_clear_command.py",
        "tests/cli/test_demo_command.py",
        "tests/cli/test_forget_command.py",
        "tests/cli/test_processes.py",
        "tests/dbt/test_with_dbt.py",
        "tests/test_agencies.py",
        "tests/test_server_tests.py",
        "tests/test_testing.py",
        "tests/transfers/test_lineage_runs.py",
        "tests/transfers/test_staged_runs.py",
        "tests/transfers/test_summary_keys.py",
        "tests/transfers/test_task_runs.py",
        # All tables filled, again and again.
        "tests/bigquery/test_erasure.py",
        "tests/bigquery/test_views.py",
    }
)
"""Modules by what makes them slow: more than half of all seconds of the tests."""


def is_slow(item: pytest.Item) -> bool:
    """Return whether a test is of a slow module, or runs on local-bigquery, which takes seconds for a statement."""
    if item.nodeid.partition("::")[0] in SLOW_MODULES:
        return True
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return "referee" in getattr(item, "fixturenames", ()) or parameters.get("warehouse") == "local-bigquery"
