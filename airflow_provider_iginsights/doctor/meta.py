"""What is checked of Meta's side: connection, host, token, permissions, accounts, metrics, rate limit, days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.versions import VERSIONS, was_served_on
from airflow_provider_iginsights.doctor.check import Finding, fail, ok, skip, warn
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS
from airflow_provider_iginsights.hooks.token_end import WARNING, TokenEnd, describe_end
from airflow_provider_iginsights.pacific import DAY, format_instant, pacific_date, pacific_midnight
from airflow_provider_iginsights.window import LOOKBACK_DAYS, RunDates, Window, resolve_window

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_iginsights.doctor.setup import Setup
    from airflow_provider_iginsights.graph.rate_limit import Usage

SHOWN = 10
"""So many accounts, tables or usages are named."""
_NO_ACCOUNT = skip("no account can be read")
END_OF_LIFE = timedelta(days=90)
"""So long before the end of a version somebody is warned."""
PROBED = 50
_NEEDS_APP = "Put app_id and app_secret into the connection's extra: then Meta says it."
_SYSTEM_USER = "Use the token of a system user for Airflow: it needs no person to log in again."
_TOKEN_KINDS: Mapping[str, str] = {"SYSTEM_USER": "a system user", "USER": "a person", "PAGE": "a Page"}
# Permissions by which a token can do more than read (Meta, "Permissions reference").
_WRITING = (
    "instagram_business_content_publish",
    "instagram_business_manage_comments",
    "instagram_business_manage_messages",
    "instagram_content_publish",
    "instagram_manage_comments",
    "instagram_manage_messages",
    "pages_manage_engagement",
    "pages_manage_posts",
    "pages_messaging",
)


def check_connection(setup: Setup) -> Finding:
    """Look whether the connection exists, is of our type, and has extras that are known."""
    from airflow_provider_iginsights.hooks.connection import list_extras

    connection = setup.connection
    host = connection.settings.base_url.partition("://")[2]
    token = f"the Variable {connection.token_variable}" if connection.stored else "the password"
    extras = list_extras(setup.stored)
    known = [name for name in extras if name in CONN_FIELDS]
    found = f"{connection.conn_id}: host {host}, the token is in {token}, extras: {', '.join(known) or 'none'}."
    if unknown := [name for name in extras if name not in CONN_FIELDS]:
        found = f"{found} Extras that are not used: {', '.join(unknown)}."
        return warn(found, to_do=f"Correct or remove them; known are {', '.join(CONN_FIELDS)}.")
    return ok(found)


def check_host(setup: Setup) -> Finding:
    """Look whether the Graph API answers; a refusal is an answer, too."""
    me = setup.me
    if isinstance(me, InsightsError) and me.facts.code is None:
        raise me
    said = "answers, with a refusal" if isinstance(me, InsightsError) else f"answers as Graph API {me.api_version}"
    where = "The sandbox" if setup.connection.settings.is_local else setup.connection.settings.base_url
    return ok(f"{where} {said}.")


def check_version(setup: Setup) -> Finding:
    """Look which version Meta serves in place of the pinned one, and until when it serves it."""
    pinned, me = setup.connection.settings.api_version, setup.me
    to_do = f"Set api_version in the connection's extra to one that lives, such as {DEFAULT_API_VERSION}."
    if not isinstance(me, InsightsError) and me.api_version != pinned:
        return warn(f"{pinned} is set, and Meta serves {me.api_version} instead.", to_do=to_do)
    if pinned not in VERSIONS:
        return warn(f"This release does not know {pinned}.", to_do=to_do)
    end, today = VERSIONS[pinned][1], setup.now.date()
    if end is None:
        return ok(f"{pinned} is set; Meta has announced no end of it.")
    found = f"{pinned} is set; Meta serves it until {end}."
    ends_soon = not was_served_on(pinned, today + END_OF_LIFE)
    return warn(found, to_do=to_do) if ends_soon else ok(found)


def check_token(setup: Setup) -> Finding:
    """Look whose token it is and of which kind, and whether the app of the connection issued it."""
    from airflow_provider_iginsights.hooks.token_check import read_owner

    if isinstance(me := setup.me, InsightsError):
        return fail(me.message, to_do=setup.debugged.refusal)
    debugged, owner = setup.debugged, read_owner(me.body) or "somebody without a name"
    if setup.connection.settings.login == "instagram":
        return ok(f"The token of the Instagram account {owner}.")
    found = f"The token of {_TOKEN_KINDS.get(debugged.kind or '', 'an unknown kind')}: {owner}."
    if debugged.refusal or debugged.kind is None:
        return warn(found, to_do=debugged.refusal or _NEEDS_APP)
    return ok(found) if debugged.kind == "SYSTEM_USER" else warn(found, to_do=_SYSTEM_USER)


def check_expiry(setup: Setup) -> Finding:
    """Look when the token ends, and when its access to the data does."""
    end, login = setup.debugged.end, setup.connection.settings.login
    if end.expires_at is None and not end.data_access_expires_at:
        if login == "instagram":
            return warn(
                "When it expires cannot be asked here: such a token lives 60 days.",
                to_do="Let InstagramRefreshTokenOperator renew it, and keep it in a token_variable.",
            )
        return warn("When it expires is not known.", to_do=_NEEDS_APP)
    found = " ".join(_describe_ends(end, setup.now))
    if not end.is_alive(setup.now):
        return fail(found)
    return Finding(status="warning" if end.is_within(WARNING, now=setup.now) else "ok", found=found)


def _describe_ends(end: TokenEnd, now: datetime) -> Iterator[str]:
    if end.expires_at == 0:
        yield "It does not expire."
    if said := describe_end(end, now=now):
        yield said


def check_permissions(setup: Setup) -> Finding:
    """Look whether the token has what insights need, and what it has beyond that."""
    from airflow_provider_iginsights.hooks.token_report import (
        concern_pages_alone,
        describe_missing_permissions,
        describe_needless_permissions,
        find_missing_permissions,
    )

    granted, login = setup.debugged.permissions, setup.connection.settings.login
    if granted is None:
        return ok("They cannot be listed for such a token; the check insights tells.")
    if missing := find_missing_permissions(login, granted, are_accounts_known=bool(setup.connection.account_ids)):
        if concern_pages_alone(missing) and _answers_insights(setup):
            return ok(describe_needless_permissions(missing))
        return fail(
            f"{describe_missing_permissions(missing)}.",
            to_do="Grant this to the app at Meta and make a new token: a token keeps the permissions of its making.",
        )
    if writing := sorted(granted & set(_WRITING)):
        return warn(
            f"It has what insights need, and can do more than read: {', '.join(writing)}.",
            to_do="Nothing here needs that: make a token without it.",
        )
    return ok(f"It has what insights need: {', '.join(sorted(granted))}.")


def _answers_insights(setup: Setup) -> bool:
    from airflow_provider_iginsights.hooks.token_check import probe_insights

    try:
        return probe_insights(setup.graph, setup.accounts) == ""
    except InsightsError:
        return False  # The check of the accounts says why.


def check_accounts(setup: Setup) -> Finding:
    """Look which accounts a run without account_ids would read, by id and username."""
    from airflow_provider_iginsights.hooks.token_report import describe_missing_accounts

    accounts = setup.accounts
    if not accounts.are_known:
        to_do = describe_missing_accounts(setup.debugged.permissions)
        unlisted = _name(_spell_accounts(_find_unlisted(setup)))
        found = f"It sees no Instagram professional account{f', though it may read {unlisted}' if unlisted else ''}."
        return fail(found, to_do=f"{to_do[:1].upper()}{to_do[1:]}.")
    bound, noun = "" if accounts.is_complete else "At least ", "account" if len(accounts.seen) == 1 else "accounts"
    found = f"{bound}{len(accounts.seen)} {noun}: {_name(_spell_accounts(accounts.seen)) or 'none'}."
    wrong = [
        *accounts.wrong.values(),
        *(f"{one} cannot be read ({error})." for one, error in accounts.refused.items()),
    ]
    if wrong:
        found = f"{found} account_ids of the connection that are none: {' '.join(wrong[:SHOWN])}"
        return fail(found, to_do="Correct account_ids in the connection's extra.")
    return ok(found)


def _find_unlisted(setup: Setup) -> dict[str, str]:
    """Return the accounts, by id, that Meta's list of Pages leaves out: of the permissions, and of portfolios."""
    from airflow_provider_iginsights.extract.discovery import describe_accounts, discover_portfolio_accounts

    targets = (setup.debugged.targets or {}).items()
    named = {one for name, ids in targets if name.startswith("instagram_") for one in ids or ()}
    found = chain(describe_accounts(setup.graph, sorted(named)), discover_portfolio_accounts(setup.graph, named))
    return {account.id: account.username for account in found if account.refused is None}


def check_assets(setup: Setup) -> Finding:
    """Look for which accounts the token's permissions hold."""
    targets, seen = setup.debugged.targets, setup.seen
    if not seen:
        return _NO_ACCOUNT
    if targets is None:
        return skip("only debug_token tells it")
    lacking = {
        name: [one for one in seen if one not in ids]
        for name, ids in targets.items()
        if name.startswith("instagram_") and ids is not None
    }
    if not any(lacking.values()):
        return ok("Its permissions hold for all these accounts.")
    said = [
        f"{name} does not hold for {_name(_spell_accounts({one: seen[one] for one in ids}))}."
        for name, ids in lacking.items()
        if ids
    ]
    return warn(
        " ".join(said),
        to_do="Assign the accounts to the system user, or tick them in the dialog of the login, and make a new token.",
    )


def check_insights(setup: Setup) -> Finding:
    """Ask for one number of each account, of 50 at most."""
    from airflow_provider_iginsights.graph.messages import GraphRequest, Subject

    ids = list(islice(setup.seen, PROBED))
    if not ids:
        return _NO_ACCOUNT
    params = {"metric": "reach", "period": "day"}
    requests = [GraphRequest(f"{one}/insights", params, Subject("account", one)) for one in ids]
    results = zip(ids, setup.graph.batch(requests), strict=True)
    refused = [f"{one}: {error.message}" for one, error in results if isinstance(error, InsightsError)]
    if refused:
        return fail(f"{len(refused)} of {len(ids)} were refused. {' '.join(refused[:3])}")
    return ok(f"{len(ids)} accounts answered with their reach." if len(ids) != 1 else "It answered.")


def check_catalogue(setup: Setup) -> Finding:
    """Compare the metrics that the package knows with those that Meta accepts for the first account."""
    from airflow_provider_iginsights.extract.catalog_check import check_catalog

    differences = list(check_catalog(setup.graph, next(iter(setup.seen))))
    lines = [line.strip() for each in differences if each.matter for line in each.describe()]
    if lines:
        return warn(
            " ".join(lines),
            to_do='Update the package. A new metric can be asked for as "+name", one that Meta ended be left out as '
            '"-name".',
        )
    return ok("Meta accepts the metrics that this release asks for.")


def check_rate_limit(setup: Setup) -> Finding:
    """Look how much of Meta's rate limits is used, as the answers to the checks before said."""
    usage = sorted(setup.graph.usage.values(), key=lambda each: each.percent, reverse=True)
    if not usage:
        return ok("Meta said nothing about it.")
    found = f"Used: {_name(_spell_usage(usage))}."
    if any(each.minutes or each.percent >= 100 for each in usage):
        return fail(found, to_do="Wait: calls that are made while blocked prolong the block.")
    if usage[0].percent > setup.connection.settings.usage_threshold:
        return warn(found, to_do="Let fewer tasks ask at a time, with an Airflow pool.")
    return ok(found)


def check_next_run(setup: Setup) -> Finding:
    """Tell which days a run of now would read."""
    end = datetime.combine(setup.now.astimezone(UTC).date(), time(), UTC)
    window = _make_window(end - timedelta(days=1), end, now=setup.now)
    today = pacific_date(setup.now)
    pacific = _make_window(pacific_midnight(today - DAY), pacific_midnight(today), now=setup.now)
    return ok(
        f"A run of schedule @daily ({format_instant(end)}) reads the Pacific day {_spell_days(window.days())}, one of "
        f"CronDataIntervalTimetable in the zone America/Los_Angeles {_spell_days(pacific.days())}; account insights "
        f"also the {LOOKBACK_DAYS} days before."
    )


def _make_window(since: datetime, until: datetime, *, now: datetime) -> Window:
    run = RunDates(data_interval_start=since, data_interval_end=until)
    return resolve_window(None, None, run=run, now=now)


def _spell_days(days: tuple[date, ...]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _spell_accounts(seen: Mapping[str, str]) -> Iterator[str]:
    return (f"{one} @{name}" if name else one for one, name in seen.items())


def _spell_usage(usage: Iterable[Usage]) -> Iterator[str]:
    for each in usage:
        blocked = f" (blocked for {each.minutes:g} minutes)" if each.minutes else ""
        yield f"{each.object_id or 'the app'} {each.percent:g} %{blocked}"


def _name(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{', '.join(listed[:SHOWN])}{more}"
