"""Starts the local Graph API and the local BigQuery, prints the settings that point Airflow at them, and waits."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import SHAPES, GraphSandbox, World


@contextmanager
def run_sandbox(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Run both servers; yield the environment variables for an Airflow that uses them."""
    clock = Clock(options.now)
    world = World.build(
        seed=options.seed,
        accounts=options.accounts,
        media_per_account=options.media,
        stories_per_account=options.stories,
        now=clock.now(),
    )
    with (
        GraphSandbox(world, clock=clock, latency=options.latency, pin=options.pin) as graph,
        BigQuerySandbox(project=options.project, clock=clock) as bigquery,
    ):
        for name in options.fault:
            graph.faults.play(name, times=None)
        connection = {
            "conn_type": "instagram",
            "host": graph.url,
            "password": world.system_user_token,
            "extra": {"api_version": options.pin} if options.pin else {},
        }
        yield {
            "AIRFLOW_CONN_INSTAGRAM_DEFAULT": json.dumps(connection),
            "BIGQUERY_EMULATOR_HOST": bigquery.url,
            "GOOGLE_CLOUD_PROJECT": bigquery.project,
        }


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_iginsights.sandbox", description=__doc__)
    parser.add_argument("--accounts", type=int, default=2, help="Instagram accounts (default: %(default)s)")
    parser.add_argument("--media", type=int, default=30, help="posts and reels per account (default: %(default)s)")
    parser.add_argument("--stories", type=int, default=3, help="live stories per account (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="all numbers follow from it (default: %(default)s)")
    parser.add_argument("--now", type=_read_now, help="freeze the clock at this ISO 8601 instant (default: real time)")
    parser.add_argument("--pin", metavar="v10.0", help="play this API version only; v10.0 plays the API of 2021")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each Graph API answer takes")
    parser.add_argument(
        "--fault", action="append", default=[], choices=SHAPES, help="an odd answer to play again and again; repeatable"
    )
    parser.add_argument("--project", default="sandbox-project", help="Google Cloud project id (default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted; return 0."""
    with run_sandbox(make_parser().parse_args(arguments)) as environment:
        for name, value in environment.items():
            sys.stdout.write(f"export {name}='{value}'\n")
        sys.stdout.write("# The sandbox runs until Ctrl-C. Use gcp_conn_id=None in your operators.\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


def _read_now(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("the instant needs an offset, such as 2026-11-21T12:00:00+00:00")
    return instant


if __name__ == "__main__":
    sys.exit(main())
