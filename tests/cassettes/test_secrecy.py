"""Nothing in a cassette is a secret or tells whose answers it holds."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_iginsights.errors import TokenExpired
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import (
    ErrorEffect,
    GraphFault,
    GraphSandbox,
    Token,
    World,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from airflow_provider_iginsights.testing import set_testing
from tests.support.cassettes import recording
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes

TOKEN = "EAAGsecret7token8of9nobody"
NAME, EMAIL, PHONE = "Ludmilla Zwieback", "ludmilla.zwieback@bakery.example", "+49 30 1234567"
BIOGRAPHY = f"{NAME}, {EMAIL}, {PHONE} 🎂 مخبز"
CAPTION = f"Ask @zwieback.bakery or {EMAIL} 👩‍🍳"


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve an account that tells much of its owner."""
    world = World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=1)
    [account] = world.accounts.values()
    world.put(
        replace(
            account, username="zwieback.bakery", name=NAME, biography=BIOGRAPHY, website="https://zwieback.example/me"
        )
    )
    for media in world.media_of(account.id, NOW):
        world.put(replace(media, caption=CAPTION, alt_text=f"A cake of {NAME}"))
    world.put(Token(TOKEN, "user"))
    with open_sandboxes(world) as opened, set_testing():
        opened.token, opened.extra = TOKEN, {"app_secret": APP_SECRET, "app_id": APP_ID}
        opened.connect()
        yield opened


def list_personal(world: World) -> list[str]:
    """Return all that tells whose the answers are."""
    [account] = world.accounts.values()
    posts = world.media_of(account.id, NOW)
    ids = [
        account.id,
        account.page_id,
        account.business_id,
        APP_ID,
        Token(TOKEN, "user").user_id,
        *(post.id for post in posts),
    ]
    words = ["wieback", "udmilla", "bakery", EMAIL, PHONE, "1234567", "مخبز", "cake", "Sandbox User"]
    return [*ids, *words, *(post.shortcode for post in posts if post.shortcode)]


def list_secrets(sandbox: GraphSandbox) -> list[str]:
    """Return all secrets, also in the forms in which they travel."""
    plain = [TOKEN, APP_SECRET, appsecret_proof(TOKEN, APP_SECRET), f"{APP_ID}|{APP_SECRET}", "EAAGpage"]
    encoded = [base64.b64encode(each.encode()).decode().rstrip("=") for each in plain]
    return [*plain, *(quote(each, safe="") for each in plain), *encoded]


def read_everything(client: GraphClient, account_id: str) -> None:
    """Ask for all that holds tokens, and let Meta quote them back."""
    for request in (
        GraphRequest("me/accounts", {"fields": "id,name,access_token,instagram_business_account{id,username}"}),
        GraphRequest("debug_token", {"input_token": TOKEN}),
        GraphRequest(
            "oauth/access_token",
            {
                "grant_type": "fb_exchange_token",
                "client_id": APP_ID,
                "client_secret": APP_SECRET,
                "fb_exchange_token": TOKEN,
            },
        ),
        GraphRequest("me", {"fields": "id,name"}),
    ):
        client.get(request)
    list(client.pages(GraphRequest(f"{account_id}/media", {"fields": "id,caption,permalink"}), limit=2))


def test_a_cassette_tells_nobody(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Profile, posts, stories, Pages and their tokens, an exchanged token, quoting errors: nothing of it is there."""
    said = (
        f"Malformed access token {TOKEN} of {NAME} (zwieback.bakery), 6801045783286074, see https://x.example/{TOKEN}"
    )
    with recording(tmp_path / "cassette"):
        for kind in ("account", "media", "story"):
            assert list(InstagramHook().read(kind))  # type: ignore[call-overload]
        with GraphClient(GraphSettings(token=TOKEN, base_url=sandboxes.graph.url, app_secret=APP_SECRET)) as client:
            read_everything(client, sandboxes.account.id)
            sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(190, message=said), times=2))
            for ask in (client.get, lambda request: list(client.batch([request]))):
                with pytest.raises(TokenExpired):
                    ask(GraphRequest(sandboxes.account.id, {"fields": "id"}))
    text = (tmp_path / "cassette" / "cassette.jsonl").read_text("ascii")
    assert "Malformed access token" in text
    assert text.count('"access_token"') >= 3
    for each in (*list_secrets(sandboxes.graph), *list_personal(sandboxes.world)):
        assert each not in text, each
        assert each.encode("ascii", "backslashreplace").decode() not in text, each


def test_only_its_owner_can_read_it(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """The folder is of mode 0700 and each file of 0600, also while the run is on, whatever the umask says."""
    modes = []
    directory = tmp_path / "cassette"
    with recording(directory), InstagramHook().get_conn() as client:
        client.get(GraphRequest("me", {"fields": "id"}))
        modes += [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())]
    modes += [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())]
    assert modes == [0o700, 0o600, 0o600, 0o700, 0o600]
