"""The catalog held against the live API: what a refusal tells, what differs, what the command says and returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from airflow_provider_iginsights.catalog.__main__ import DIFFERENT, FAILED, main

from airflow_provider_iginsights.catalog.comparison import compare, read_accepted
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World, errors, rules

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("(#100) metric[0] must be one of the following values: reach, views, likes", ("reach", "views", "likes")),
        ("(#100) metric[0] doit être l’une des valeurs suivantes : reach, views", ("reach", "views")),
        ("(#100) metric[0]は次のいずれかの値である必要があります：reach、views、saved", ("reach", "views", "saved")),
        ("(#100) metric[0] يجب أن يكون إحدى القيم التالية: reach، views", ("reach", "views")),
        ("Well, so metric[0] must be one of: reach, follower_count, ig_reels_avg_watch_time, views. Yes", 4),
        ("Fatal", ()),
        ("", ()),
    ],
)
def test_names_in_a_refusal(said: str, names: tuple[str, ...] | int) -> None:
    """The accepted names are found in any language and keep Meta's order."""
    read = read_accepted(said)
    assert (len(read) if isinstance(names, int) else read) == names


@pytest.mark.parametrize("login", ["facebook", "instagram"])
@pytest.mark.parametrize("version", ["v22.0", "v25.0", "v26.0"])
def test_today_nothing_differs(version: str, login: str) -> None:
    """Nothing that Meta accepts today is missing in the catalog, nor the other way round; impressions only linger."""
    media = [name for name, rule in rules.MEDIA_METRICS.items() if login == "facebook" or not rule.facebook_login_only]
    account = compare("account", list(rules.USER_METRICS), version=version, login=login)  # type: ignore[arg-type]
    of_media = compare("media", media, version=version, login=login)  # type: ignore[arg-type]
    assert (account.uncatalogued, account.unaccepted, account.lingering) == ((), (), ())
    assert (of_media.uncatalogued, of_media.unaccepted, of_media.lingering) == ((), (), ("impressions",))


def test_differences_are_told_apart() -> None:
    """A new name and a lost one matter; a Threads name that is gone, or a retired one that lingers, does not."""
    accepted = [name for name in rules.USER_METRICS if name not in ("likes", "quotes")]
    lingers = compare("account", [*rules.USER_METRICS, "impressions"], version="v25.0", login="facebook")
    assert (lingers.lingering, lingers.matter) == (("impressions",), False)
    lacks = compare("account", accepted, version="v25.0", login="facebook")
    assert (lacks.unaccepted, lacks.uncatalogued, lacks.matter) == (("likes",), (), True)
    brings = compare("account", ["waves", *rules.USER_METRICS], version="v25.0", login="facebook")
    assert (brings.unaccepted, brings.uncatalogued, brings.matter) == ((), ("waves",), True)


@pytest.fixture
def world() -> World:
    """Build one account with a few posts."""
    return World.build(accounts=1, media_per_account=3, now=NOW)


@pytest.fixture
def sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphSandbox]:
    """Serve the world and define the connection to it."""
    with GraphSandbox(world) as running:
        connection = {"conn_type": "instagram", "host": running.url, "password": world.system_user_token}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        token = world.instagram_token(next(iter(world.accounts)))
        own = connection | {"host": running.instagram_url, "password": token}
        monkeypatch.setenv("AIRFLOW_CONN_OWN", json.dumps(own))
        yield running


@pytest.mark.parametrize("conn_id", ["instagram_default", "own"])
def test_check_without_differences(sandbox: GraphSandbox, conn_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command asks for account and media with either login and returns 0 where the catalog is up to date."""
    assert main(["--check", "--conn-id", conn_id]) == 0
    said = capsys.readouterr().out
    assert "account metrics, v25.0" in said
    assert "media metrics, v25.0" in said
    assert "impressions" in said
    assert not any(received.token_in_url for received in sandbox.log)


def test_check_with_differences(
    sandbox: GraphSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other rules at Meta, said in another language, are named on both levels, and the command returns 1."""
    sandbox.world.user_metrics["waves"] = rules.UserMetric()
    del sandbox.world.user_metrics["saves"]
    sandbox.world.media_metrics["echoes"] = rules.MediaMetric(("FEED",))
    thai = errors.Kind(100, "(#100) {name} ต้องเป็นค่าใดค่าหนึ่งต่อไปนี้: {values}")
    monkeypatch.setitem(errors.ERRORS, "not_in_enum", thai)  # type: ignore[arg-type]
    assert main(["--check"]) == DIFFERENT
    said = capsys.readouterr().out
    assert "the catalog does not know: waves" in said
    assert "Meta does not accept: saves" in said
    assert "the catalog does not know: echoes" in said


def test_check_without_media(world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """An account without media is checked at its own level, and the command says that the rest is unchecked."""
    world.deleted.update(post.id for post in world.media_of(next(iter(world.accounts)), NOW))
    assert main(["--check"]) == 0
    assert "unchecked" in capsys.readouterr().out


def test_check_that_fails(world: World, sandbox: GraphSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused token is said on the error stream without the token, and the command returns 2."""
    world.tokens.clear()
    assert main(["--check"]) == FAILED
    said = capsys.readouterr()
    assert "token" in said.err
    assert world.system_user_token not in said.err + said.out


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --check the command prints the live metrics and asks nobody."""
    assert main([]) == 0
    assert "`total_interactions`" in capsys.readouterr().out
