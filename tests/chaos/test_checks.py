"""What the plays of chaos are judged by: each kind of wrong is noticed, and what is right is not."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from google.cloud.bigquery import Table

from airflow_provider_iginsights._compat import AirflowRescheduleException
from airflow_provider_iginsights.catalog.tables import MEDIA
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.faults import Faults
from airflow_provider_iginsights.transfers.run_log import noting_refusal
from tests.support.bigquery.killed_loads import PROJECT
from tests.support.bigquery.warehouses import connect_to_emulator
from tests.support.chaos import children, script_runs
from tests.support.chaos.arming import CHANGES, find_action
from tests.support.chaos.checks import (
    RUNS_REFUSED,
    Truth,
    check_left,
    check_rows,
    check_runs,
    check_whole,
    read_tables,
)
from tests.support.chaos.kills import KillPlayer
from tests.support.chaos.loads import LoadPlayer
from tests.support.chaos.requests import AtRequest, RequestMiddleware, open_planned
from tests.support.chaos.script_runs import ScriptRun
from tests.support.chaos.scripts import Fault, draw_script
from tests.support.chaos.tasks import TASKS, make_steps, make_world
from tests.support.left_out import is_told
from tests.support.sandboxes import DAY
from tests.support.transfers.killed_transfers import SPAWN


def test_the_checks_notice_what_is_wrong() -> None:
    """A lost row, one that stands twice, another value, an invented key and a staging table are all told."""
    with open_planned(make_world()) as sandboxes:
        (step,) = make_steps(TASKS["account"], list(sandboxes.world.accounts), dataset="d", run_id="r")
        known = Truth(sandboxes.world, "account")
        known.begin("r")
        known.instants.append(sandboxes.now)
        step.make().execute(step.context)
        tables = read_tables(sandboxes, "d")
        assert [*check_rows(tables, known), *check_whole(tables, known, {}), *check_left(sandboxes, "d")] == []
        rows = tables["instagram_account_insights"]
        first, *others = rows
        wrong = {
            "doubled": [first, *rows],
            "another value": [first | {"value": first["value"] + 1}, *others],
            "invented": [first | {"metric": "none"}, *others],
            "another origin: instagram_account_insights.run_id": [first | {"run_id": "x"}, *others],
            "another origin: instagram_account_insights.api_version": [first | {"api_version": "v24.0"}, *others],
            "another origin: instagram_account_insights.fetched_at": [
                first | {"fetched_at": first["fetched_at"] - timedelta(hours=1)},
                *others,
            ],
        }
        for kind, changed in wrong.items():
            found = [each.kind for each in check_rows({"instagram_account_insights": changed}, known)]
            assert [each for each in found if each.startswith(kind)], kind
        lost = list(check_whole(tables | {"instagram_account_insights": others}, known, {}))
        assert [each.kind for each in lost] == ["lost: instagram_account_insights"]
        entry = {"what": first["metric"], "whom": [f"account {first['account_id']}"], "count": 1}
        told = tables | {"instagram_account_insights": others}
        assert list(check_whole(told, known, {"left_out": [entry]})) == []
        # An entry about a metric says nothing of a profile, also where it counts more accounts than it names.
        no_profile = {"instagram_accounts": tables["instagram_accounts"][1:]}
        lost = list(check_whole(told | no_profile, known, {"left_out": [entry | {"count": 7}]}))
        assert [each.kind for each in lost] == ["lost: instagram_accounts"]
        with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.query("CREATE TABLE d.instagram_accounts__stg_x (x INT64)").result()
        assert [each.kind for each in check_left(sandboxes, "d")] == ["staging left: instagram_accounts"]


@pytest.mark.parametrize(
    ("what", "whom", "row", "column", "is_named"),
    [
        ("reach", "account 1", {"metric": "reach"}, None, True),
        ("reach", "account 1", {"metric": "views"}, None, False),
        ("insights", "account 1", {"metric": "reach"}, None, True),
        ("insights", "account 1", {}, None, False),
        ("profile", "account 1", {}, None, True),
        ("profile", "account 2", {}, None, False),
        ("days", "the run", {"metric": "reach"}, None, True),
        ("reach", "account 1", {"metric": "reach", "media_id": "7"}, None, True),
        ("insights", "media 7", {"metric": "reach", "media_id": "7"}, None, True),
        ("insights", "media 8", {"metric": "reach", "media_id": "7"}, None, False),
        ("media", "account 1 (media 8)", {"media_id": "7"}, None, False),
        ("media", "account 1", {"media_id": "7"}, None, True),
        ("media", "account 1 (media 8)", {}, None, False),
        ("like_count", "media 7", {"media_id": "7"}, "like_count", True),
        ("like_count", "media 7", {"media_id": "7"}, "caption", False),
        ("like_count", "media 7", {"media_id": "7"}, None, False),
        ("children.media_url", "media 7 (child 9)", {"media_id": "7"}, "media_url", True),
        ("owner", "media 7", {"media_id": "7"}, "owner_id", True),
    ],
)
def test_what_a_summary_names(what: str, whom: str, row: dict[str, str], column: str | None, is_named: bool) -> None:
    """A row is named by an entry about its own post or account, and about its own metric or column, or all of them."""
    summary = {"left_out": [{"what": what, "whom": [whom], "count": 9}]}
    assert is_told(summary, "1", row, column=column) is is_named


def test_the_table_of_runs_is_looked_at() -> None:
    """A run needs one row an account that says done; rows may only lack where the run has noted the refusal."""
    with open_planned(make_world()) as sandboxes:
        one, other = sandboxes.world.accounts
        (step,) = make_steps(TASKS["account"], [one], dataset="d", run_id="r")
        known = Truth(sandboxes.world, "account")
        step.make().execute(step.context)

        def find(run_id: str, *notes: str) -> list[str]:
            return [each.kind for each in check_runs(sandboxes, "d", known, run_id=run_id, notes=notes)]

        assert find("r") == find("r", "Another note.") == find("another") == ["runs are told otherwise"]
        assert find("r", f"{RUNS_REFUSED}, their data …") == []
        with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.query("UPDATE d.instagram_runs SET status = 'failed' WHERE TRUE").result()
        assert find("r", f"{RUNS_REFUSED}, their data …") == ["runs are told otherwise"]
        known.account_ids = (other,)
        assert find("r") == ["runs are told otherwise"]


def test_a_changed_type_hides_no_other_table() -> None:
    """Where a column of one table changes its type in the midst of a try, a wrong number in another is still told."""
    with open_planned(make_world()) as sandboxes:
        change = Fault("bigquery", "a column changes its type", "last")
        run = ScriptRun(replace(draw_script(2), task="account", faults=(change,), retries=0), sandboxes, "d", {})
        run.known.begin("r")
        (step,) = run.make_steps("r")

        def execute(context: Any) -> Any:
            result = step.make().execute(context)
            with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
                client.query("UPDATE d.instagram_account_insights SET value = value + 1 WHERE TRUE").result()
                CHANGES["a column changes its type"](client, f"{client.project}.d", ["instagram_accounts"])
            return result

        spoilt = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        _, violations = run._run_step(spoilt, 0, hit_tries=0)
    assert [each.kind for each in violations] == ["another value: instagram_account_insights.value"]


@pytest.mark.parametrize("effect", ["target vanishes", "dataset vanishes", "a column changes its type"])
@pytest.mark.parametrize("asks_again", [False, True])
def test_rows_are_lost_where_the_run_asked_for_them_again(effect: str, *, asks_again: bool) -> None:
    """What somebody drops behind a run is none that it lost; a run that asks for a table that is gone has lost it."""
    with open_planned(make_world()) as sandboxes:
        script = replace(draw_script(2), task="account", tries=0, retries=0, keeps_log=False)
        run = ScriptRun(script, sandboxes, "d", {})
        run.known.begin("r")
        (step,) = run.make_steps("r")

        def execute(context: Any) -> Any:
            result = step.make().execute(context)
            find_action(effect, script, sandboxes, "d", drops=run.drops)()
            with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
                client.query("SELECT 1 AS instagram_accounts" if asks_again else "SELECT 1").result()
            return result

        spoilt = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        found = [each.kind for each in run._run_all([spoilt], is_hit=True)]
    assert found == ["lost: instagram_accounts"] * len(sandboxes.world.accounts) * asks_again


def test_nothing_happens_while_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a late request of a try sets off is over before its tables are looked at, and no more is set off."""
    happened: list[str] = []
    begun, going_on = threading.Event(), threading.Event()

    def change() -> None:
        begun.set()
        going_on.wait(10)
        happened.append("changed")

    with open_planned(make_world()) as sandboxes:
        run = ScriptRun(replace(draw_script(2), task="account", retries=0), sandboxes, "d", {})
        (step,) = run.make_steps("r")
        request = threading.Thread(target=requests.get, args=(sandboxes.bigquery.url,), kwargs={"timeout": 10})

        def execute(_context: Any) -> None:
            sandboxes.bigquery.middleware.plan(AtRequest(0, change), AtRequest(1, change))  # type: ignore[attr-defined]
            request.start()
            begun.wait(10)
            threading.Timer(0.05, going_on.set).start()

        monkeypatch.setattr(script_runs, "read_tables", lambda *_: happened.append("read") or {})
        late = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        assert run._run_step(late, 0, hit_tries=0) == (None, [])
        request.join(10)
    assert happened == ["changed", "read"]


def test_a_process_that_dies_by_itself_is_no_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who ends without a result, and not by SIGKILL, is told, and so is a file that stays on the worker's disk."""
    (tmp_path / "TMPDIR").mkdir()
    (tmp_path / "TMPDIR" / "rows.ndjson").touch()
    process: Any = SPAWN.Process(target=os._exit, args=(3,), daemon=True)
    process.start()
    died = children.end_try(process, tmp_path / "never.json")
    assert died == children.Result(left=("rows.ndjson",), exit_code=3)
    monkeypatch.setattr(KillPlayer, "_run", lambda *_: died)
    with open_planned(make_world()) as sandboxes:
        played = KillPlayer(sandboxes, tmp_path).play(3)
    assert {"a process ended by itself", "file left"} <= {each.kind for each in played.violations}
    assert played.counts == {"kills": 0}


def test_who_stops_the_command_waits_for_no_timer(tmp_path: Path) -> None:
    """Ctrl-C while a process is waited for ends its limit, too: Python does not exit before its timers."""

    def stop() -> None:
        raise KeyboardInterrupt

    process: Any = SimpleNamespace(join=stop, kill=lambda: None)
    with pytest.raises(KeyboardInterrupt):
        children.end_try(process, tmp_path / "never.json")
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(each.finished.is_set() for each in timers)


def test_a_wait_without_an_end_is_told() -> None:
    """A task that waits again and again is no task that waits well."""
    with open_planned(make_world()) as sandboxes:
        run = ScriptRun(replace(draw_script(2), task="account"), sandboxes, "d", {})
        (step,) = run.make_steps("r")

        def execute(_context: Any) -> None:
            raise AirflowRescheduleException(sandboxes.now + DAY)

        waiting = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        _, violations = run._run_step(waiting, 0, hit_tries=0)
    assert [each.kind for each in violations] == ["waits without an end"]


def test_a_staging_table_may_only_stay_where_it_expires() -> None:
    """After a load whose drop was refused a staging table may wait for its end, which it must have; after none else."""
    hour = 3_600_000 + int(datetime.now(UTC).timestamp() * 1000)
    with BigQuerySandbox(project=PROJECT) as sandbox:
        middleware = RequestMiddleware(None)
        player = LoadPlayer(sandbox.url, sandbox.url, Faults(), [], middleware, "loads")
        with connect_to_emulator(PROJECT, sandbox.url) as client:
            client.create_dataset("d")
            for name, more in (("t__stg_1", {"expirationTime": str(hour)}), ("t__stg_2", {})):
                resource = {
                    "tableReference": {"projectId": PROJECT, "datasetId": "d", "tableId": name},
                    "schema": {"fields": [{"name": "x", "type": "INT64"}]},
                }
                client.create_table(Table.from_api_repr(resource | more))

        def find(*, is_hit: bool, expiring: set[str]) -> list[str]:
            return [each.details for each in player._find_left(MEDIA, "d", is_hit=is_hit, expiring=expiring)]

        assert find(is_hit=False, expiring=(known := set[str]())) == ["['t__stg_1', 't__stg_2']"]
        assert find(is_hit=True, expiring=known) == find(is_hit=False, expiring=known) == ["['t__stg_2']"]


def test_the_note_is_that_of_the_transfers() -> None:
    """What excuses missing rows is what a run says of a refused table."""
    notes: list[str] = []
    loader: Any = SimpleNamespace(session=SimpleNamespace(note=notes.append))
    with noting_refusal(loader):
        raise RuntimeError("refused")
    assert notes[0].startswith(RUNS_REFUSED)
