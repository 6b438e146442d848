"""The operators that look after a token: when it is renewed, where it is kept, when they fail, and what nobody sees."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import (
    BrokenResponse,
    ConfigurationError,
    FatalGraphError,
    InsightsError,
    PermissionMissing,
    TokenExpired,
)
from airflow_provider_iginsights.graph.session import ReadingStopped
from airflow_provider_iginsights.hooks.access_token import RefreshedToken
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.sandbox.graph import REMOVE, Edit, ErrorEffect, GraphFault, Slow, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from tests.support.airflow_versions import allow_execute, redact
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes
from tests.support.secrecy import gather
from tests.support.secret_watch import list_forms, watch_secrets

NAME = "instagram_default_access_token"
APP = {"app_id": APP_ID, "app_secret": APP_SECRET}
DAY = timedelta(days=1)
# Like no token of Meta's, so that nothing but its value gives it away.
OLD = "c0ffee|under/no+known=shape"


@pytest.fixture
def sandboxes(airflow_db: None, without_waits: None) -> Iterator[Sandboxes]:
    """Serve one account, a person's token that ends in 9 days, and one of Instagram Login; leave no Variable behind."""
    world = World.build(now=NOW, accounts=1, media_per_account=0, stories_per_account=0)
    data_ends = NOW + 40 * DAY
    world.put(Token(OLD, "user", expires_at=NOW + 9 * DAY, data_access_expires_at=data_ends, name="Ann"))
    with open_sandboxes(world) as opened:
        opened.token, opened.extra = OLD, APP
        opened.connect()
        yield opened
        from airflow.models.variable import Variable

        Variable.delete(NAME)


@pytest.fixture
def kept() -> list[RefreshedToken]:
    """Return the tokens that the sink of :func:`refresh` kept."""
    return []


@pytest.fixture
def refresh(sandboxes: Sandboxes, kept: list[RefreshedToken]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the operator, whose sink keeps tokens in a list."""

    def run(**arguments: Any) -> dict[str, Any]:
        operator = InstagramRefreshTokenOperator(task_id="refresh", **{"token_sink": kept.append} | arguments)
        return operator.execute({})

    return run


def is_renewed(found: dict[str, Any], *, at: datetime = NOW) -> bool:
    """Tell whether a result says that the token was renewed, for 60 days from then on; the sandbox's clock runs on."""
    ends = datetime.fromisoformat(found["expires_at"])
    late = ends - at.replace(microsecond=0) - 60 * DAY
    return found["refreshed"] is True and timedelta() <= late < timedelta(hours=1)


def use_instagram_login(sandboxes: Sandboxes, **extra: Any) -> str:
    """Point the connection at the account's own token; return the token."""
    token = sandboxes.world.instagram_token(sandboxes.account.id)
    sandboxes.connect(host=sandboxes.graph.instagram_url, password=token, extra=extra)
    return token


def asked(sandboxes: Sandboxes) -> list[str]:
    """Return the paths of the requests, without version; a batch is named by its items."""
    paths = [(item for item in call.items) if call.items else [call.path] for call in sandboxes.graph.log]
    return [item.partition("?")[0].rpartition("v25.0/")[2] for items in paths for item in items]


def test_a_token_is_exchanged_and_kept(sandboxes: Sandboxes, refresh: Any, kept: list[RefreshedToken]) -> None:
    """It lives 60 days from now; Meta has answered to it before it is kept; its data access ends as before."""
    found = refresh()
    [token] = kept
    assert is_renewed(found)
    assert found["data_access_expires_at"] == (NOW.replace(microsecond=0) + 40 * DAY).isoformat()
    assert token.value not in (OLD, "")
    assert token.value in sandboxes.world.tokens
    assert token.expires_at == datetime.fromisoformat(found["expires_at"])
    assert token.end.expires_at == token.refreshed_at + 60 * 86_400
    assert token.instagram_conn_id == "instagram_default"
    assert asked(sandboxes) == ["debug_token", "oauth/access_token", "me", "debug_token"]


def test_the_variable_is_the_next_task_s_token(sandboxes: Sandboxes, refresh: Any) -> None:
    """Without a sink the connection's Variable keeps it; what is read next, test included, uses it and says so."""
    sandboxes.connect(extra={**APP, "token_variable": NAME})
    refresh(token_sink=None)
    hook = InstagramHook()
    assert hook.connection.settings.token not in (OLD, "")
    works, message = hook.test_connection()
    assert works
    assert f"It was read from the Airflow Variable {NAME}." in message
    assert refresh(token_sink=None)["refreshed"] is False
    sandboxes.travel(31 * DAY)
    first = hook.connection.settings.token
    assert refresh(token_sink=None)["refreshed"] is True
    assert InstagramHook().connection.settings.token not in (OLD, first)


def test_the_test_says_that_the_password_is_used(sandboxes: Sandboxes) -> None:
    """Before the first renewal there is no Variable."""
    sandboxes.connect(extra={**APP, "token_variable": NAME})
    works, message = InstagramHook().test_connection()
    assert works
    assert f"It is the connection's password, as there is no Airflow Variable {NAME} yet." in message


def test_instagram_login_refreshes(sandboxes: Sandboxes, refresh: Any) -> None:
    """Its token needs no app; the Variable knows when it ends; a day must pass between two refreshes."""
    use_instagram_login(sandboxes, token_variable=NAME)
    found = refresh(token_sink=None)
    assert is_renewed(found)
    assert found["data_access_expires_at"] is None
    assert "(in 59 days)" in InstagramHook().test_connection()[1]
    sandboxes.graph.clear_log()
    assert refresh(token_sink=None, days_left=90)["refreshed"] is False
    assert sandboxes.graph.log == ()
    sandboxes.travel(DAY)
    assert refresh(token_sink=None, days_left=90)["refreshed"] is True


LEFT: dict[str, Token] = {
    "a system user's": Token("EAAGsystem12345678", "system_user"),
    "one that lives long enough": Token("EAAGlong1234567890", "user", expires_at=NOW + 30 * DAY + timedelta(hours=1)),
}


@pytest.mark.parametrize("token", LEFT.values(), ids=LEFT)
def test_what_needs_no_renewal_is_left(sandboxes: Sandboxes, refresh: Any, kept: Any, token: Token) -> None:
    """A token that never ends, and one that lives longer than days_left, cost one look and are left alone."""
    sandboxes.world.put(token)
    sandboxes.connect(password=token.value)
    assert refresh()["refreshed"] is False
    assert kept == []
    assert asked(sandboxes) == ["debug_token"]


def test_a_system_user_s_token_of_60_days(sandboxes: Sandboxes, refresh: Any, kept: Any) -> None:
    """Its exchange has the parameter that Meta documents for it."""
    sandboxes.world.put(Token("EAAGsystem12345678", "system_user", expires_at=NOW + DAY))
    sandboxes.connect(password="EAAGsystem12345678")
    assert is_renewed(refresh())
    exchange = next(call.query for call in sandboxes.graph.log if "oauth" in call.path)
    assert exchange["set_token_expires_in_60_days"] == "true"
    assert len(kept) == 1


def _connect(**changes: Any) -> Callable[[Sandboxes], object]:
    return lambda sandboxes: sandboxes.connect(**changes)


def _edit(path: str, **answer: Any) -> Callable[[Sandboxes], object]:
    fault = GraphFault(effect=Edit("", lambda _: answer), path=path, times=None)
    return lambda sandboxes: sandboxes.graph.faults.add(fault)


def _refuse(path: str, *error: Any, **more: Any) -> Callable[[Sandboxes], object]:
    fault = GraphFault(effect=ErrorEffect(*error, **more), path=path, times=None)
    return lambda sandboxes: sandboxes.graph.faults.add(fault)


def _let_expire(sandboxes: Sandboxes) -> None:
    sandboxes.world.put(replace(sandboxes.world.tokens[OLD], expires_at=NOW - DAY))


def _be_young(sandboxes: Sandboxes) -> None:
    token = use_instagram_login(sandboxes)
    sandboxes.world.put(replace(sandboxes.world.token(token), issued_at=NOW))  # type: ignore[type-var]


FAILURES: dict[str, tuple[Callable[[Sandboxes], object], type[InsightsError], str]] = {
    "no app": (_connect(extra={}), ConfigurationError, "has no app_id or no app_secret"),
    "wrong secret": (_connect(extra={**APP, "app_secret": "wr0ng"}), ConfigurationError, "app_secret"),
    "unknown app": (_connect(extra={**APP, "app_id": "1"}), ConfigurationError, "knows no app with the app_id"),
    "over": (_let_expire, TokenExpired, "The token has expired"),
    "unknown token": (_connect(password="nobody|s/token+here"), TokenExpired, "did not accept the token"),
    "no token in the answer": (_edit("access_token", token_type="bearer"), BrokenResponse, "no access token"),
    "an odd token": (_edit("access_token", access_token=f"{OLD} {OLD}"), BrokenResponse, "no access token"),
    "a token that is refused": (_refuse("me$", 190, 460), TokenExpired, "change of its user's password"),
    "refused in words that quote it": (
        _refuse("access_token", 100, message=f"x {OLD} {APP_SECRET}"),
        ConfigurationError,
        "x *",
    ),
    "too young": (_be_young, PermissionMissing, "when it is 24 hours old"),
    "no place for it": (_connect(), ConfigurationError, "Name an Airflow Variable in its extra token_variable"),
}


@pytest.mark.parametrize(("prepare", "error", "words"), FAILURES.values(), ids=FAILURES)
def test_failures(
    sandboxes: Sandboxes, refresh: Any, kept: Any, prepare: Any, error: type[InsightsError], words: str, request: Any
) -> None:
    """What is wrong is said, nothing is kept, and what a retry does not mend is not retried."""
    prepare(sandboxes)
    sink = {"token_sink": None} if request.node.callspec.id == "no place for it" else {}
    with pytest.raises(error) as failed:
        refresh(**sink)
    assert words in str(failed.value)
    assert isinstance(failed.value, AirflowFailException) is (error is not BrokenResponse)
    assert kept == []
    for secret in (OLD, APP_SECRET):
        assert secret not in gather(failed.value)


def test_a_sink_that_fails_tells_no_token(refresh: Any) -> None:
    """Its exception may hold the token; the error that is raised does not, is chained to nothing, and is retried."""
    seen: list[str] = []

    def keep(token: RefreshedToken) -> None:
        seen.append(token.value)
        # As an API in JSON takes bytes, and as an HTTP library shows them.
        data = base64.b64encode(token.value.encode())
        raise ConnectionError(f"cannot store {token.value}, sent {data!r}")

    with pytest.raises(InsightsError, match=r"keep did not keep the new token \(ConnectionError: cannot") as failed:
        refresh(token_sink=keep)
    assert not isinstance(failed.value, AirflowFailException)
    assert not [form for form in list_forms(seen[0]) if form in gather(failed.value)]


def catch(act: Callable[[], object]) -> AirflowFailException:
    """Return the error with which something ends; in this frame nothing else stands."""
    with pytest.raises(AirflowFailException) as caught:
        act()
    return caught.value


def test_a_new_token_that_meta_refuses_is_shown_nowhere(sandboxes: Sandboxes, refresh: Any) -> None:
    """Meta issued it all the same: it stands in no error, and in no variable of the frames that it came through."""
    before = set(sandboxes.world.tokens)
    sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(190), path="me", times=None))
    with watch_secrets({}) as watch:
        watch.show_error(catch(refresh))
        [new] = set(sandboxes.world.tokens) - before
        watch.secrets["new token"] = new
        assert watch.find() == []


def test_no_later_end_is_told(sandboxes: Sandboxes, refresh: Any, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """Where Meta's new token ends when the old one did, only a login helps, and the log says so."""
    sandboxes.graph.faults.add(
        GraphFault(effect=Edit("expires_in", lambda _: 9 * 86_400), path="oauth/access_token", times=None)
    )
    assert refresh()["refreshed"] is True
    assert "That is no later than before" in caplog.text + capfd.readouterr().out


def test_an_answer_without_an_end(sandboxes: Sandboxes, refresh: Any) -> None:
    """Where Meta's answer does not say when the new token ends, as it was seen, debug_token does."""
    edit = GraphFault(effect=Edit("expires_in", lambda _: REMOVE), path="oauth/access_token", times=None)
    sandboxes.graph.faults.add(edit)
    assert is_renewed(refresh())
    assert sandboxes.graph.faults.count(edit) == 1


def test_a_data_access_that_ends_is_told(
    sandboxes: Sandboxes, refresh: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    """A token that never ends is left alone, and a warning says that its person must log in."""
    sandboxes.world.put(Token("EAAGpagelike1234", "user", data_access_expires_at=NOW + 9 * DAY))
    sandboxes.connect(password="EAAGpagelike1234")
    assert refresh()["refreshed"] is False
    # Where an operator's log goes differs from Airflow to Airflow.
    lines = [*caplog.text.splitlines(), *capfd.readouterr().out.splitlines()]
    said = next(line for line in lines if "is left as it is: It does not expire." in line)
    assert "its person must log in to the app again before" in said
    assert "warning" in said.lower()


def test_a_renewal_can_be_stopped(sandboxes: Sandboxes, kept: list[RefreshedToken]) -> None:
    """on_kill ends the call under way; nothing is kept, and the old token is as it was."""
    slow = GraphFault(effect=Slow(30), path="oauth/access_token", times=None)
    sandboxes.graph.faults.add(slow)
    operator = InstagramRefreshTokenOperator(task_id="refresh", token_sink=kept.append)
    with ThreadPoolExecutor(1, initializer=allow_execute) as pool:
        renewal = pool.submit(operator.execute, {})
        while not sandboxes.graph.faults.count(slow):
            assert not renewal.done()
        operator.on_kill()
        assert isinstance(renewal.exception(timeout=5), ReadingStopped)
    assert kept == []


@pytest.mark.parametrize("way", ["exchange", "refresh"])
def test_no_secret_is_seen(
    sandboxes: Sandboxes, refresh: Any, caplog: pytest.LogCaptureFixture, capfd: Any, way: str
) -> None:
    """No log at DEBUG, of any library, no result and no attribute has a token; of the addresses, only Meta's two have.

    Airflow's own log of a Variable is masked by Airflow, as the token was told to its masker before.
    """
    caplog.set_level(logging.DEBUG)
    if way == "refresh":
        old = use_instagram_login(sandboxes, token_variable=NAME)
    else:
        old = OLD
        sandboxes.connect(extra={**APP, "token_variable": NAME})
    operator = InstagramRefreshTokenOperator(task_id="refresh")
    result = operator.execute({})
    new = InstagramHook().connection.settings.token
    out = "".join(capfd.readouterr())
    text = "\n".join([json.dumps(result), repr(vars(operator)), redact(caplog.text), redact(out)])
    assert "urllib3.connectionpool" in caplog.text + out
    for secret in {old, new, APP_SECRET}:
        assert secret not in text
        in_address = {call.path for call in sandboxes.graph.log if secret in call.query.values()}
        assert in_address <= {"/v25.0/oauth/access_token", "/graph.instagram.com/v25.0/refresh_access_token"}
    ours = [line for line in caplog.text.splitlines() if "urllib3" in line or "airflow_provider" in line]
    assert not [line for line in ours if old in line or new in line]


EXPIRES: dict[str, tuple[dict[str, Any], timedelta | None, timedelta | None, str]] = {
    "never": ({}, None, None, ""),
    "in 15 days": ({}, 15 * DAY, None, ""),
    "in 15 days, and data in 14": ({}, 15 * DAY, 14 * DAY, "Meta's data access for it expires on 2026-12-05"),
    "in 13 days": ({}, 13 * DAY, None, "ends within 14 days. It expires on 2026-12-04 (in 12 days): renew it"),
    "in 13 days, 7 asked": ({"days_left": "7"}, 13 * DAY, None, ""),
    "data over": ({}, None, -DAY, "Meta's data access for it expired on 2026-11-20"),
}


@pytest.mark.parametrize(("arguments", "left", "data_left", "words"), EXPIRES.values(), ids=EXPIRES)
def test_the_alarm(sandboxes: Sandboxes, arguments: Any, left: Any, data_left: Any, words: str) -> None:
    """It fails, without a retry, days_left days before the earlier of the two ends, and passes before."""
    ends = {"expires_at": left and NOW + left, "data_access_expires_at": data_left and NOW + data_left}
    sandboxes.world.put(Token("EAAGending123456", "user", **ends))
    sandboxes.connect(password="EAAGending123456")
    operator = InstagramTokenExpiresOperator(task_id="expires", **arguments)
    if not words:
        iso = {name: end and end.replace(microsecond=0).isoformat() for name, end in ends.items()}
        assert operator.execute({}) == iso
        return
    with pytest.raises(FatalGraphError) as failed:
        operator.execute({})
    assert words in str(failed.value)
    assert isinstance(failed.value, AirflowFailException)


UNKNOWN: dict[str, tuple[Callable[[Sandboxes], object], type[InsightsError], str]] = {
    "no app": (_connect(extra={}), ConfigurationError, "when it ends is not known. Facebook Login: put app_id"),
    "a wrong app": (_connect(extra={**APP, "app_id": "1"}), ConfigurationError, "app_id and app_secret do not belong"),
    "Instagram Login": (use_instagram_login, ConfigurationError, "Instagram Login: name a token_variable"),
    "a dead token": (_connect(password="nobody"), TokenExpired, "did not accept the token"),
}


@pytest.mark.parametrize(("prepare", "error", "words"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_alarm_that_cannot_see_says_so(sandboxes: Sandboxes, prepare: Any, error: Any, words: str) -> None:
    """Where nobody says when the token ends, or it is dead already, the task fails with the cure."""
    prepare(sandboxes)
    with pytest.raises(error, match=words):
        InstagramTokenExpiresOperator(task_id="expires").execute({})


def test_the_alarm_reads_the_variable(sandboxes: Sandboxes, refresh: Any) -> None:
    """For Instagram Login the Variable says when the token ends."""
    use_instagram_login(sandboxes, token_variable=NAME)
    renewed = refresh(token_sink=None)
    found = InstagramTokenExpiresOperator(task_id="expires").execute({})
    assert found == {name: renewed[name] for name in ("expires_at", "data_access_expires_at")}
    sandboxes.travel(47 * DAY)
    with pytest.raises(FatalGraphError, match="ends within 14 days"):
        InstagramTokenExpiresOperator(task_id="expires").execute({})


def test_rendered_fields_hold_no_token() -> None:
    """What Airflow shows of the operators are ids and days."""
    for operator in (InstagramRefreshTokenOperator, InstagramTokenExpiresOperator):
        assert tuple(operator.template_fields) == ("instagram_conn_id", "days_left")


def test_days_left_must_be_days(refresh: Any) -> None:
    """A word is refused by the argument's name."""
    with pytest.raises(ConfigurationError, match="days_left must be a whole number of days"):
        refresh(days_left="soon")


def test_the_printed_sink(refresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/tokens.md prints writes the new token into Secret Manager, where Airflow looks for the Variable."""
    added: list[tuple[str, Any]] = []

    class Client:
        def add_secret_version(self, *, parent: str, payload: Any) -> None:
            added.append((parent, payload.data))

    module = ModuleType("google.cloud.secretmanager")
    vars(module).update(SecretManagerServiceClient=Client, SecretPayload=SimpleNamespace)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("google.cloud.secretmanager", module, raising=False)
    page = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec(compile(page.partition("```python\n")[2].partition("```")[0], "docs/tokens.md", "exec"), names)
    refresh(token_sink=names["keep"])
    [(parent, data)] = added
    assert parent == f"projects/my-project/secrets/airflow-variables-{NAME}"
    assert data.startswith(b"EAAG")
