"""Workers that die and freeze: CeleryExecutor with two workers, mapped tasks that stage, and one task that writes.

``python -m benchmarks.celery`` needs redis-server and PostgreSQL's programs (Debian: redis-server, postgresql),
apache-airflow-providers-celery, redis, psycopg2, asyncpg and time-machine. Everything happens on loopback and in a
temporary folder. While the night runs:

1. the worker whose task loads what it staged is stopped (SIGSTOP) until Airflow has begun another try, and then woken;
2. the triggerer is killed while tasks are deferred, since Meta throttles some accounts, and started again;
3. the worker whose task writes is stopped in the middle of its first MERGE, and woken in the same way;
4. the worker of the next try is killed (SIGKILL) while a MERGE runs.

Then every row must be the truth, no key may stand twice, and no staging table may be left.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_provider_iginsights.pacific import pacific_date
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World
from benchmarks.airflow_night import postgresql, query, run_airflow, settings
from benchmarks.celery_night import COMPONENTS, TRIES, Night, celery, redis
from benchmarks.servers import DATASET, PROJECT, Served, describe_machine, environment

DAG = """
import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator

TO = {"dataset_id": "instagram", "gcp_conn_id": None, "create_dataset": True}

with DAG("night", schedule="@once", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False,
         default_args={"retries": 5, "retry_delay": timedelta(seconds=5)}):
    accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=int(os.environ["NIGHT_CHUNK"]))
    insights = InstagramAccountInsightsToBigQueryOperator.partial(
        task_id="stage", load="stage", deferrable=True,
        since=os.environ["NIGHT_SINCE"], until=os.environ["NIGHT_UNTIL"], **TO
    ).expand(account_ids=accounts.output)
    InstagramWriteStagedToBigQueryOperator(
        task_id="write", staged=insights.output["staged"], account_ids=accounts.output, **TO
    )
"""


def main() -> None:
    """Run the night, and say whether its tables are the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=8, help="mapped tasks")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that each Graph API answer takes")
    parser.add_argument("--patience", type=float, default=600, help="seconds for which each step is waited")
    given = parser.parse_args()
    given.parallelism = 8
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended."))  # everything is stopped then, too
    now = datetime.now(UTC)
    world = World.build(now=now, accounts=given.accounts, media_per_account=0, stories_per_account=0)
    clock = Clock(now, ticks=True)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celery-", ignore_cleanup_errors=True)))
        home.chmod(0o755)
        database = stack.enter_context(postgresql(home))
        broker = stack.enter_context(redis(home))
        graph = stack.enter_context(GraphSandbox(world, clock=clock, latency=given.latency))
        bigquery = stack.enter_context(BigQuerySandbox(clock=clock, project=PROJECT))
        bigquery.switches.pricing = False
        where = Served({"url": graph.url, "token": world.system_user_token}, dict), Served({"url": bigquery.url}, dict)
        variables = environment(*where, max_workers=4) | settings(home, database, given) | celery(database, broker)
        night = Night(home, database, variables, given.patience)
        stack.callback(night.stop)
        prepare(night)
        play(night, graph, bigquery)
        report(night, given, compare(world, bigquery, now=clock.now()), bigquery)


def prepare(night: Night) -> None:
    """Write the Dag, create the metadata tables and start all components."""
    (night.home / "dags").mkdir()
    (night.home / "dags" / "night.py").write_text(DAG)
    run_airflow(night.variables, "db", "migrate")
    for name in COMPONENTS:
        night.start(name)


def play(night: Night, graph: GraphSandbox, bigquery: BigQuerySandbox) -> None:
    """Do to the night what the module's docstring says, and wait for its end."""
    bigquery.faults.add(BigQueryFault(route="POST .*/upload/", effect="slowJob", seconds=5))
    bigquery.faults.add(BigQueryFault(route="POST .*/jobs", body="MERGE", effect="slowJob", seconds=8, times=3))
    listed = "SELECT 1 FROM task_instance WHERE task_id = 'accounts' AND state = 'success'"
    night.wait(lambda: query(night.database, listed), "the list of accounts")
    graph.usage.minutes = 3  # longer than a worker is stopped: some tasks are still deferred then
    accounts = list(graph.world.accounts)
    for account_id in accounts[:: len(accounts) // 4]:
        graph.usage.set(account_id, 100)

    night.wait(lambda: find_running(bigquery, "load"), "a load job")
    freeze(night, "stage", "loads what it staged")

    deferred = "SELECT count(*) FROM task_instance WHERE state = 'deferred' HAVING count(*) > 0"
    [(count,)] = night.wait(lambda: query(night.database, deferred), "a deferred task")
    night.send("triggerer", signal.SIGKILL)
    night.processes["triggerer"].wait()
    night.note(f"the triggerer is killed with {count} deferred tasks, and started again")
    night.start("triggerer")

    first = night.wait(lambda: find_running(bigquery, "merge"), "a MERGE")
    freeze(night, "write", "writes, in the middle of its first MERGE")
    night.wait(lambda: find_running(bigquery, "merge") - first, "another MERGE")
    name, _ = night.wait(lambda: night.find_worker("write"), "the task that writes")
    killed = night.send(name, signal.SIGKILL)
    night.processes[name].wait()
    night.note(f"worker {name}, {killed} processes, is killed while a MERGE of the next try runs, and started again")
    night.start(name)
    night.wait(lambda: query(night.database, "SELECT 1 FROM dag_run WHERE state = 'success'"), "the end")
    night.note("the run has succeeded")


def freeze(night: Night, task_id: str, doing: str) -> None:
    """Stop the worker of a task until Airflow has given the task to another one, then wake it."""
    name, pid = night.wait(lambda: night.find_worker(task_id), f"the task {task_id}")
    frozen = night.send(name, signal.SIGSTOP)
    night.note(f"worker {name}, {frozen} processes, is stopped while a task {doing}")
    mine = f"SELECT 1 FROM task_instance WHERE task_id = '{task_id}' AND state = 'running' AND pid = {pid}"
    night.wait(lambda: not query(night.database, mine), "the heartbeat's timeout")
    again = f"SELECT 1 FROM task_instance WHERE task_id = '{task_id}' AND state IN ('queued', 'running')"
    night.wait(lambda: query(night.database, f"{again} AND try_number > 1"), "the next try")
    night.send(name, signal.SIGCONT)
    night.note(f"worker {name} is woken: Airflow has given its task to another try")


def find_running(bigquery: BigQuerySandbox, verb: str) -> set[str]:
    """Return the ids of such jobs that run."""
    running = (job.id for job in bigquery.jobs if job.state == "RUNNING")
    return {name for name in running if name.startswith(f"iginsights-{verb}-")}


def compare(world: World, bigquery: BigQuerySandbox, *, now: datetime) -> dict[str, int]:
    """Count what is wrong with the rows, against the truth that is worked out from the world alone."""
    from tests.support import truth
    from tests.support.sandboxes import KEYS, PROVENANCE, pacific_days

    yesterday = pacific_date(now) - timedelta(days=1)
    days = pacific_days(yesterday - timedelta(days=3), yesterday)
    expected = {
        "instagram_account_insights": [
            row for account in world.accounts.values() for row in truth.account_rows(world, account, days, now=now)
        ],
        "instagram_accounts": [truth.profile_rows(account, now=now) for account in world.accounts.values()],
    }
    wrong = {"rows": 0, "doubled": 0, "lost": 0, "other": 0}
    for table_id, rows in expected.items():
        found = bigquery.rows(DATASET, table_id)
        have, want = (
            {tuple(row[name] for name in KEYS[table_id]): row | dict.fromkeys(PROVENANCE) for row in each}
            for each in (found, rows)
        )
        wrong["rows"] += len(found)
        wrong["doubled"] += len(found) - len(have)
        wrong["lost"] += len(want.keys() - have.keys())
        wrong["other"] += sum(have[key] != want.get(key) for key in have)
    staging = [name for name in bigquery.tables(DATASET) if "__stg_" in name]
    return wrong | {"staging tables": len(staging)}


def report(night: Night, given: argparse.Namespace, wrong: dict[str, int], bigquery: BigQuerySandbox) -> None:
    """Print what was done and what is wrong; end with 1 if anything is."""
    database = query(night.database, "SHOW server_version")[0][0].split()[0]
    broker = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]  # noqa: S607 - whichever is installed
    names = ("apache-airflow", "apache-airflow-providers-celery", "celery")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"{describe_machine()}, {versions}, PostgreSQL {database}, redis {broker}; load {os.getloadavg()[0]:.1f}\n")
    print(f"{given.accounts} accounts, {given.tasks} mapped tasks, latency {1000 * given.latency:.0f} ms\n")
    print("\n".join(f"* {event}" for event in night.events), end="\n\n")
    print("| task | instances | succeeded | highest try | tried again |\n|---|---|---|---|---|")
    print("\n".join(f"| {' | '.join(map(str, row))} |" for row in query(night.database, TRIES)), end="\n\n")
    print(f"{len(bigquery.jobs)} BigQuery jobs; {', '.join(f'{name}: {count:,}' for name, count in wrong.items())}.")
    if any(count for name, count in wrong.items() if name != "rows"):
        raise SystemExit("The tables are not the truth.")


if __name__ == "__main__":
    main()
