"""The local Graph API's doors: tokens, permissions, discovery, paths, the two hosts, the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, Token, World, appsecret_proof
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET, FACEBOOK_PERMISSIONS

EXPIRED = "Error validating access token: Session has expired on Saturday, 21-Nov-26 11:00:00 PST."


@pytest.fixture(autouse=True)
def tokens(world: World) -> None:
    """Add one token that is refused for each reason."""
    good = Token(value="good", kind="user")
    for token in (
        replace(good, value="expired", expires_at=world.now - timedelta(hours=1)),
        replace(good, value="revoked", revoked=True),
        replace(good, value="no-insights", permissions=FACEBOOK_PERMISSIONS - {"instagram_manage_insights"}),
        replace(good, value="no-business", permissions=FACEBOOK_PERMISSIONS - {"business_management"}),
        replace(good, value="no-basic", permissions=frozenset({"pages_show_list"})),
        replace(good, value="sees-nothing", account_ids=()),
        replace(good, value="proof", proof_required=True),
    ):
        world.put(token)


@pytest.mark.parametrize(
    ("token", "path", "status", "code", "subcode", "text"),
    [
        (None, "/me", 400, 2500, None, "An active access token must be used"),
        (None, "/{id}", 400, 190, None, "Invalid OAuth access token"),
        ("nonsense", "/{id}", 400, 190, None, "Cannot parse access token"),
        ("revoked", "/{id}", 400, 190, None, "Cannot parse access token"),
        ("expired", "/{id}", 400, 190, 463, EXPIRED),
        ("no-insights", "/{id}/insights", 400, 10, None, "(#10) Application does not have permission for this action"),
        ("no-basic", "/{id}", 400, 10, None, "(#10) Application does not have permission for this action"),
        ("sees-nothing", "/{id}", 400, 100, 33, "Unsupported get request. Object with ID '17841400000000001'"),
        ("sees-nothing", "/17800000010000000/insights", 400, 100, 33, "Object with ID '17800000010000000'"),
        ("user", "/17841400000000999", 400, 100, 33, "does not exist, cannot be loaded due to missing permissions"),
        ("user", "/v99.0/me", 400, 2500, None, "Unknown path components: /me"),
        ("user", "/{id}/nonsense", 400, 2500, None, "Unknown path components"),
        ("user", "/{id}/children", 400, 100, None, "(#100) Tried accessing nonexisting field (children)"),
        ("user", "/17800000010000000/media", 400, 100, None, "(#100) Tried accessing nonexisting field (media)"),
        ("user", "/17800000010000000?fields=owner{{name}}", 400, 100, None, "nonexisting field (name)"),
        ("user", "/", 400, 100, None, "Unsupported get request"),
        ("user", "/?ids=1,2", 500, 100, None, "The ids query parameter is deprecated in v26.0+"),
        ("user", "/v21.0/insights?ids=1,2", 500, 100, None, "The ids query parameter is deprecated in v26.0+"),
        ("proof", "/{id}", 400, 100, None, "API calls from the server require an appsecret_proof argument"),
        ("user", "/{id}?appsecret_proof=bad", 400, 100, None, "Invalid appsecret_proof provided in the API argument"),
        ("user", "/{id}?fields=nonsense", 400, 100, None, "(#100) Tried accessing nonexisting field (nonsense)"),
        ("user", "/{id}?fields=id,insights.metric(reach", 400, 2500, None, "Syntax error"),
        ("user", "/17800000010000000?fields=view_count", 400, 36104, None, "Business Discovery"),
        ("IGAA17841400000000001", "/{id}", 400, 190, None, "Cannot parse access token"),
    ],
)
def test_refusals(ask, world, account_id, token, path, status, code, subcode, text) -> None:
    """A call that must be refused gets Meta's status, code, subcode and text."""
    token = world.user_token if token == "user" else token
    answer = ask(path.format(id=account_id), token=token)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (status, code, subcode)
    assert text in error["message"]
    assert error["fbtrace_id"]
    assert ("WWW-Authenticate" in answer.headers) == (code == 190)


@pytest.mark.parametrize("where", ["header", "query"])
def test_a_token_travels_in_header_or_query(sandbox, world, account_id, where) -> None:
    """Both ways open the door, and the log tells which one was used."""
    sent = {"headers": {"Authorization": f"Bearer {world.user_token}"}}
    if where == "query":
        sent = {"params": {"access_token": world.user_token}}
    assert requests.get(f"{sandbox.url}/v25.0/{account_id}", timeout=5, **sent).ok
    received = sandbox.log[-1]
    assert (received.has_bearer, received.token_in_url) == (where == "header", where == "query")
    assert (received.method, received.path, received.status, received.calls) == ("GET", f"/v25.0/{account_id}", 200, 1)


def test_a_correct_appsecret_proof_opens(ask, account_id) -> None:
    """A token that requires a proof is content with the right one."""
    assert ask(f"/{account_id}", token="proof", appsecret_proof=appsecret_proof("proof", APP_SECRET)).ok


def test_me_accounts_pages_through_accounts_and_ends_without_next(ask, world) -> None:
    """Discovery lists every Page by cursor, one of them without Instagram; the last page has cursors but no next."""
    found, after = [], {}
    while True:
        body = ask("/me/accounts", fields="id,name,instagram_business_account{id,username}", limit=2, **after).json()
        found += body["data"]
        if "next" not in body["paging"]:
            break
        after = {"after": body["paging"]["cursors"]["after"]}
    linked = [page["instagram_business_account"]["id"] for page in found if "instagram_business_account" in page]
    assert linked == list(world.accounts)
    assert len(found) == len(world.accounts) + len(world.pages)
    assert body["paging"]["cursors"]["after"]
    assert set(found[0]) == {"id", "name", "instagram_business_account"}


def test_me_accounts_is_silently_empty_without_business_management(ask) -> None:
    """A token that lacks business_management sees no Page, and no error."""
    answer = ask("/me/accounts", token="no-business")
    assert (answer.status_code, answer.json()) == (200, {"data": []})


def test_page_tokens_open_their_account_only(ask, world) -> None:
    """The token that /me/accounts hands out reads its own account and no other."""
    page = ask("/me/accounts", fields="access_token,instagram_business_account").json()["data"][0]
    first, second = world.accounts
    assert page["instagram_business_account"]["id"] == first
    assert ask(f"/{first}", token=page["access_token"]).ok
    assert ask(f"/{second}", token=page["access_token"]).json()["error"]["error_subcode"] == 33
    assert ask(f"/{page['id']}", fields="instagram_business_account").json()["instagram_business_account"] == {
        "id": first
    }
    assert ask("/me", token=page["access_token"]).json()["name"] == "Brand 1 Page"


def test_debug_token_and_permissions(ask, world) -> None:
    """/debug_token tells kind, validity, expiry and scopes; /me/permissions the granted ones."""
    app = f"{APP_ID}|{APP_SECRET}"
    system = ask("/debug_token", token=app, input_token=world.system_user_token).json()["data"]
    assert (system["type"], system["is_valid"], system["expires_at"]) == ("SYSTEM_USER", True, 0)
    user = ask("/debug_token", token=app, input_token=world.user_token).json()["data"]
    assert user["expires_at"] == int((world.now + timedelta(days=60)).timestamp())
    assert user["scopes"] == sorted(FACEBOOK_PERMISSIONS)
    assert ask("/debug_token", token=app, input_token="expired").json()["data"]["is_valid"] is False
    assert ask("/debug_token", token=app, input_token="nonsense").json()["data"]["error"]["code"] == 190
    granted = ask("/me/permissions", token="no-insights").json()["data"]
    assert {each["permission"] for each in granted} == FACEBOOK_PERMISSIONS - {"instagram_manage_insights"}


def test_user_fields(ask, world, account_id) -> None:
    """The account's node gives the fields asked for, and the id always."""
    account = world.accounts[account_id]
    names = ("username", "name", "biography", "website", "followers_count", "follows_count", "media_count")
    body = ask(f"/{account_id}", fields=",".join(names)).json()
    assert body == {"id": account_id, **{name: getattr(account, name) for name in names}}


def test_instagram_login_host(sandbox, ask, world, account_id) -> None:
    """graph.instagram.com knows /me and its user_id, has no Pages, no batch, and none of the Facebook-only names."""
    root, token = "/graph.instagram.com/v25.0", world.instagram_token(account_id)
    assert sandbox.instagram_url == f"{sandbox.url}/graph.instagram.com"
    me = ask(f"{root}/me", token=token, fields="user_id,username,account_type").json()
    assert (me["user_id"], me["username"]) == (account_id, world.accounts[account_id].username)
    assert me["id"] != account_id
    assert ask(f"{root}/me/media", token=token).json()["data"]
    assert ask(f"{root}/{account_id}/stories", token=token).json()["data"]
    assert ask(f"{root}/me/accounts", token=token).json()["error"]["code"] == 2500
    assert ask(f"{root}/me", token=world.user_token).json()["error"]["code"] == 190
    media = f"{root}/17800000010000000"
    refused = ask(f"{media}/insights", token=token, metric="reach,total_views").json()["error"]["message"]
    assert refused.startswith("(#100) metric[1] must be one of the following values: impressions, reach")
    assert "total_views" not in refused
    assert ask(media, token=token, fields="saved_count").json()["error"]["code"] == 100
    batch = requests.post(
        f"{sandbox.url}{root}/",
        data={"access_token": token, "batch": '[{"method":"GET","relative_url":"me"}]'},
        timeout=5,
    )
    assert batch.json()["error"]["message"] == "Unsupported post request."


def test_instagram_login_leaves_out_what_facebook_refuses(ask, world, account_id) -> None:
    """Asked without metric_type, a total-only metric is silently absent on graph.instagram.com."""
    path, token = f"/graph.instagram.com/{account_id}/insights", world.instagram_token(account_id)
    body = ask(path, token=token, metric="reach,likes", period="day").json()
    assert [each["name"] for each in body["data"]] == ["reach"]


def test_headers_come_with_every_answer(ask, account_id) -> None:
    """Success or refusal, an answer carries version, trace and usage; big ones are gzipped on request."""
    for path in (f"/v25.0/{account_id}", f"/v25.0/{account_id}/insights"):
        headers = ask(path).headers
        assert headers["facebook-api-version"] == "v25.0"
        assert headers["x-fb-trace-id"]
        assert account_id in headers["x-business-use-case-usage"]
    assert "x-app-usage" in ask("/me").headers
    assert ask(f"/{account_id}/media", limit=100, fields="id,caption").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in ask(f"/{account_id}").headers


def test_the_log_can_be_cleared_and_counts_what_is_under_way(sandbox: GraphSandbox, ask, account_id) -> None:
    """The log and its statistics start anew after clear_log."""
    ask(f"/{account_id}")
    assert sandbox.in_flight_peak() == 1
    sandbox.clear_log()
    assert sandbox.log == ()
    assert (sandbox.in_flight_average(), sandbox.in_flight_peak()) == (0.0, 0)
