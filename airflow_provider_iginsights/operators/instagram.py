"""Operators that read Instagram without loading anything: which accounts there are, in chunks for task mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_iginsights._compat import conf, find_first_reschedule
from airflow_provider_iginsights.errors import ConfigurationError, FatalGraphError, Throttled
from airflow_provider_iginsights.task.arguments import (
    is_not_given,
    parse_boolean,
    parse_count,
    parse_names,
    parse_timedelta,
)
from airflow_provider_iginsights.task.checkpoint import read_waiting_since
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.task.rate_limit_wait import THROTTLE_TIMEOUT, ResumableOperator, wait_for_limit
from airflow_provider_iginsights.task.upstream_accounts import UpstreamAccounts

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.extract.account_filter import AccountFilter
    from airflow_provider_iginsights.extract.discovery import DiscoveredAccount
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

Chunks = list[list[str]] | list[dict[str, Any]]
_Accounts: TypeAlias = "list[DiscoveredAccount]"


class InstagramListAccountsOperator(ResumableOperator, UpstreamAccounts):
    """Return the ids of the Instagram accounts that a token sees, in chunks for task mapping.

    .. code-block:: python

        accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=50)
        InstagramAccountInsightsToBigQueryOperator.partial(
            task_id="insights", dataset_id="instagram", page_ids=accounts.output["page_ids"]
        ).expand(account_ids=accounts.output)

    The XCom ``page_ids`` says through which Page each account was found, for the column ``page_id`` of the profiles.

    With ``instagram_conn_ids`` it asks several connections, and each chunk names its own:

    .. code-block:: python

        accounts = InstagramListAccountsOperator(task_id="accounts", instagram_conn_ids=["brand_a", "brand_b"])
        InstagramAccountInsightsToBigQueryOperator.partial(task_id="insights", dataset_id="instagram").expand_kwargs(
            accounts.output
        )

    A connection that cannot be used (its token expired) fails this task where it is the only one. Of several it gets a
    chunk without ids: the task mapped from it fails with the reason, and the other connections' accounts are loaded.

    An account that several connections see goes to the first of them.

    Accounts come from ``account_ids``, else from the connection's, else from the token's Pages and Business portfolios
    (Facebook Login), else the token's own (Instagram Login). Those that a portfolio lists and the token may not read
    are left out with a warning. Chunks grow where there would be more of them than ``[core] max_map_length`` lets
    Airflow map.

    :param instagram_conn_id: Airflow connection of type ``instagram``.
    :param instagram_conn_ids: several connections (list or comma string), instead of ``instagram_conn_id``.
    :param account_ids: use these ids or ``@usernames`` (list or comma string), not the connection's or the token's.
    :param allow: keep only these account ids or usernames; None = all. One that is not found is warned about.
    :param deny: drop these account ids or usernames.
    :param minimum_followers: drop accounts with fewer followers, as far as Meta says how many there are.
    :param portfolios: look for accounts in Business portfolios, too.
    :param chunk_size: account ids per chunk.
    :param throttle_timeout: how long to wait for Meta's rate limit, in all.
    :param deferrable: wait for it without a worker slot in the triggerer; else the task is rescheduled.
    """

    template_fields: Sequence[str] = ("instagram_conn_id", "instagram_conn_ids", "account_ids", "allow", "deny")
    choosing_arguments = ("instagram_conn_ids", "account_ids", "allow")
    ui_color = "#f7e1ef"

    def __init__(
        self,
        *,
        instagram_conn_id: str = "instagram_default",
        instagram_conn_ids: str | Sequence[str] | None = None,
        account_ids: str | Sequence[str] | None = None,
        allow: str | Sequence[str] | None = None,
        deny: str | Sequence[str] | None = None,
        minimum_followers: int = 0,
        portfolios: bool = True,
        chunk_size: int = 500,
        throttle_timeout: timedelta = THROTTLE_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instagram_conn_id = instagram_conn_id
        self.instagram_conn_ids = instagram_conn_ids
        self.account_ids = account_ids
        self.allow = allow
        self.deny = deny
        self.minimum_followers = minimum_followers
        self.portfolios = portfolios
        self.chunk_size = chunk_size
        self.throttle_timeout = throttle_timeout
        self.deferrable = deferrable

    def run_try(self, context: Context, progress: Mapping[str, Any] | None) -> Chunks:
        """Return lists of ids; with ``instagram_conn_ids``, dicts of ``instagram_conn_id`` and ``account_ids``.

        The XCom ``page_ids`` has the Page of each account that was found through one.
        """
        with failing_without_retry():
            parse_timedelta(self.throttle_timeout, argument="throttle_timeout")
            for name in ("portfolios", "deferrable"):
                parse_boolean(getattr(self, name), argument=name)
            try:
                chunks, page_ids = self._list_chunks()
            except Throttled as error:
                since = read_waiting_since(progress) or find_first_reschedule(context)
                wait_for_limit(self, {"the list of accounts": error}, context=context, of=1, since=since)
            if instance := context.get("ti"):
                instance.xcom_push(key="page_ids", value=page_ids)
            return chunks

    def _list_chunks(self) -> tuple[Chunks, dict[str, str]]:
        """Return the chunks, and the id of each account's Page."""
        from airflow_provider_iginsights.extract.account_filter import AccountFilter

        conn_ids = parse_names(self.instagram_conn_ids, argument="instagram_conn_ids")
        parse_count(self.chunk_size, argument="chunk_size")
        account_filter = AccountFilter.of(
            allow=parse_names(self.allow, argument="allow"),
            deny=parse_names(self.deny, argument="deny"),
            minimum_followers=parse_count(self.minimum_followers, argument="minimum_followers"),
        )
        if conn_ids is None:
            accounts = self._list(self.instagram_conn_id, account_filter)
            size = self._find_chunk_size([len(accounts)])
            chunks = [chunk for _, chunk in self._split({self.instagram_conn_id: accounts}, size)]
            return chunks, _list_pages([accounts])
        if not conn_ids or not is_not_given(self.account_ids):
            raise ConfigurationError(
                "instagram_conn_ids names no connection, or account_ids is given beside it: an id belongs to one "
                "connection, so put it into the account_ids of that connection."
            )
        listed = self._list_each(conn_ids, account_filter)
        size = self._find_chunk_size([len(accounts or [""]) for accounts in listed.values() if accounts != []])
        named = [
            {"instagram_conn_id": conn_id, "account_ids": chunk or None} for conn_id, chunk in self._split(listed, size)
        ]
        return named, _list_pages(filter(None, listed.values()))

    def _list_each(self, conn_ids: Sequence[str], account_filter: AccountFilter) -> dict[str, _Accounts | None]:
        """Return the accounts by connection; None for one that cannot be used. One goes to the first that sees it."""
        listed: dict[str, _Accounts | None] = {}
        # Read through two connections, an account would cost twice the calls for the same rows.
        taken: set[str] = set()
        for conn_id in dict.fromkeys(conn_ids):
            try:
                found = [each for each in self._list(conn_id, account_filter) if each.id not in taken]
            except (ConfigurationError, FatalGraphError) as error:
                self.log.error("Connection %r cannot be used; the task mapped from it will fail. %s", conn_id, error)  # noqa: TRY400
                listed[conn_id] = None
            else:
                taken.update(account.id for account in found)
                listed[conn_id] = found
        return listed

    def _list(self, conn_id: str, account_filter: AccountFilter) -> _Accounts:
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        found = self._find(InstagramHook(conn_id), account_filter)
        chosen = [account for account in found if account_filter.accepts(account)]
        self.log.info("Connection %r: %d accounts found, %d chosen.", conn_id, len(found), len(chosen))
        if missing := account_filter.find_missing(found):
            self.log.warning("Connection %r does not see these allowed accounts: %s.", conn_id, ", ".join(missing))
        if not found:
            self.log.warning(
                "No Instagram account is visible through connection %r. If its token should see some, it may lack "
                "pages_show_list, or business_management for Pages of a Business portfolio: Meta then answers with an "
                "empty list and no error.",
                conn_id,
            )
        return chosen

    def _find(self, hook: InstagramHook, account_filter: AccountFilter) -> list[DiscoveredAccount]:
        from airflow_provider_iginsights.extract.discovery import DiscoveredAccount, describe_accounts
        from airflow_provider_iginsights.hooks.account_ids import is_username

        entries = hook.check_account_ids(self.account_ids)
        needs_call = not entries or account_filter.needs_more_than_ids or any(map(is_username, entries))
        if not needs_call:
            return [DiscoveredAccount(id=account_id) for account_id in entries]
        with hook.get_conn() as client:
            self._stops = (client.stop,)
            given = hook.find_named_account_ids(self.account_ids)
            return list(describe_accounts(client, given)) if given else self._discover(client)

    def _discover(self, client: GraphClient) -> list[DiscoveredAccount]:
        from airflow_provider_iginsights.extract.discovery import discover_accounts, discover_portfolio_accounts

        # META-33: Pages of a Business portfolio may be missing from the token's own list.
        found = list(discover_accounts(client))
        if not parse_boolean(self.portfolios, argument="portfolios"):
            return found
        of_portfolios = list(discover_portfolio_accounts(client, {account.id for account in found}))
        for account in of_portfolios:
            if account.refused:
                self.log.warning("A Business portfolio lists an account that is left out: %s", account.refused)
        return found + [account for account in of_portfolios if not account.refused]

    def _find_chunk_size(self, counts: Sequence[int]) -> int:
        """Return the chunk size that leads to no more chunks than Airflow maps."""
        most = conf.getint("core", "max_map_length", fallback=1024)
        size = max(1, parse_count(self.chunk_size, argument="chunk_size"))
        # Airflow fails a task whose result is longer than [core] max_map_length ("Dynamic Task Mapping").
        while sum(-(-count // size) for count in counts) > most and size < max(counts):
            size += 1
        return size

    def _split(self, listed: Mapping[str, _Accounts | None], size: int) -> Iterator[tuple[str, list[str]]]:
        for conn_id, accounts in listed.items():
            if accounts is None:
                yield conn_id, []
            ids = [account.id for account in accounts or ()]
            for start in range(0, len(ids), size):
                yield conn_id, ids[start : start + size]


def _list_pages(found: Iterable[_Accounts]) -> dict[str, str]:
    return {account.id: account.page_id for accounts in found for account in accounts if account.page_id}
