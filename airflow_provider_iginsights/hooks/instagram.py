"""The Airflow hook for the Instagram Graph API: one Connection of type ``instagram``, one client born from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import quote

from airflow_provider_iginsights._compat import BaseHook
from airflow_provider_iginsights.hooks.connection_form import CONN_TYPE, HOOK_NAME

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_iginsights.catalog.rows import AccountInsightsRow, MediaInsightsRow, StoryInsightsRow
    from airflow_provider_iginsights.extract.discovery import DiscoveredAccount
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.hooks.connection import InstagramConnection
    from airflow_provider_iginsights.hooks.reading import (
        AccountReadArguments,
        AccountTableRow,
        Kind,
        MediaReadArguments,
        MediaTableRow,
        ReadArguments,
        StoryTableRow,
    )


class InstagramHook(BaseHook):
    """Talks to the Instagram Graph API with the token of an Airflow Connection.

    .. code-block:: python

        hook = InstagramHook("instagram_default")
        answer = hook.get_conn().get(GraphRequest("17841405822304914", {"fields": "username,followers_count"}))

    :param instagram_conn_id: id of a Connection of type ``instagram``. Its password is the access token (or the Airflow
        Variable that its ``token_variable`` names holds it), its host the Graph API host (empty:
        ``graph.facebook.com``, for Facebook Login; ``graph.instagram.com`` for Instagram Login).
    :param api_version: version of the Graph API, such as ``v25.0``; None = the connection's, else our default.
    """

    conn_name_attr = "instagram_conn_id"
    default_conn_name = "instagram_default"
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(self, instagram_conn_id: str = default_conn_name, *, api_version: str | None = None) -> None:
        super().__init__()
        self.instagram_conn_id = instagram_conn_id
        self.api_version = api_version
        self._page_ids: dict[str, str] = {}

    def get_conn(self) -> GraphClient:
        """Return the client, the same one at each call; it may be used by several threads.

        :raises ConfigurationError: Airflow does not know the connection, or something in it cannot be.
        """
        return self._client

    @property
    def connection(self) -> InstagramConnection:
        """The checked content of the connection; its ``repr`` shows no secret."""
        return self._connection

    @property
    def account_ids(self) -> tuple[str, ...]:
        """IG user ids and ``@usernames`` that the connection names; empty = all that the token sees."""
        return self._connection.account_ids

    @property
    def max_workers(self) -> int:
        """How many accounts may be asked for at the same time."""
        return self._connection.max_workers

    @property
    def page_ids(self) -> Mapping[str, str]:
        """Id of each account that this hook has found through a Page -> id of the Page; later finds are added."""
        return self._page_ids

    def add_page_ids(self, found: Mapping[str, str]) -> None:
        """Keep the Pages through which another hook has found accounts; what this one finds counts more."""
        self._page_ids |= {**found, **self._page_ids}

    def find_account_ids(self, given: object = None) -> tuple[str, ...]:
        """Return the accounts to read: those given, else the connection's, else all that the token sees.

        :param given: ids or ``@usernames``, see :func:`parse_account_ids`; None, blank and ``"None"`` = not given.
        :raises ConfigurationError: something is no id, the list is empty, or the token sees no such account.
        """
        from airflow_provider_iginsights.errors import ConfigurationError
        from airflow_provider_iginsights.extract.discovery import discover_accounts

        named = self.find_named_account_ids(given)
        found = named or self._remember(discover_accounts(self.get_conn()))
        if not found:
            raise ConfigurationError(
                f"The token of connection {self.instagram_conn_id!r} sees no Instagram account. Set account_ids, or "
                "grant it pages_show_list (and business_management, for Pages of a Business portfolio)."
            )
        return found

    def find_named_account_ids(self, given: object = None) -> tuple[str, ...]:
        """Return the ids of the accounts given, else of the connection's; empty where neither names any.

        A username is looked up among the accounts that the token sees; ids alone cost no call.

        :raises ConfigurationError: something is no id, the list is empty, or the token sees no such username.
        """
        from airflow_provider_iginsights.extract.discovery import find_usernames
        from airflow_provider_iginsights.hooks.account_ids import is_username

        entries = self.check_account_ids(given)
        usernames = [entry for entry in entries if is_username(entry)]
        found = find_usernames(self.get_conn(), usernames) if usernames else {}
        self._remember(found.values())
        return tuple(dict.fromkeys(found[entry].id if entry in found else entry for entry in entries))

    def check_account_ids(self, given: object = None) -> tuple[str, ...]:
        """Return the ids and ``@usernames`` given, else the connection's, as they are written. Nobody is asked.

        :raises ConfigurationError: something is no id, or the list is empty.
        """
        from airflow_provider_iginsights.errors import ConfigurationError
        from airflow_provider_iginsights.hooks.account_ids import parse_account_ids
        from airflow_provider_iginsights.task.arguments import is_not_given

        entries = self.account_ids if is_not_given(given) else parse_account_ids(given)
        if not entries and not is_not_given(given):
            raise ConfigurationError(
                "account_ids is an empty list: there is nothing to read. Leave it out for the connection's accounts."
            )
        return entries

    @overload
    def read(
        self, kind: Literal["account"], account_ids: object = None, **arguments: Unpack[AccountReadArguments]
    ) -> Iterator[AccountTableRow]: ...

    @overload
    def read(
        self, kind: Literal["media"], account_ids: object = None, **arguments: Unpack[MediaReadArguments]
    ) -> Iterator[MediaTableRow]: ...

    @overload
    def read(
        self, kind: Literal["story"], account_ids: object = None, **arguments: Unpack[ReadArguments]
    ) -> Iterator[StoryTableRow]: ...

    def read(self, kind: Kind, account_ids: object = None, **arguments: Any) -> Iterator[Any]:
        """Return the rows that a transfer writes, for another destination: pairs of a table's name and a row.

        What is wrong with the question is raised at once, whatever Meta says while the rows are read. The connections
        to Meta are closed at the end, also where the rows are not read to it.

        * ``"account"``: tables ``account_insights``, ``accounts``.
        * ``"media"``: ``media_insights``, ``media``, ``media_children``.
        * ``"story"``: ``story_insights``, ``media`` and, at the end, ``story_polls`` (``previous_poll_at``,
          ``seen_late`` and ``finals_missed`` are not in the row: they need earlier polls). Every story that is live now
          is read, whatever the window.

        A row is a dict of the table's columns, as :mod:`airflow_provider_iginsights.catalog.rows` types it: a DATE is a
        :class:`datetime.date`, a TIMESTAMP a text in ISO 8601 in UTC (``2026-11-21T20:00:10Z``), a NUMERIC an int, a
        float or a :class:`decimal.Decimal`. What Meta did not say is absent or None.

        :param kind: ``"account"``, ``"media"`` or ``"story"``.
        :param account_ids: as for :meth:`find_account_ids`.
        :param arguments: ``metrics``, ``breakdowns``, ``since`` and ``until`` (None = the last closed Pacific day),
            ``lookback_days`` (account) and ``refresh_days`` (media) as the operators take them; ``run_id``, a text for
            that column; ``tables``, to have the rows of some of the tables only; ``exclude_columns`` and
            ``hash_columns``, with ``hash_salt_conn_id`` or ``hash_salt_variable``, to keep values out of the rows.
        :raises ConfigurationError: a value cannot be.
        :raises TypeError: a keyword that the kind does not have.
        :raises InsightsError: while reading, after the rows of all accounts that could be read.
        """
        from airflow_provider_iginsights.hooks.reading import OwnConnection, TableReading

        # The rows' own client is closed at their end; the client of this hook stays open for its user.
        own = InstagramHook(self.instagram_conn_id, api_version=self.api_version)
        own.check_account_ids(account_ids)
        connection = OwnConnection(
            conn_id=own.instagram_conn_id,
            client=own.get_conn(),
            find_accounts=partial(own.find_account_ids, account_ids),
            page_ids=own.page_ids,
            workers=own.max_workers,
        )
        return TableReading.check(kind, arguments, connection=connection).read()

    def account_insights(
        self, account_ids: object = None, **arguments: Unpack[AccountReadArguments]
    ) -> Iterator[AccountInsightsRow]:
        """Return the rows of :meth:`read` of the table ``account_insights``."""
        arguments["tables"] = ["account_insights"]
        return _take_rows(self.read("account", account_ids, **arguments))

    def media_insights(
        self, account_ids: object = None, **arguments: Unpack[MediaReadArguments]
    ) -> Iterator[MediaInsightsRow]:
        """Return the rows of :meth:`read` of the table ``media_insights``."""
        arguments["tables"] = ["media_insights"]
        return _take_rows(self.read("media", account_ids, **arguments))

    def story_insights(
        self, account_ids: object = None, **arguments: Unpack[ReadArguments]
    ) -> Iterator[StoryInsightsRow]:
        """Return the rows of :meth:`read` of the table ``story_insights``."""
        arguments["tables"] = ["story_insights"]
        return _take_rows(self.read("story", account_ids, **arguments))

    def test_connection(self) -> tuple[bool, str]:
        """Ask Meta whose token it is, what it may do, when it expires and which accounts it sees; in a few calls.

        :return: whether insights can be read with it, and sentences that hold no secret.
        """
        from airflow_provider_iginsights.errors import InsightsError
        from airflow_provider_iginsights.hooks.token_check import check_token
        from airflow_provider_iginsights.hooks.token_report import describe_error

        try:
            return check_token(self._connection)
        except InsightsError as error:
            return False, describe_error(error)
        except Exception as error:
            # Airflow would show the text of whatever is raised here, and it does not mask it.
            self.log.debug("The connection test stopped.", exc_info=True)
            return False, f"The check stopped on an unexpected {type(error).__name__}. The debug log has its details."

    @cached_property
    def _connection(self) -> InstagramConnection:
        from airflow_provider_iginsights._compat import AirflowNotFoundException
        from airflow_provider_iginsights.errors import ConfigurationError
        from airflow_provider_iginsights.graph.redact import redact
        from airflow_provider_iginsights.hooks.connection import missing_connection, read_connection
        from airflow_provider_iginsights.quoting import quote_value
        from airflow_provider_iginsights.task.arguments import explain_number

        conn_id: object = self.instagram_conn_id
        if not isinstance(conn_id, str) or not 0 < len(conn_id) <= 250 or redact(conn_id) != repr(conn_id)[1:-1]:
            raise ConfigurationError(
                f"instagram_conn_id must be the id of an Airflow connection, not {quote_value(conn_id)}."
                f"{explain_number(conn_id)}"
            )
        try:
            # In no variable: an error would show it.
            return read_connection(self.get_connection(conn_id), conn_id=conn_id, api_version=self.api_version)
        except AirflowNotFoundException as error:
            raise missing_connection(conn_id) from error

    def _remember(self, accounts: Iterable[DiscoveredAccount]) -> tuple[str, ...]:
        """Return the ids of accounts, and keep the ids of their Pages."""
        found = tuple(accounts)
        self._page_ids |= {account.id: account.page_id for account in found if account.page_id}
        return tuple(account.id for account in found)

    @cached_property
    def _client(self) -> GraphClient:
        from airflow_provider_iginsights._compat import mask_secret
        from airflow_provider_iginsights.graph.client import GraphClient

        settings = self._connection.settings
        # Airflow masks what stands in the connection, not what is derived from it.
        for derived in (settings.make_appsecret_proof(), quote(settings.token, safe="")):
            if derived:
                mask_secret(derived)
        return GraphClient(settings)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields for the Connection form of Airflow 2.11 to 3.1; newer ones read the provider info."""
        from airflow_provider_iginsights.hooks.legacy_form import make_widgets

        return make_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the standard fields look in the Connection form of Airflow 2.11 to 3.1."""
        from airflow_provider_iginsights.hooks.legacy_form import make_field_behaviour

        return make_field_behaviour()


def _take_rows(rows: Iterator[Any]) -> Iterator[Any]:
    """Yield the rows without their table's name."""
    for _, row in rows:
        yield row
