"""What asks the Graph API: ``test``, ``accounts``, ``metrics``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_error, print_result

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.extract.discovery import DiscoveredAccount
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

_ROW = "{:<20} {:<30} {}"


def test(options: argparse.Namespace) -> ExitCode:
    """Print what the connection test says.

    :raises ConfigurationError: Airflow does not know the connection, or something in it cannot be.
    """
    hook = _make_hook(options)
    with hook.get_conn():
        works, message = hook.test_connection()
    (print_result if works else print_error)(message)
    return ExitCode.DONE if works else ExitCode.FOUND


def accounts(options: argparse.Namespace) -> ExitCode:
    """Print id, username and Page id of each account that the token sees."""
    from airflow_provider_iginsights.extract.discovery import discover_accounts

    hook = _make_hook(options)
    with hook.get_conn() as client:
        found = list(discover_accounts(client))
    print_result(*(_describe_as_json(found) if options.json else _describe_as_rows(found)))
    if found:
        return ExitCode.DONE
    print_error(
        "The token sees no Instagram account. Grant it pages_show_list (and business_management, for Pages of a "
        "Business portfolio), and link the account to a Page."
    )
    return ExitCode.FOUND


def metrics(options: argparse.Namespace) -> ExitCode:
    """Print the catalogue of metrics, retired ones with what continues them, or where Meta and the catalogue differ."""
    if options.check:
        return _check_metrics(options)
    from airflow_provider_iginsights.catalog.reference import describe_live_metrics, describe_retired_metrics

    print_result(*describe_live_metrics(), "", *describe_retired_metrics())
    return ExitCode.DONE


def _check_metrics(options: argparse.Namespace) -> ExitCode:
    from airflow_provider_iginsights.extract.catalog_check import check_catalog

    hook = _make_hook(options)
    with hook.get_conn() as client:
        account_id = hook.find_account_ids(options.account_id)[0]
        found = list(check_catalog(client, account_id))
    for differences in found:
        print_result(*differences.describe())
    if {differences.level for differences in found} == {"account"}:
        print_result("The account has no media: its metrics are unchecked.")
    return ExitCode.FOUND if any(differences.matter for differences in found) else ExitCode.DONE


def _make_hook(options: argparse.Namespace) -> InstagramHook:
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    return InstagramHook(options.conn_id, api_version=options.api_version)


def _describe_as_rows(found: list[DiscoveredAccount]) -> Iterator[str]:
    from airflow_provider_iginsights.graph.redact import escape

    yield _ROW.format("account_id", "username", "page_id")
    for account in found:
        yield _ROW.format(account.id, escape(account.username), account.page_id).rstrip()


def _describe_as_json(found: list[DiscoveredAccount]) -> Iterator[str]:
    rows = [{"account_id": each.id, "username": each.username, "page_id": each.page_id} for each in found]
    yield json.dumps(rows, indent=2)
