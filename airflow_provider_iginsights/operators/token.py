"""Operators that look after the access token of a connection: one renews it, one fails in time before it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError, FatalGraphError, InsightsError
from airflow_provider_iginsights.task.arguments import parse_days
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.task.on_kill import StoppableOperator

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.hooks.access_token import RefreshedToken
    from airflow_provider_iginsights.hooks.connection import InstagramConnection
    from airflow_provider_iginsights.hooks.token_end import TokenEnd

_CURE_OF_UNKNOWN = (
    "Facebook Login: put app_id and app_secret into its extras. Instagram Login: name a token_variable there, and let "
    "InstagramRefreshTokenOperator write it."
)

TokenSink = Callable[["RefreshedToken"], object]


class TokenOperator(StoppableOperator):
    """Base of the operators that look after a token; see the subclasses."""

    template_fields: Sequence[str] = ("instagram_conn_id", "days_left")
    ui_color = "#f7e1ef"

    def __init__(
        self, *, instagram_conn_id: str = "instagram_default", days_left: int | str = 14, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.instagram_conn_id = instagram_conn_id
        self.days_left = days_left

    def read_connection(self) -> InstagramConnection:
        """Return the checked content of the connection.

        :raises ConfigurationError: Airflow does not know it, or something in it cannot be.
        """
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        return InstagramHook(self.instagram_conn_id).connection

    @property
    def span(self) -> timedelta:
        """Return ``days_left`` as a time."""
        return timedelta(days=parse_days(self.days_left, argument="days_left") or 0)


class InstagramTokenExpiresOperator(TokenOperator):
    """Fail where the token of a connection, or its access to a person's data, ends within ``days_left`` days.

    .. code-block:: python

        InstagramTokenExpiresOperator(task_id="token_expires", days_left=14)

    It also fails where Meta refuses the token today, and where nobody can say when it ends: ``debug_token`` says it
    with ``app_id`` and ``app_secret`` in the connection (Facebook Login), the Variable that
    :class:`InstagramRefreshTokenOperator` writes does for Instagram Login. A token that never ends passes.

    :param instagram_conn_id: Airflow connection of type ``instagram``.
    :param days_left: how many days before the end it fails.
    """

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return when the token and its access to the data end, as ISO 8601 in UTC; None = never, or unknown."""
        from airflow_provider_iginsights.graph.client import GraphClient
        from airflow_provider_iginsights.graph.messages import GraphRequest
        from airflow_provider_iginsights.hooks.debug_token import TOKEN, debug_token

        with failing_without_retry():
            span, connection = self.span, self.read_connection()
            with GraphClient(connection.settings) as client:
                self._stops = (client.stop,)
                client.get(GraphRequest("me", {"fields": "id"}, TOKEN))
            debugged = debug_token(connection)
            self._check_end(debugged.end, span, why_unknown=debugged.refusal)
            return describe_instants(debugged.end)

    def _check_end(self, end: TokenEnd, span: timedelta, *, why_unknown: str) -> None:
        from airflow_provider_iginsights.hooks.token_end import describe_end

        whose, now = f"The token of connection {self.instagram_conn_id!r}", datetime.now(UTC)
        if end.expires_at is None:
            raise ConfigurationError(f"{whose} works, but when it ends is not known. {why_unknown or _CURE_OF_UNKNOWN}")
        if end.is_within(span, now=now):
            raise FatalGraphError(f"{whose} ends within {span.days} days. {describe_end(end, now=now)}")
        self.log.info("%s: %s", whose, describe_end(end, now=now) or "It does not expire.")


class InstagramRefreshTokenOperator(TokenOperator):
    """Renew the access token of a connection before it ends, and keep the new one where the next task finds it.

    .. code-block:: python

        InstagramRefreshTokenOperator(task_id="refresh_token")  # into the Variable that token_variable names


        def keep(token):
            secretmanager.SecretManagerServiceClient().add_secret_version(..., token.value.encode())


        InstagramRefreshTokenOperator(task_id="refresh_token", token_sink=keep)

    A user's token is exchanged (Facebook Login; needs ``app_id`` and ``app_secret``), one of Instagram Login is
    refreshed. Both live 60 days from then on, and the old one goes on working until its own end. A token that never
    ends, such as a system user's, and one that lives longer than ``days_left`` are left alone. Where the access to a
    person's data ends, after 90 days without a login, no renewal helps: the task says so in its log and its result.

    The new token is used once before it is kept. It stands in no log, XCom, rendered field or error.

    :param instagram_conn_id: Airflow connection of type ``instagram``.
    :param days_left: renew a token that lives no longer than so many days.
    :param token_sink: takes the new token, with ``value``, ``expires_at`` and ``instagram_conn_id``, and keeps it; None
        = the Airflow Variable that the connection's extra ``token_variable`` names.
    """

    def __init__(
        self,
        *,
        instagram_conn_id: str = "instagram_default",
        days_left: int | str = 30,
        token_sink: TokenSink | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(instagram_conn_id=instagram_conn_id, days_left=days_left, **kwargs)
        self.token_sink = token_sink

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return whether the token was renewed, and when it ends now, as :class:`InstagramTokenExpiresOperator` does.

        :raises InsightsError: Meta refuses the token or the app; the sink failed, or something else is read back.
        """
        from airflow_provider_iginsights.hooks.debug_token import debug_token

        with failing_without_retry():
            span, connection = self.span, self.read_connection()
            self._check_sink(connection)
            debugged = debug_token(connection)
            if reason := _find_reason_to_wait(connection, debugged.end, span):
                self._log_end(debugged.end, f"is left as it is: {reason}")
                return {"refreshed": False, **describe_instants(debugged.end)}
            token = self._refresh(connection, kind=debugged.kind)
            self._keep(connection, token)
            self._log_end(token.end, "was renewed.", before=debugged.end)
            return {"refreshed": True, **describe_instants(token.end)}

    def _check_sink(self, connection: InstagramConnection) -> None:
        if self.token_sink is None and connection.token_variable is None:
            raise ConfigurationError(
                f"Nothing says where the new token of connection {self.instagram_conn_id!r} is to be kept. Name an "
                "Airflow Variable in its extra token_variable, such as instagram_default_access_token, or give the "
                "operator a token_sink."
            )

    def _refresh(self, connection: InstagramConnection, *, kind: str | None) -> RefreshedToken:
        from airflow_provider_iginsights.graph.client import GraphClient
        from airflow_provider_iginsights.hooks.token_exchange import refresh_token

        with GraphClient(connection.settings) as client:
            self._stops = (client.stop,)
            return refresh_token(client, connection, kind=kind)

    def _keep(self, connection: InstagramConnection, token: RefreshedToken) -> None:
        from airflow_provider_iginsights.hooks.token_variable import find_failure, store_token

        sink = self.token_sink
        if sink is None:
            store_token(connection.token_variable or "", token)
        elif failure := find_failure(token.value, partial(sink, token)):
            name = getattr(sink, "__qualname__", type(sink).__name__)
            raise InsightsError(
                f"The token_sink {name} did not keep the new token ({failure}). The old one goes on working until its "
                "end: correct the sink and run the task again."
            )

    def _log_end(self, end: TokenEnd, what: str, *, before: TokenEnd | None = None) -> None:
        """Say what was done and when the token ends; a warning where that is soon, or no later than before."""
        from airflow_provider_iginsights.hooks.token_end import WARNING, describe_end

        now = datetime.now(UTC)
        said = [what, describe_end(end, now=now)]
        is_no_later = before is not None and 0 < (end.expires_at or 0) <= (before.expires_at or 0)
        if is_no_later:
            said.append("That is no later than before: its person must log in to the app again for a new token.")
        log = self.log.warning if is_no_later or end.is_within(WARNING, now=now) else self.log.info
        log("The token of connection %r %s", self.instagram_conn_id, " ".join(filter(None, said)))


def describe_instants(end: TokenEnd) -> dict[str, str | None]:
    """Return both ends as ISO 8601 in UTC; None = never, or unknown."""
    ends = {"expires_at": end.expires_at, "data_access_expires_at": end.data_access_expires_at}
    return {name: datetime.fromtimestamp(second, UTC).isoformat() if second else None for name, second in ends.items()}


def _find_reason_to_wait(connection: InstagramConnection, end: TokenEnd, span: timedelta) -> str:
    """Return why the token is not renewed now, in a sentence; ``""`` = it is."""
    from airflow_provider_iginsights.hooks.token_end import TokenEnd
    from airflow_provider_iginsights.hooks.token_exchange import YOUNGEST

    now, own = datetime.now(UTC), TokenEnd(expires_at=end.expires_at)
    if end.expires_at == 0:
        return "It does not expire."
    if own.instant is not None and not own.is_within(span, now=now):
        return "It lives long enough."
    refreshed_at = connection.stored.refreshed_at if connection.stored else None
    young = refreshed_at is not None and now - datetime.fromtimestamp(refreshed_at, UTC) < YOUNGEST
    return "It is not 24 hours old." if young and connection.settings.login == "instagram" else ""
