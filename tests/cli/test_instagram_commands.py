"""What asks the Graph API: ``test``, ``accounts`` and ``metrics``, what they print and how they end."""

from __future__ import annotations

import json

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import Edit, GraphFault, GraphSandbox, World, errors, rules


@pytest.mark.parametrize(("token", "code", "stream"), [("known", 0, "out"), ("EAAGnobody12345678", 1, "err")])
def test_the_connection_test(
    world: World,
    sandbox: GraphSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    code: int,
    stream: str,
) -> None:
    """`test` says whether the token can be used, and ends with 0 or 1."""
    connection = {"conn_type": "instagram", "host": sandbox.url, "password": token}
    if token != "known":
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    assert main(["test", "--conn-id", "instagram_default", "--api-version", "v24.0"]) == code
    said = getattr(capsys.readouterr(), stream)
    assert ("answered as Graph API v24.0." if code == 0 else "code 190") in said
    assert not any(secret in said for secret in (world.system_user_token, "EAAGnobody12345678"))


@pytest.mark.parametrize("command", [["test"], ["accounts"], ["metrics", "--check"]], ids=" ".join)
def test_a_connection_that_cannot_be_used(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that Airflow does not know, and a connection with a wrong part, end with 2 and a sentence."""
    assert main([*command, "--conn-id", "nowhere"]) == 2
    assert "Airflow knows no connection 'nowhere'." in capsys.readouterr().err
    wrong = {"conn_type": "instagram", "host": "evil.test", "password": "EAAGtoken12345678"}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    assert main([*command, "--conn-id", "wrong"]) == 2
    said = capsys.readouterr().err
    assert "Connection 'wrong': The connection's host is not a Graph API host." in said
    assert "EAAGtoken12345678" not in said


def test_accounts(world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Each account is a line with id, username and Page id; --json gives the same as objects."""
    expected = [(each.id, each.username, each.page_id) for each in world.accounts.values()]
    assert len(expected) == 2
    assert main(["accounts"]) == 0
    printed = [tuple(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert printed == [("account_id", "username", "page_id"), *expected]
    assert main(["accounts", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["account_id"], row["username"], row["page_id"]) for row in rows] == expected


def test_accounts_of_a_token_that_sees_none(
    world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """No account is a finding with a sentence; the JSON stays a list."""
    world.accounts.clear()
    assert main(["accounts", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert "sees no Instagram account" in printed.err


@pytest.mark.parametrize("conn_id", ["instagram_default", "own"])
def test_check_without_differences(sandbox: GraphSandbox, conn_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command asks for account and media with either login and returns 0 where the catalog is up to date."""
    assert main(["metrics", "--check", "--conn-id", conn_id]) == 0
    said = capsys.readouterr().out
    assert "account metrics, v25.0" in said
    assert "media metrics, v25.0" in said
    assert "impressions" in said
    assert not any(received.token_in_url for received in sandbox.log)


@pytest.mark.parametrize("place", [0, 1])
def test_the_account_that_is_asked_about(world: World, sandbox: GraphSandbox, place: int) -> None:
    """--account-id decides whose metrics Meta is asked for, and nobody else's are."""
    ids = list(world.accounts)
    assert main(["metrics", "--check", "--account-id", ids[place]]) == 0
    asked = [f"{received.path} {received.items}" for received in sandbox.log]
    assert any(f"{ids[place]}/insights" in each for each in asked)
    assert not any(ids[1 - place] in each for each in asked)


def test_check_with_differences(
    sandbox: GraphSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other rules at Meta, said in another language, are named on both levels, and the command returns 1."""
    sandbox.world.user_metrics["waves"] = rules.UserMetric()
    del sandbox.world.user_metrics["saves"]
    sandbox.world.media_metrics["echoes"] = rules.MediaMetric(("FEED",))
    thai = errors.Kind(100, "(#100) {name} ต้องเป็นค่าใดค่าหนึ่งต่อไปนี้: {values}")
    monkeypatch.setitem(errors.ERRORS, "not_in_enum", thai)  # type: ignore[arg-type]
    assert main(["metrics", "--check"]) == 1
    said = capsys.readouterr().out
    assert "the catalog does not know: waves" in said
    assert "Meta does not accept: saves" in said
    assert "the catalog does not know: echoes" in said


def test_check_without_media(world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """An account without media is checked at its own level, and the command says that the rest is unchecked."""
    world.deleted.update(post.id for post in world.media_of(next(iter(world.accounts)), world.now))
    assert main(["metrics", "--check"]) == 0
    assert "unchecked" in capsys.readouterr().out


@pytest.mark.parametrize("listed", [None, 7, {}, {"id": None}, {"id": "../me"}], ids=str)
def test_check_with_a_listing_that_cannot_be_read(
    sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str], listed: object
) -> None:
    """A listed media without a usable id is no media: the command ends as without one, and never with a traceback."""
    sandbox.faults.add(GraphFault(effect=Edit("/data", lambda _: [listed]), path="/media$", times=None))
    assert main(["metrics", "--check"]) == 0
    said = capsys.readouterr().out
    assert "account metrics, v25.0" in said
    assert "unchecked" in said


def test_check_that_fails(world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused token is said on the error stream without the token, and the command returns 2."""
    world.tokens.clear()
    assert main(["metrics", "--check"]) == 2
    said = capsys.readouterr()
    assert "token" in said.err
    assert world.system_user_token not in said.err + said.out


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --check the command prints the live metrics and asks nobody."""
    assert main(["metrics"]) == 0
    assert "`total_interactions`" in capsys.readouterr().out
