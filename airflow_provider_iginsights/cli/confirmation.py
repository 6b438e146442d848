"""Asks the person at the terminal before something is done for good."""

from __future__ import annotations

import sys

from airflow_provider_iginsights.cli.output import print_error

KEPT = (
    "BigQuery keeps what was changed or deleted for up to 7 days of time travel and 7 more days of fail-safe. The "
    "views follow by themselves; copies that were made elsewhere do not."
)


def is_confirmed(question: str) -> bool:
    """Return whether somebody sits there and says yes."""
    if not sys.stdin.isatty():
        return False
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
    except KeyboardInterrupt:
        print_error()  # ends the line of the question
        raise
