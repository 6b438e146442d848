"""Describes in sentences what a connection test found. Nothing secret goes into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.redact import escape
from airflow_provider_iginsights.graph_api import Login
from airflow_provider_iginsights.hooks.debug_token import DebuggedToken
from airflow_provider_iginsights.hooks.token_end import TokenEnd, describe_end

LOGINS: Mapping[Login, str] = {
    "facebook": "Facebook Login (graph.facebook.com)",
    "instagram": "Instagram Login (graph.instagram.com)",
}
SANDBOXES: Mapping[Login, str] = {
    "facebook": "The sandbox, in place of graph.facebook.com,",
    "instagram": "The sandbox, in place of graph.instagram.com,",
}

# permission -> what it is needed for (Meta, "Instagram Platform", permissions of both logins)
PERMISSIONS: Mapping[Login, Mapping[str, str]] = {
    "facebook": {
        "instagram_basic": "posts and profiles",
        "instagram_manage_insights": "insights",
        "pages_read_engagement": "the Page behind the account",
        "pages_show_list": "finding accounts",
    },
    "instagram": {
        "instagram_business_basic": "posts and profiles",
        "instagram_business_manage_insights": "insights",
    },
}
DISCOVERY_PERMISSION = "pages_show_list"
PAGE_PERMISSIONS = frozenset({DISCOVERY_PERMISSION, "pages_read_engagement"})
"""What an account without a Page does not need, such as one of Unified Login ("Instagram webhook fields")."""
PORTFOLIO_PERMISSION = "business_management"

KINDS: Mapping[str | None, str] = {
    "USER": "The user token",
    "PAGE": "The Page token",
    "SYSTEM_USER": "The system user token",
}
MAX_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Instagram accounts that a token sees.

    :param seen: id to user name.
    :param refused: ids that the connection names and the token cannot read, to the name of the error.
    :param wrong: ids that the connection names and that are of no account, to sentences that say what they are of.
    :param is_complete: whether all were looked at.
    """

    seen: Mapping[str, str]
    refused: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    is_complete: bool = True

    @property
    def are_known(self) -> bool:
        """Return whether there are any, readable or not."""
        return bool(self.seen or self.refused or self.wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """What Meta said about a token.

    :param is_sandbox: whether a sandbox answered in place of Meta.
    :param source: where the token was read, in a sentence; ``""`` = in the only place.
    :param probe: what one request for insights met with: ``""`` = an answer, else the error; None = not tried. It is
        tried where the permissions leave open whether insights can be read.
    """

    login: Login
    pinned_version: str
    answered_version: str
    owner: str
    accounts: Accounts
    debugged: DebuggedToken = field(default_factory=DebuggedToken)
    is_sandbox: bool = False
    source: str = ""
    probe: str | None = None


def describe(info: TokenInfo, *, now: datetime) -> tuple[bool, str]:
    """Return whether insights can be read, and the sentences.

    :param now: aware; dates are given in UTC.
    """
    said = list(_sentences(info, now=now))
    return all(good for good, _ in said), " ".join(sentence for _, sentence in said)


def describe_error(error: InsightsError) -> str:
    """Return an error with what stays the same when it is met again, so without the trace id of the request."""
    return str(type(error)(error.message, facts=replace(error.facts, fbtrace_id=None)))


def _sentences(info: TokenInfo, *, now: datetime) -> Iterator[tuple[bool, str]]:
    debugged = info.debugged
    yield True, _answered(info)
    yield True, f"{KINDS.get(debugged.kind, 'The token')} belongs to {_plain(info.owner) or 'somebody without a name'}."
    if info.source:
        yield True, info.source
    yield _permitted(info)
    yield _expires(info, now=now)
    if debugged.refusal:
        yield True, debugged.refusal
    if debugged.data_access_expires_at:
        end = TokenEnd(data_access_expires_at=debugged.data_access_expires_at)
        yield end.is_alive(now), describe_end(end, now=now)
    yield from _seen(info)


def _answered(info: TokenInfo) -> str:
    who = (SANDBOXES if info.is_sandbox else LOGINS)[info.login]
    answered = f"{who} answered as Graph API {_plain(info.answered_version)}"
    if info.answered_version == info.pinned_version:
        return f"{answered}."
    return (
        f"{answered}, although {info.pinned_version} is set: Meta serves another version in place of a retired one. "
        "Set api_version to one that is alive."
    )


def _permitted(info: TokenInfo) -> tuple[bool, str]:
    permissions = info.debugged.permissions
    if permissions is None:
        return _probed(info.probe)
    missing = find_missing_permissions(info.login, permissions, are_accounts_known=info.accounts.are_known)
    if not missing:
        return True, "It has the permissions that insights need."
    if info.probe == "" and concern_pages_alone(missing):
        return True, describe_needless_permissions(missing)
    return False, f"{describe_missing_permissions(missing)}: grant this to the app at Meta and make a new token."


def find_missing_permissions(
    login: Login, permissions: frozenset[str], *, are_accounts_known: bool
) -> Mapping[str, str]:
    """Return what a token lacks for insights: permission -> purpose."""
    needed = dict(PERMISSIONS[login])
    if are_accounts_known:
        # Where accounts are known, nothing has to be found.
        needed.pop(DISCOVERY_PERMISSION, None)
    return {name: purpose for name, purpose in needed.items() if name not in permissions}


def concern_pages_alone(missing: Iterable[str]) -> bool:
    """Return whether these permissions are those of Pages: a request for insights tells whether they are needed."""
    return PAGE_PERMISSIONS.issuperset(missing)


def describe_missing_permissions(missing: Mapping[str, str]) -> str:
    """Return what a token lacks as the first half of a sentence."""
    return f"It lacks {', '.join(f'{name} ({purpose})' for name, purpose in missing.items())}"


def describe_needless_permissions(missing: Mapping[str, str]) -> str:
    """Return what a token lacks and does not need, in a sentence."""
    lacks = describe_missing_permissions(missing)
    return f"{lacks}, but a request for insights was answered without it, as for an account that has no Page."


def _probed(probe: str | None) -> tuple[bool, str]:
    if probe is None:
        return True, "Its permissions cannot be listed."
    if probe:
        return False, f"Its permissions cannot be listed, and a request for insights was refused: {probe}"
    return True, "Its permissions cannot be listed, but a request for insights was answered."


def _expires(info: TokenInfo, *, now: datetime) -> tuple[bool, str]:
    end = TokenEnd(expires_at=info.debugged.expires_at)
    if end.expires_at:
        return end.is_alive(now), describe_end(end, now=now)
    # debug_token says 0 for a token that never expires (Meta, "Access token debugging").
    if end.expires_at == 0:
        return True, "It does not expire."
    if info.login == "instagram":
        return True, "When it expires cannot be asked here: such a token lives 60 days, unless it is refreshed."
    return True, "When it expires is not known: with app_id and app_secret in the connection's extra, Meta says it."


def _seen(info: TokenInfo) -> Iterator[tuple[bool, str]]:
    accounts = info.accounts
    names = [f"@{_plain(name)}" if name else _plain(one) for one, name in accounts.seen.items()]
    shown = ", ".join(names[:MAX_SHOWN]) + (", …" if len(names) > MAX_SHOWN else "")
    if names:
        bound = "" if accounts.is_complete else "at least "
        yield True, f"It sees {bound}{len(names)} Instagram account{'s' if len(names) > 1 else ''}: {shown}."
    if accounts.refused:
        refused = ", ".join(f"{_plain(one)} ({error})" for one, error in accounts.refused.items())
        yield False, f"It cannot read these account_ids of the connection: {refused}."
    for sentences in accounts.wrong.values():
        yield False, sentences
    if not accounts.are_known:
        yield (
            False,
            f"It sees no Instagram professional account: {describe_missing_accounts(info.debugged.permissions)}.",
        )


def describe_missing_accounts(permissions: frozenset[str] | None) -> str:
    """Return what to do about a list of Pages without an account."""
    # META-33: without this permission Meta leaves out Pages, and sends no error.
    if permissions is not None and PORTFOLIO_PERMISSION not in permissions:
        return (
            f"it lacks {PORTFOLIO_PERMISSION}, and without that Meta leaves out the Pages of a Business portfolio and "
            "sends no error. Grant it and make a new token, or name the account_ids in the connection"
        )
    return (
        f"link one to a Page that the token may read, grant {DISCOVERY_PERMISSION} and {PORTFOLIO_PERMISSION}, or name "
        "the account_ids in the connection"
    )


def _plain(text: str) -> str:
    """Return what somebody named, as it can stand in a sentence: short, on one line, and nothing hidden in it."""
    return escape(" ".join(text.split()))[:60]
