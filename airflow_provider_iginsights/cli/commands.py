"""All subcommands, as data. Airflow loads it for each of its own commands, so it is light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_provider_iginsights.cli.exit_codes import describe_exit_codes
from airflow_provider_iginsights.cli.options import (
    API_VERSION,
    BIGQUERY,
    COLUMNS,
    COMMAND_INSIDE,
    CONFIRMED,
    CONN_ID,
    DATASET,
    DATASET_OF,
    DEMO,
    GCP_CONN_ID,
    LOCATION,
    PORTS,
    PROJECT,
    RECORDED_COMMAND,
    REPORT,
    SANDBOX,
    TABLE_IDS,
    Option,
    make_option,
    read_count,
)

HELP = "Instagram insights: test connections, list accounts and metrics, check the tables, run the sandbox"
EPILOG = describe_exit_codes()
_ROOM = "airflow_provider_iginsights.cli"


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
            make_option("--dataset", help="BigQuery dataset (default: nothing of Google is checked)"),
            *DATASET_OF,
            make_option("--json", action="store_true", help="print one JSON object"),
        ),
    ),
    Command(
        name="init",
        help="Write a Dag file for the accounts that the token sees",
        description="Write two Dags, for the numbers of each day and for stories. From then on the file is yours.",
        action=f"{_ROOM}.init:init",
        options=(
            make_option("--output", type=Path, metavar="DAGFILE", help="where to write (default: it is printed)"),
            make_option("--force", action="store_true", help="overwrite a file that exists"),
            CONN_ID,
            API_VERSION,
            make_option("--dataset", default="instagram", help="dataset that the Dags write (default: %(default)s)"),
            PROJECT,
            LOCATION,
            GCP_CONN_ID,
            make_option(
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
            make_option("--json", action="store_true", help="print a JSON list of objects"),
        ),
    ),
    Command(
        name="metrics",
        help="List the metrics, or compare them with what Meta accepts",
        action=f"{_ROOM}.instagram:metrics",
        options=(
            make_option("--check", action="store_true", help="ask Meta which metrics it accepts, and compare"),
            CONN_ID,
            API_VERSION,
            make_option("--account-id", help="account to ask about (default: the connection's or the token's first)"),
        ),
    ),
    Command(
        name="tables",
        help="Look for keys that stand in a table twice or days that are missing, or make the views",
        action=f"{_ROOM}.tables:tables",
        one_of=(
            make_option("--check", action="store_true", help="count the keys that stand in a table more than once"),
            make_option("--deduplicate", action="store_true", help="keep the newest row of each of them"),
            make_option("--views", action="store_true", help="create or update the views for analysts"),
            make_option("--complete", action="store_true", help="name the days that an account misses in a table"),
        ),
        options=(
            *BIGQUERY,
            make_option(
                "--days", type=read_count, default=28, help="closed days for --complete (default: %(default)s)"
            ),
            make_option("--json", action="store_true", help="let --complete print a JSON list of objects"),
        ),
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
            make_option("--account", metavar="ID", help="id of the Instagram account"),
            make_option("--media", metavar="ID", help="id of the post, reel or story"),
        ),
        options=(*BIGQUERY, CONFIRMED),
    ),
    Command(
        name="clear",
        help="Take texts out of what is stored, column by column",
        description="Count the rows that hold texts in the columns; ask; and set these to NULL, or put hashes there.",
        action=f"{_ROOM}.clear:clear",
        one_of=(
            make_option("--exclude", **COLUMNS, help="set to NULL: caption, or media.caption; can be repeated"),
            make_option("--hash", **COLUMNS, help="replace each text by its hash; can be repeated"),
        ),
        options=(
            make_option(
                "--hash-salt-conn-id", metavar="ID", help="connection whose password is the salt of the hashes"
            ),
            make_option("--hash-salt-variable", metavar="NAME", help="Airflow Variable that holds the salt"),
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
            make_option(
                "directory", type=Path, help="folder of the project; what is there and was not edited is renewed"
            ),
            DATASET,
            make_option("--project", help="project of the dataset (default: that of dbt's profile)"),
            TABLE_IDS,
            make_option(
                "--without",
                action="append",
                default=[],
                metavar="NAME",
                help="a table that does not exist, such as story_insights; can be repeated",
            ),
            make_option("--force", action="store_true", help="also write over files that were edited"),
        ),
    ),
    Command(
        name="sandbox",
        help="Run a local Graph API and a local BigQuery",
        description="Print the settings that point Airflow at them, and run until Ctrl-C, or as long as a command.",
        action=f"{_ROOM}.sandbox:sandbox",
        options=SANDBOX,
    ),
    Command(
        name="record",
        help="Record what Meta answers to a command, without tokens, names and texts",
        description="Run a command, such as a Dag, and write a cassette. See docs/cassettes.md for what it holds.",
        action=f"{_ROOM}.cassettes:record",
        options=(
            make_option("directory", type=Path, metavar="DIR", help="folder to write, new or empty"),
            RECORDED_COMMAND,
        ),
    ),
    Command(
        name="replay",
        help="Answer from a cassette, with a local BigQuery beside it",
        description="Start both servers, print the settings that point Airflow at them, and run until Ctrl-C, or as "
        "long as a command.",
        action=f"{_ROOM}.cassettes:replay",
        options=(
            make_option("directory", type=Path, metavar="DIR", help="folder of the cassette"),
            CONN_ID,
            *PORTS,
            COMMAND_INSIDE,
        ),
    ),
    Command(
        name="demo",
        help="Play a day with the sandbox and a real Airflow, and show what BigQuery then holds",
        description="Run two example Dags, show the numbers, run one again, kill a load. Only Airflow's log is kept.",
        action=f"{_ROOM}.demo:demo",
        options=DEMO,
    ),
)
