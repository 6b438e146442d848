"""Transfers in Airflow's own task runner: retries, waits and clears fetch what is missing, and only that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from tests.support.airflow_versions import needs
from tests.support.sandboxes import Sandboxes, facts
from tests.support.transfers.dag_runs import (
    BUSY,
    DOWN,
    clear_and_run,
    count_rows,
    dag_of,
    open_sandboxes_of_dags,
    pull,
    run,
    states,
)

pytestmark = needs("a task state store")

ACCOUNT = 'Account(task_id="account", metrics=["likes"], lookback_days=0, **TO{})'


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts; waits that take hours take a second."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def asked(sandboxes: Sandboxes) -> Counter[str]:
    """Return how many requests were about each account since the last look, by the account's last digit."""
    items = [item for received in sandboxes.graph.log for item in received.items or (received.path,)]
    sandboxes.graph.clear_log()
    ids = [
        account
        for account in sandboxes.world.accounts
        for item in items
        if f"/{account}" in item or item.startswith(account)
    ]
    return Counter(account[-1] for account in ids)


@pytest.mark.usefixtures("without_waits")
def test_a_retry_fetches_only_what_is_missing_and_a_clear_everything(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """The second try asks for the one account that failed; the summary counts both; a clear then asks for all three."""
    second = list(sandboxes.world.accounts)[1]
    # All tries of the client, when the account is first read and again at the end of the first try of the task.
    sandboxes.graph.faults.add(GraphFault(effect=DOWN, path=second, times=2 * GraphSettings(token="EAAG").max_tries))
    arguments = ", profile_table_id=None, retries=2, retry_delay=timedelta(0)"
    with dag_of(tmp_path, "retried", ACCOUNT.format(arguments)) as dag:
        (instance,) = run(dag).values()
        assert (instance.state, instance.try_number) == ("success", 2)
        summary = pull(instance)
        assert summary["accounts_done"] == list(sandboxes.world.accounts)
        assert summary["accounts_failed"] == {}
        rows = sandboxes.rows("instagram_account_insights")
        assert summary["rows"] == len(rows) > 0
        first_try = {row["account_id"] for row in rows}
        assert first_try == set(sandboxes.world.accounts)
        counted = asked(sandboxes)
        assert counted["1"] == counted["3"] == 1 < counted["2"]
        again = clear_and_run(dag, instance)
        assert (again.run_id, again.state, again.try_number) == (instance.run_id, "success", 3)
    assert asked(sandboxes) == Counter("123")
    assert len(facts("instagram_account_insights", sandboxes.rows("instagram_account_insights"))) == len(rows)


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("retries", [0, 1])
def test_the_last_try_ends_well_and_names_what_is_missing(sandboxes: Sandboxes, tmp_path: Path, retries: int) -> None:
    """An account that one question never answers is loaded but for that; the task is tried again while it may."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=DOWN, object_id=second, metric="reach", times=None))
    arguments = f", profile_table_id=None, retries={retries}, retry_delay=timedelta(0)"
    both = ACCOUNT.replace('["likes"]', '["likes", "reach"]').format(arguments)
    with dag_of(tmp_path, f"not_whole_{retries}", both) as dag:
        (instance,) = run(dag).values()
        assert (instance.state, instance.try_number) == ("success", 1 + retries)
        summary = pull(instance)
    assert summary["accounts_done"] == list(sandboxes.world.accounts)
    assert {found["kind"] for found in summary["left_out"]} == {"ServerTrouble"}
    assert {whom for found in summary["left_out"] for whom in found["whom"]} == {f"account {second}"}
    assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == set(sandboxes.world.accounts)


@pytest.mark.parametrize("deferrable", [False, True], ids=["rescheduled", "deferred"])
def test_a_throttled_task_comes_back_for_what_is_missing(
    sandboxes: Sandboxes, tmp_path: Path, deferrable: bool
) -> None:
    """The slot is given back without spending a retry; when it comes back it asks for the blocked account alone."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=second, times=1))
    arguments = f", profile_table_id=None, deferrable={deferrable}"
    with dag_of(tmp_path, f"throttled_{deferrable}", ACCOUNT.format(arguments)) as dag:
        (instance,) = run(dag).values()
    assert (instance.state, instance.try_number) == ("success", 1)
    assert asked(sandboxes) == Counter({"1": 1, "2": 2, "3": 1})
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}
    summary = pull(instance)
    assert pull(instance, key="summary") == summary  # not the one from before the wait
    assert summary["accounts_done"] == list(sandboxes.world.accounts)
    assert summary["accounts_throttled"] == {}
    assert summary["rows"] == len(sandboxes.rows("instagram_account_insights"))


def test_the_wait_is_bounded(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """An account that stays blocked fails the task for good once throttle_timeout is over; the others are loaded."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=second, times=None))
    arguments = ", profile_table_id=None, retries=3, throttle_timeout=timedelta(seconds=3)"
    with dag_of(tmp_path, "bounded", ACCOUNT.format(arguments)) as dag:
        (instance,) = run(dag).values()
    assert (instance.state, instance.try_number) == ("failed", 1)
    assert set(count_rows(sandboxes)) == {"1", "3"}
    summary = pull(instance, key="summary")
    assert list(summary["accounts_throttled"]) == [second]
    assert "rate limit" in summary["accounts_throttled"][second]
    counted = asked(sandboxes)
    assert counted["1"] == counted["3"] == 1
    assert 2 <= counted["2"] <= 4


def test_a_throttled_list_waits(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Meta's limit for calls that concern no account makes the listing task wait, too, and then map what it finds."""
    sandboxes.graph.faults.add(
        GraphFault(effect=ErrorEffect(4, message="(#4) Application request limit reached"), path="me/accounts")
    )
    body = """
accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=2)
Account.partial(task_id="account", metrics=["likes"], lookback_days=0, **TO).expand(account_ids=accounts.output)
"""
    with dag_of(tmp_path, "listed", body) as dag:
        found = run(dag)
    assert states(found) == {
        ("accounts", -1): ("success", 1),
        ("account", 0): ("success", 1),
        ("account", 1): ("success", 1),
    }
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}


CONNECTIONS = {
    "one task per connection": """
transfer = Account.partial(task_id="account", metrics=["likes"], lookback_days=0, **TO)
transfer.expand(instagram_conn_id=["one", "two", "dead"])
""",
    "chunks that name their connection": """
accounts = InstagramListAccountsOperator(task_id="accounts", instagram_conn_ids=["one", "two", "dead"])
Account.partial(task_id="account", metrics=["likes"], lookback_days=0, **TO).expand_kwargs(accounts.output)
""",
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_several_connections(sandboxes: Sandboxes, tmp_path: Path, name: str) -> None:
    """Each mapped task reads with its own connection; one with a dead token fails alone, with Meta's reason."""
    from airflow_provider_iginsights.sandbox.graph import Token

    first, second, third = sandboxes.world.accounts
    sandboxes.world.put(Token("EAAGone", "user", account_ids=(first, second)))
    sandboxes.world.put(Token("EAAGtwo", "user", account_ids=(third,)))
    for conn_id, token in {"one": "EAAGone", "two": "EAAGtwo", "dead": "EAAGdead"}.items():
        sandboxes.connect(conn_id, password=token)
    with dag_of(tmp_path, f"connections_{len(name)}", CONNECTIONS[name]) as dag:
        found = run(dag)
    mapped = {key[1]: str(instance.state) for key, instance in found.items() if key[0] == "account"}
    assert mapped == {0: "success", 1: "success", 2: "failed"}
    done: list[Any] = [pull(found["account", index])["accounts_done"] for index in (0, 1)]
    assert done == [[first, second], [third]]
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}


NOTHING = """
from airflow_provider_iginsights._compat import AirflowSkipException, task
dag.params = {"ids": None}
@task
def none(): return None
@task
def blank(): return ""
@task
def skipped(): raise AirflowSkipException
no, empty, gone = none(), blank(), skipped()
options = dict(lookback_days=0, profile_table_id=None, trigger_rule="all_done", retries=2, **TO)
Account(task_id="of_none", account_ids=no, **options)
Account(task_id="of_blank", account_ids=empty, **options)
Account(task_id="of_skipped", account_ids=gone, **options)
pulled = Account(task_id="pulled", account_ids="{{ ti.xcom_pull(task_ids='none') }}", **options)
no >> pulled
Account.partial(task_id="mapped", account_ids=no, **options).expand(metrics=["reach"])
InstagramListAccountsOperator(task_id="listed", account_ids=no, retries=2)
InstagramListAccountsOperator(task_id="allowed", allow=gone, trigger_rule="all_done", retries=2)
"""
LEFT_OUT = """
Account(task_id="param", account_ids=dag.param("ids"), metrics="reach", lookback_days=0, profile_table_id=None, **TO)
"""


def test_nothing_of_another_task_is_not_every_account(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """What another task returned chooses accounts: where that is nothing, the task fails at once and asks nobody.

    A parameter of the Dag that is None still means every account, as no argument does.
    """
    with dag_of(tmp_path, "nothing", NOTHING) as dag:
        found = states(run(dag))
    tasks = ("of_none", "of_blank", "of_skipped", "pulled", "listed", "allowed")
    assert {key: found[key] for key in found if key[0] in (*tasks, "mapped")} == {
        **{(name, -1): ("failed", 1) for name in tasks},
        ("mapped", 0): ("failed", 1),
    }
    assert not sandboxes.graph.log
    with dag_of(tmp_path, "left_out", "dag.params = {'ids': None}" + LEFT_OUT) as dag:
        assert states(run(dag)) == {("param", -1): ("success", 1)}
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}


@pytest.mark.usefixtures("airflow_db")
def test_the_results_of_a_mapped_task_are_account_ids(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Airflow hands over a lazy sequence, a list of lists, or with native templates a number: all name accounts."""
    first, second, third = sandboxes.world.accounts
    body = f"""
from airflow_provider_iginsights._compat import task
@task
def pick(account_id): return int(account_id)
ids = pick.expand(account_id=["{second}", "{first}"])
Account(task_id="mapped", account_ids=ids, metrics="reach", **TO)
chunks = InstagramListAccountsOperator(task_id="chunks", chunk_size=1)
Account(task_id="listed", account_ids=chunks.output, metrics="reach", **TO)
Account(task_id="rendered", account_ids="{first}", metrics="reach", **TO)
"""
    with dag_of(tmp_path, "lazy", body) as dag:
        dag.render_template_as_native_obj = True
        instances = run(dag)
    assert pull(instances["mapped", -1])["accounts_done"] == [second, first]
    assert pull(instances["listed", -1])["accounts_done"] == [first, second, third]
    assert pull(instances["rendered", -1])["accounts_done"] == [first]
