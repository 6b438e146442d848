"""``python -m airflow_provider_iginsights.hooks``: tests a connection from the command line.

Airflow's own button and command do the same, but are switched off unless ``[core] test_connection`` says otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from airflow_provider_iginsights.get_provider_info import HOOK_NAME


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the connection test says; return 0 when insights can be read with the connection, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_iginsights.hooks", description=f"Test an {HOOK_NAME} connection."
    )
    parser.add_argument("--conn-id", default="instagram_default", help="id of the connection (default: %(default)s)")
    parser.add_argument("--api-version", help="version of the Graph API, such as v25.0 (default: the connection's)")
    options = parser.parse_args(arguments)
    # Without it Airflow 3 takes this process for a task and does not look into its database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")

    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    works, message = InstagramHook(options.conn_id, api_version=options.api_version).test_connection()
    print(message, file=sys.stdout if works else sys.stderr)
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main())
