"""The options that commands share, as data, and how their texts are read. Light, as Airflow loads it each time."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """One argument: its flags and the keywords of ``add_argument``, which are those of Airflow's ``Arg``, too."""

    flags: tuple[str, ...]
    keywords: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return its attribute in the options."""
        return self.flags[-1].lstrip("-").replace("-", "_")


def make_option(*flags: str, **keywords: Any) -> Option:
    """Return an option; the parameters are those of ``add_argument``."""
    return Option(flags, MappingProxyType(keywords))


def read_count(text: str) -> int:
    """Return a whole number from 0. Raises ArgumentTypeError."""
    # int() would also read +1, 1_0 and digits of other scripts.
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")


def _read_port(text: str) -> int:
    port = read_count(text)
    if port <= 65_535:
        return port
    raise argparse.ArgumentTypeError(f"{text!r} is no port: those are 1 to 65535, and 0 for a free one")


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
    from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES

    name, _, table_id = text.partition("=")
    known = [table.name for table in ALL_TABLES]
    if name in known and table_id:
        return name, table_id
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TABLE_ID with NAME one of {', '.join(known)}")


CONN_ID = make_option("--conn-id", default="instagram_default", help="Instagram connection (default: %(default)s)")
API_VERSION = make_option("--api-version", help="version of the Graph API, such as v25.0 (default: the connection's)")
DATASET = make_option("--dataset", required=True, help="BigQuery dataset")
PROJECT = make_option(
    "--project", help="project of the dataset (default: that of the connection or of the credentials)"
)
LOCATION = make_option("--location", help="location of the dataset, such as EU (default: found by the dataset)")
GCP_CONN_ID = make_option(
    "--gcp-conn-id", help="Google Cloud connection (default: the application default credentials)"
)
TABLE_IDS = make_option(
    "--table",
    type=_read_table,
    action="append",
    default=[],
    metavar="NAME=TABLE_ID",
    help="a table that has not its default id, such as media=brand_media; can be repeated",
)
DATASET_OF = (
    PROJECT,
    make_option("--job-project", help="project that runs and pays for the jobs (default: the dataset's)"),
    LOCATION,
    GCP_CONN_ID,
    make_option("--impersonation-chain", help="service account to act as, or several, separated by commas"),
    TABLE_IDS,
)
BIGQUERY = (
    DATASET,
    *DATASET_OF,
    make_option(
        "--skip-missing",
        action="store_true",
        help="leave out also those of --table that do not exist, and those that the dataset has under other ids",
    ),
)
CONFIRMED = make_option("--yes", action="store_true", help="do not ask; needed where nobody can answer")
COLUMNS: dict[str, Any] = {"action": "append", "default": [], "metavar": "COLUMN"}
REPORT = (
    make_option(
        "--account",
        action="append",
        metavar="ID",
        help="id or @username of the account (default: the only one of the dataset); can be repeated",
    ),
    make_option(
        "--out",
        required=True,
        metavar="PATH",
        help="file to write, or gs://bucket/name; {account} stands for the account's id",
    ),
    make_option("--since", metavar="DAY", help="first Pacific day (default: --days days)"),
    make_option(
        "--until", metavar="DAY", help="end of the period, exclusive (default: the last closed day is the last)"
    ),
    make_option("--days", type=read_count, default=28, help="days of the period, at most 400 (default: %(default)s)"),
    make_option("--timezone", default="UTC", help="zone of the hours of posts, such as Europe/Berlin (default: UTC)"),
    make_option(
        "--charts",
        choices=("interactive", "static", "none"),
        default="interactive",
        help="drawn by a script in the file, SVG without any script, or tables alone (default: %(default)s)",
    ),
)
DEMO = (
    make_option("--accounts", type=read_count, default=2, help="Instagram accounts (default: %(default)s)"),
    make_option("--seed", type=read_count, default=7, help="all numbers follow from it (default: %(default)s)"),
    make_option("--now", type=_read_instant, help="freeze the clock at this ISO 8601 instant (default: real time)"),
)
PORTS = (
    make_option("--port", type=_read_port, default=0, help="port of the Graph API (default: a free one)"),
    make_option("--bigquery-port", type=_read_port, default=0, help="port of BigQuery (default: a free one)"),
)
COMMAND_INSIDE = make_option(
    "run",
    nargs="*",
    metavar="COMMAND",
    help="behind --: a command to run in this environment; when it ends, the servers do, with its exit code",
)
RECORDED_COMMAND = make_option(
    "run", nargs="*", metavar="COMMAND", help="behind --: the command to record, such as airflow dags test brand"
)
SANDBOX = (
    *DEMO,
    make_option("--media", type=read_count, default=30, help="posts and reels per account (default: %(default)s)"),
    make_option("--stories", type=read_count, default=3, help="live stories per account (default: %(default)s)"),
    make_option("--project", default="sandbox-project", help="Google Cloud project id (default: %(default)s)"),
    make_option("--pin", metavar="v10.0", help="play this API version only; v10.0 plays the API of 2021"),
    make_option("--latency", type=_read_seconds, default=0.0, help="seconds that each Graph API answer takes"),
    make_option(
        "--app-limit", type=read_count, help="Graph calls that the app may make in an hour (default: any number)"
    ),
    make_option(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="an odd answer to play again and again, see docs/sandbox.md; can be repeated",
    ),
    make_option("--followers", type=read_count, help="followers of each account (default: some thousand)"),
    make_option("--list-faults", action="store_true", help="print the names of the odd answers, and end"),
    make_option("--expired-token", action="store_true", help="let the connection's token have expired"),
    make_option("--throttle", action="store_true", help="let each account have used its rate limit, for five minutes"),
    *PORTS,
    make_option(
        "--keep", type=Path, metavar="DIR", help="keep the tables and the posts in this folder for the next time"
    ),
    COMMAND_INSIDE,
)
