"""All subcommands and their options, as data. Airflow loads it for each of its own commands, so it is light."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow_provider_iginsights.cli.exit_codes import describe_exit_codes

HELP = "Instagram insights: test connections, list accounts and metrics, check the tables, run the sandbox"
EPILOG = describe_exit_codes()
_ROOM = "airflow_provider_iginsights.cli"


@dataclass(frozen=True, slots=True)
class Option:
    """One argument: its flags and the keywords of ``add_argument``, which are those of Airflow's ``Arg``, too."""

    flags: tuple[str, ...]
    keywords: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return its attribute in the options."""
        return self.flags[-1].lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand. ``action`` is ``module:function``; of the options ``one_of``, exactly one must be given."""

    name: str
    help: str
    action: str
    options: tuple[Option, ...] = ()
    one_of: tuple[Option, ...] = ()
    description: str = ""

    @property
    def arguments(self) -> tuple[Option, ...]:
        """Return all options."""
        return (*self.one_of, *self.options)


def _option(*flags: str, **keywords: Any) -> Option:
    return Option(flags, MappingProxyType(keywords))


def _read_count(text: str) -> int:
    # int() would also read +1, 1_0 and digits of other scripts.
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= 600:
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 600")


def _read_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 instant") from None
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} needs an offset, such as 2026-11-21T12:00:00+00:00")
    return instant


def _read_table(text: str) -> tuple[str, str]:
    from airflow_provider_iginsights.catalog.tables import TABLES

    name, _, table_id = text.partition("=")
    known = [table.name for table in TABLES]
    if name in known and table_id:
        return name, table_id
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TABLE_ID with NAME one of {', '.join(known)}")


CONN_ID = _option("--conn-id", default="instagram_default", help="Instagram connection (default: %(default)s)")
API_VERSION = _option("--api-version", help="version of the Graph API, such as v25.0 (default: the connection's)")
DATASET = _option("--dataset", required=True, help="BigQuery dataset")
PROJECT = _option("--project", help="project of the dataset (default: that of the connection or of the credentials)")
LOCATION = _option("--location", help="location of the dataset, such as EU (default: found by the dataset)")
GCP_CONN_ID = _option("--gcp-conn-id", help="Google Cloud connection (default: the application default credentials)")
TABLE_IDS = _option(
    "--table",
    type=_read_table,
    action="append",
    default=[],
    metavar="NAME=TABLE_ID",
    help="a table that has not its default id, such as media=brand_media; can be repeated",
)
DATASET_OF = (
    PROJECT,
    _option("--job-project", help="project that runs and pays for the jobs (default: the dataset's)"),
    LOCATION,
    GCP_CONN_ID,
    _option("--impersonation-chain", help="service account to act as, or several, separated by commas"),
    TABLE_IDS,
)
BIGQUERY = (
    DATASET,
    *DATASET_OF,
    _option(
        "--skip-missing",
        action="store_true",
        help="leave out tables that do not exist, where some of the operators are not used",
    ),
)
CONFIRMED = _option("--yes", action="store_true", help="do not ask; needed where nobody can answer")
_COLUMNS: dict[str, Any] = {"action": "append", "default": [], "metavar": "COLUMN"}
REPORT = (
    _option(
        "--account",
        action="append",
        metavar="ID",
        help="id or @username of the account (default: the only one of the dataset); can be repeated",
    ),
    _option(
        "--out",
        required=True,
        metavar="PATH",
        help="file to write, or gs://bucket/name; {account} stands for the account's id",
    ),
    _option("--since", metavar="DAY", help="first Pacific day (default: --days days)"),
    _option("--until", metavar="DAY", help="end of the period, exclusive (default: the last closed day is the last)"),
    _option("--days", type=_read_count, default=28, help="days of the period (default: %(default)s, at most 400)"),
    _option("--timezone", default="UTC", help="zone of the hours of posts, such as Europe/Berlin (default: UTC)"),
    _option(
        "--charts",
        choices=("interactive", "static", "none"),
        default="interactive",
        help="drawn by a script in the file, SVG without any script, or tables alone (default: %(default)s)",
    ),
)
SANDBOX = (
    _option("--accounts", type=_read_count, default=2, help="Instagram accounts (default: %(default)s)"),
    _option("--media", type=_read_count, default=30, help="posts and reels per account (default: %(default)s)"),
    _option("--stories", type=_read_count, default=3, help="live stories per account (default: %(default)s)"),
    _option("--seed", type=_read_count, default=7, help="all numbers follow from it (default: %(default)s)"),
    _option("--now", type=_read_instant, help="freeze the clock at this ISO 8601 instant (default: real time)"),
    _option("--pin", metavar="v10.0", help="play this API version only; v10.0 plays the API of 2021"),
    _option("--latency", type=_read_seconds, default=0.0, help="seconds that each Graph API answer takes"),
    _option("--app-limit", type=_read_count, help="Graph calls that the app may make in an hour (default: any number)"),
    _option(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="an odd answer to play again and again, see docs/sandbox.md; can be repeated",
    ),
    _option("--project", default="sandbox-project", help="Google Cloud project id (default: %(default)s)"),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="test",
        help="Test an Instagram connection",
        description="Print whose token it is, what it may do, when it expires and how many accounts it sees.",
        action=f"{_ROOM}.instagram:test",
        options=(CONN_ID, API_VERSION),
    ),
    Command(
        name="doctor",
        help="Check all that a run needs, at Meta and at Google",
        description="Look at connection, token, accounts, credentials, dataset and tables, and say what to do.",
        action=f"{_ROOM}.doctor:doctor",
        options=(
            CONN_ID,
            API_VERSION,
            _option("--dataset", help="BigQuery dataset (default: nothing of Google is checked)"),
            *DATASET_OF,
            _option("--json", action="store_true", help="print one JSON object"),
        ),
    ),
    Command(
        name="init",
        help="Write a Dag file for the accounts that the token sees",
        description="Write two Dags, for the numbers of each day and for stories. From then on the file is yours.",
        action=f"{_ROOM}.init:init",
        options=(
            _option("--output", type=Path, metavar="DAGFILE", help="where to write (default: it is printed)"),
            _option("--force", action="store_true", help="overwrite a file that exists"),
            CONN_ID,
            API_VERSION,
            _option("--dataset", default="instagram", help="dataset that the Dags write (default: %(default)s)"),
            PROJECT,
            LOCATION,
            GCP_CONN_ID,
            _option(
                "--cron",
                default="0 0 * * *",
                help="when the daily Dag runs, in Pacific time, by which Meta counts days (default: %(default)s)",
            ),
        ),
    ),
    Command(
        name="accounts",
        help="List the accounts that a token sees",
        action=f"{_ROOM}.instagram:accounts",
        options=(
            CONN_ID,
            API_VERSION,
            _option("--json", action="store_true", help="print a JSON list of objects"),
        ),
    ),
    Command(
        name="metrics",
        help="List the metrics, or compare them with what Meta accepts",
        action=f"{_ROOM}.instagram:metrics",
        options=(
            _option("--check", action="store_true", help="ask Meta which metrics it accepts, and compare"),
            CONN_ID,
            API_VERSION,
            _option("--account-id", help="account to ask about (default: the connection's or the token's first)"),
        ),
    ),
    Command(
        name="tables",
        help="Look for keys that stand in a table twice, remove them, or make the views",
        action=f"{_ROOM}.tables:tables",
        one_of=(
            _option("--check", action="store_true", help="count the keys that stand in a table more than once"),
            _option("--deduplicate", action="store_true", help="keep the newest row of each of them"),
            _option("--views", action="store_true", help="create or update the views for analysts"),
        ),
        options=BIGQUERY,
    ),
    Command(
        name="report",
        help="Write an account's insights of a period as an HTML file",
        description="Write one HTML file with charts and tables, which asks no server for anything.",
        action=f"{_ROOM}.report:report",
        options=(*REPORT, *BIGQUERY[:-1]),
    ),
    Command(
        name="forget",
        help="Erase an account or a post from all tables",
        description="Count the rows of one account, or of one post, reel or story; ask; and erase them for good.",
        action=f"{_ROOM}.forget:forget",
        one_of=(
            _option("--account", metavar="ID", help="id of the Instagram account"),
            _option("--media", metavar="ID", help="id of the post, reel or story"),
        ),
        options=(*BIGQUERY, CONFIRMED),
    ),
    Command(
        name="clear",
        help="Take texts out of what is stored, column by column",
        description="Count the rows that hold texts in the columns; ask; and set these to NULL, or put hashes there.",
        action=f"{_ROOM}.clear:clear",
        one_of=(
            _option("--exclude", **_COLUMNS, help="set to NULL: caption, or media.caption; can be repeated"),
            _option("--hash", **_COLUMNS, help="replace each text by its hash; can be repeated"),
        ),
        options=(
            _option("--hash-salt-conn-id", metavar="ID", help="connection whose password is the salt of the hashes"),
            _option("--hash-salt-variable", metavar="NAME", help="Airflow Variable that holds the salt"),
            *BIGQUERY,
            CONFIRMED,
        ),
    ),
    Command(
        name="dbt",
        help="Write a dbt project over the tables",
        description="Write sources with freshness and tests, and models that are equal to the views. Asks nobody.",
        action=f"{_ROOM}.dbt:dbt",
        options=(
            _option("directory", type=Path, help="folder of the project; what is there and was not edited is renewed"),
            DATASET,
            _option("--project", help="project of the dataset (default: that of dbt's profile)"),
            TABLE_IDS,
            _option(
                "--without",
                action="append",
                default=[],
                metavar="NAME",
                help="a table that does not exist, such as story_insights; can be repeated",
            ),
            _option("--force", action="store_true", help="also write over files that were edited"),
        ),
    ),
    Command(
        name="sandbox",
        help="Run a local Graph API and a local BigQuery",
        description="Print the settings that point Airflow at them, and run until Ctrl-C.",
        action=f"{_ROOM}.sandbox:sandbox",
        options=SANDBOX,
    ),
    Command(
        name="demo",
        help="Run Dag files against the sandbox and print what BigQuery then holds",
        description="Everything happens in a temporary AIRFLOW_HOME and on loopback; nothing is kept.",
        action=f"{_ROOM}.sandbox:demo",
        options=(
            _option(
                "dag_files",
                type=Path,
                nargs="*",
                help="Dag files of one folder; each Dag has its file's name as its id (left out: two of our examples)",
            ),
            _option("--dataset", default="instagram", help="dataset that the Dag writes (default: %(default)s)"),
            *SANDBOX,
        ),
    ),
)
