"""``python -m airflow_provider_iginsights.catalog`` prints the catalog; ``--check`` holds it against the live API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DIFFERENT, FAILED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 where Meta and the catalog differ in a way that matters, 2 where nobody can say."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_iginsights.catalog", description=__doc__)
    parser.add_argument("--check", action="store_true", help="ask Meta which metrics it accepts, and compare")
    parser.add_argument("--conn-id", default="instagram_default", help="Airflow connection (default: %(default)s)")
    parser.add_argument("--account-id", help="IG user id (default: the connection's or the token's first)")
    given = parser.parse_args(arguments)
    if given.check:
        return _check(given.conn_id, given.account_id)
    from airflow_provider_iginsights.catalog.reference import describe_live_metrics

    print(*describe_live_metrics(), sep="\n")
    return 0


def _check(conn_id: str, account_id: str | None) -> int:
    # A command may reach outward where its package may not: the hook and the reader are imported only here.
    from airflow_provider_iginsights.errors import InsightsError
    from airflow_provider_iginsights.extract.catalog_check import check_catalog
    from airflow_provider_iginsights.extract.discovery import discover_accounts
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    hook = InstagramHook(conn_id)
    try:
        with hook.get_conn() as client:
            chosen = next(iter(hook.find_named_account_ids(account_id)), None) or next(
                (account.id for account in discover_accounts(client)), None
            )
            found = list(check_catalog(client, chosen)) if chosen else []
    except InsightsError as error:
        print(error, file=sys.stderr)
        return FAILED
    if not found:
        print("The token sees no Instagram account: there is nobody to ask about.", file=sys.stderr)
        return FAILED
    for differences in found:
        print(*differences.describe(), sep="\n")
    if {differences.level for differences in found} == {"account"}:
        print("The account has no media: its metrics are unchecked.")
    return DIFFERENT if any(differences.matter for differences in found) else 0


if __name__ == "__main__":
    sys.exit(main())
