"""The table of error codes: every code that Meta documents or users met means what to do, in whatever language."""

from __future__ import annotations

import pickle
from typing import Any, get_args

import pytest

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BeyondHistory,
    BrokenResponse,
    ConfigurationError,
    FatalGraphError,
    InsightsError,
    MediaTooOld,
    MetricRefused,
    ObjectGone,
    PermissionMissing,
    PolicyBlocked,
    ServerTrouble,
    Throttled,
    TokenExpired,
    TooFewFollowers,
    TooFewViewers,
    TooMuchData,
)
from airflow_provider_iginsights.graph.error_mapping import ERROR_CODES, classify, map_error, map_transport_problem
from airflow_provider_iginsights.graph.messages import (
    Call,
    GraphRequest,
    Reply,
    Subject,
    SubjectKind,
    TransportProblem,
)
from airflow_provider_iginsights.graph.rate_limit import DEFAULT_BLOCK
from airflow_provider_iginsights.graph.unknown_answers import TRANSPORT_PROBLEMS

GONE = "Unsupported get request. Object with ID '1' does not exist, cannot be loaded due to missing permissions"
ACCESS = "(#10) Application does not have permission for this action"
HIDDEN = "(#100) Object does not exist, cannot be loaded due to missing permission or reviewable feature"
METHOD = "Unsupported request - method type: get"
# What Meta says of an app that may not ask at all (public logs of 2024 to 2026), with the code of a permission.
CLOSED = (
    "API access blocked.",
    "API access disrupted. Go to the App Dashboard and complete Data Use Checkup.",
    "API access deactivated. To reactivate, go to the app dashboard.",
    "(#200) Access to this data is temporarily disabled for non-active apps or apps that have not recently accessed it",
    "Error validating application. Application has been deleted.",
)
NO_APP = "(#200) Provide valid app ID"
BEHALF = "Cannot call API for app 735416536241722 on behalf of user 122093996457147387"

# code, subcode, Meta's text, whom the request is about, the error, whether a quick retry may help
CASES: list[tuple[int, int | None, str, SubjectKind | None, type[InsightsError], bool]] = [
    (1, None, "An unknown error has occurred.", "account", ServerTrouble, True),
    (1, 99, "Ein unbekannter Fehler ist aufgetreten", "media", ServerTrouble, True),
    (1, None, "Please reduce the amount of data you're asking for, then retry", "account", TooMuchData, True),
    (1, None, "Error validating client secret.", "token", ConfigurationError, False),
    (1, None, "The access token does not belong to application 1010", "token", ConfigurationError, False),
    (101, None, "Error validating application. Cannot get application info", "token", ConfigurationError, False),
    (2, None, "Service temporarily unavailable", "media", ServerTrouble, True),
    (-1, 2207086, "Fatal", "media", MetricRefused, False),
    (-1, 2207001, "Instagram server error. Try again", "media", ServerTrouble, True),
    (-1, 2207001, "サーバーエラー", "account", ServerTrouble, True),
    (-1, 1, "who knows", "media", ServerTrouble, True),
    (1200, None, "Temporary failure", "account", ServerTrouble, True),
    (24, 2207006, "The requested resource does not exist", "media", ObjectGone, False),
    (24, 2207006, "The requested resource does not exist", "account", ObjectGone, False),
    (24, None, "The requested resource does not exist", "story", ObjectGone, False),
    (33, None, "This object does not exist", "media", ObjectGone, False),
    (33, None, "This object does not exist", "account", FatalGraphError, False),
    (25, 2207050, "The Instagram account is restricted.", "media", ObjectGone, False),
    (25, 2207050, "El usuario está restringido", "account", AccountUnavailable, False),
    (12, None, "(#12) This metric is deprecated", "media", MetricRefused, False),
    (12, None, "(#12) username field is deprecated for versions v2.0 and higher", "account", MetricRefused, False),
    (
        100,
        None,
        "(#100) Tried accessing nonexisting field (biography) on node type (Page)",
        "account",
        AccountUnavailable,
        False,
    ),
    (
        100,
        None,
        "(#100) Intento de acceso a campo inexistente (insights) on node type (Page)",
        "account",
        AccountUnavailable,
        False,
    ),
    (
        100,
        None,
        "(#100) Tried accessing nonexisting field (website) on node type (IGUser)",
        "account",
        MetricRefused,
        False,
    ),
    (
        100,
        None,
        "(#100) Tried accessing nonexisting field (accounts) on node type (Page)",
        "user",
        ConfigurationError,
        False,
    ),
    *[
        (code, None, text, kind, TokenExpired, False)
        for code, text in ((104, "An access token is required to request this resource."), (200, NO_APP))
        for kind in ("account", "media", "story", "user")
    ],
    (200, None, "(#200) Requires instagram_manage_insights permission", "account", PermissionMissing, False),
    (190, 492, "Sessions for the user are not allowed", "account", AccountUnavailable, False),
    (190, 492, "Sessions for the user are not allowed", "media", AccountUnavailable, False),
    (190, 492, "Sessions for the user are not allowed", "user", TokenExpired, False),
    *[(code, None, "too many calls", "account", Throttled, False) for code in (4, 17, 32, 341, 613, 80001, 80002)],
    (4, 1349210, "(#4) Application request limit reached", "account", Throttled, False),
    (613, 1996, "(#613) Calls to this api have exceeded the rate limit.", "account", Throttled, False),
    (17, 2446079, "User request limit reached", "account", Throttled, False),
    (
        3,
        None,
        "(#3) Application does not have the capability to make this API call.",
        "media",
        PermissionMissing,
        False,
    ),
    (10, None, "(#10) Not enough viewers for the media to show insights", "story", TooFewViewers, False),
    (10, None, "(#10) Not enough viewers for the media to show insights", "account", TooFewViewers, False),
    (10, None, "(#10) Nicht genügend Zuschauer", "story", TooFewViewers, False),
    (10, None, "(#10) インサイトを表示するための閲覧者が不足しています", "story", TooFewViewers, False),
    (10, None, ACCESS, "story", PermissionMissing, False),
    (10, None, "(#10) Die Anwendung hat keine Berechtigung für diese Aktion", "story", PermissionMissing, False),
    (10, None, "(#10) La aplicación no tiene permiso para esta acción", "story", PermissionMissing, False),
    (10, None, "(#10) アプリケーションにはこのアクションを実行する権限がありません", "story", PermissionMissing, False),
    (10, None, ACCESS, "account", PermissionMissing, False),
    (10, None, "(#10) ???", "media", PermissionMissing, False),
    (100, 33, GONE, "media", ObjectGone, False),
    (100, 33, GONE, "story", ObjectGone, False),
    (100, 33, GONE, "account", AccountUnavailable, False),
    (100, 33, GONE, "page", AccountUnavailable, False),
    (100, 33, GONE, None, AccountUnavailable, False),
    (100, 33, "Solicitud get no compatible. El objeto no existe", "media", ObjectGone, False),
    (100, 33, "サポートされていないリクエストです", "story", ObjectGone, False),
    (
        100,
        33,
        "Solicitud get no compatible. El objeto con el identificador no existe",
        "account",
        AccountUnavailable,
        False,
    ),
    (803, None, "(#803) Some of the aliases you requested do not exist: x", "media", ObjectGone, False),
    (803, None, "(#803) Some of the aliases you requested do not exist: x", "account", AccountUnavailable, False),
    (100, 2108006, "Media posted before business account conversion", "media", MediaTooOld, False),
    (100, 2108006, "Media Posted Before Business Account Conversion", "account", MediaTooOld, False),
    (4, 2108006, "ビジネスアカウントに切り替える前に投稿されたメディア", "media", MediaTooOld, False),
    (100, 2874010, "Not enough users", "account", TooFewFollowers, False),
    (10, 2874010, "(#10) Not enough users", "account", TooFewFollowers, False),
    (100, None, "(#100) metric[2] must be one of the following values: reach", "media", MetricRefused, False),
    (100, None, "(#100) Incompatible breakdowns (follow_type) for metric (views)", "account", MetricRefused, False),
    (100, None, "(#100) since param is not valid. Metrics data is available", "account", BeyondHistory, False),
    (100, None, "(#100) El parámetro since no es válido", "account", BeyondHistory, False),
    (100, None, "(#100) more than 30 days (2592000 s) between since and until", "account", MetricRefused, False),
    *[(100, None, METHOD, kind, PermissionMissing, False) for kind in ("user", "token", "account", "media", "story")],
    *[(100, None, HIDDEN, kind, ObjectGone, False) for kind in ("media", "story")],
    *[(100, None, HIDDEN, kind, AccountUnavailable, False) for kind in ("account", "user", None)],
    *[(code, None, text, "account", PolicyBlocked, False) for code in (10, 190, 200) for text in CLOSED],
    *[(10, None, text, "story", PolicyBlocked, False) for text in CLOSED],
    *[(code, None, BEHALF, kind, TokenExpired, False) for code in (10, 200) for kind in ("account", "story", "user")],
    (5, None, "This IP can't make requests for that application.", "account", PolicyBlocked, False),
    (100, None, "(#100) Tried accessing nonexisting field (x)", "user", ConfigurationError, False),
    (100, None, "(#100) Tried accessing nonexisting field (x)", None, ConfigurationError, False),
    (100, None, "The ids query parameter is deprecated in v26.0+", "media", ConfigurationError, False),
    (100, None, "API calls from the server require an appsecret_proof argument", "account", ConfigurationError, False),
    (100, None, "Invalid appsecret_proof provided in the API argument", "media", ConfigurationError, False),
    *[(code, None, "session", "account", TokenExpired, False) for code in (102, 190)],
    *[(190, sub, "token", "media", TokenExpired, False) for sub in (458, 459, 460, 463, 464, 467, 490, 493)],
    (
        190,
        None,
        "Error validating access token: Session has expired on Friday, 26-Jun-26",
        "media",
        TokenExpired,
        False,
    ),
    (190, None, "Invalid OAuth access token - Cannot parse access token", "account", TokenExpired, False),
    (2500, None, "An active access token must be used to query information", "user", TokenExpired, False),
    (2500, None, "Unknown path components: /me", "user", ConfigurationError, False),
    (2500, None, 'Syntax error "Expected name" at character 3: id,,', "account", ConfigurationError, False),
    *[(code, None, "Permissions error", "account", PermissionMissing, False) for code in (200, 230, 299)],
    (368, None, "The action attempted has been deemed abusive", "account", PolicyBlocked, False),
    (9005, 1452042, "This field is not available", "media", MetricRefused, False),
    (36104, None, "This field is only available through Business Discovery", "media", MetricRefused, False),
    (300, None, "who knows", "account", FatalGraphError, False),
]


def _request(kind: SubjectKind | None, **params: str) -> GraphRequest:
    return GraphRequest("4711/insights", params, Subject(kind, "4711") if kind else None)


def _error(code: int, subcode: int | None, text: str) -> dict[str, Any]:
    error = {"message": text, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2"}
    return error if subcode is None else {**error, "error_subcode": subcode}


@pytest.mark.parametrize(("code", "subcode", "text", "kind", "expected", "retryable"), CASES)
def test_a_code_means_what_to_do(
    code: int, subcode: int | None, text: str, kind: SubjectKind | None, expected: type[InsightsError], retryable: bool
) -> None:
    """Each code, subcode, text and subject gives its error: with the facts, whom it is about, and Meta's own text."""
    found = map_error(_error(code, subcode, text), request=_request(kind), http_status=400)
    assert type(found.error) is expected
    assert found.retryable is retryable
    facts = found.error.facts
    assert (facts.code, facts.subcode, facts.http_status, facts.fbtrace_id) == (code, subcode, 400, "A1b2")
    assert facts.asked == "GET 4711/insights"
    assert found.error.message.endswith(f"Meta said: {text}")
    assert "{" not in found.error.message


# code, subcode, Meta's text, whom the request is about, what our message says besides the kind of error
ADVICE: list[tuple[int, int | None, str, SubjectKind, str]] = [
    (190, 458, "token", "user", "removed the app"),
    (190, 459, "token", "user", "log in and confirm"),
    (190, 464, "token", "user", "log in and confirm"),
    (190, 490, "Error validating access token: The user is enrolled in a blocking", "user", "log in and confirm"),
    (190, None, "Error validating access token: Session has expired on Friday", "user", "has expired; a system user's"),
    (190, None, "Invalid OAuth access token - Cannot parse access token", "user", "begins with IG and needs the host"),
    *[(200, None, text, "account", "No new token helps") for text in CLOSED],
    (200, None, BEHALF, "account", "has no role on an app that is not live"),
    (5, None, "This IP can't make requests for that application.", "account", "Server IP allowlist"),
    (100, None, METHOD, "account", "as an Instagram tester"),
    (190, 460, "token", "user", "change of its user's password"),
    (102, 463, "token", "user", "has expired; a system user's does not"),
    (190, 467, "token", "user", "missing, malformed or revoked"),
    (190, 492, "token", "user", "has lost the role on its Page"),
    (190, 492, "token", "media", "no role on the Page behind media 4711"),
    (190, 493, "token", "user", "not used the app for 90 days"),
    (2500, None, "An active access token must be used", "user", "missing, malformed or revoked"),
    (104, None, "Ein Zugriffsschlüssel ist erforderlich", "user", "no token in the request"),
    (200, None, NO_APP, "account", "a proxy takes the header"),
    (100, None, "Invalid appsecret_proof provided", "account", "does not belong to the app that issued the token"),
    (100, None, "API calls require an appsecret_proof argument", "account", "demands proof of its secret"),
    (100, None, "The ids query parameter is deprecated", "media", "removed the ids parameter"),
    (12, None, "(#12) This metric is deprecated", "media", "has ended one of the metrics"),
    (25, 2207050, "restricted", "account", "Log in to Instagram as this account"),
    (24, 2207006, "does not exist", "media", "deleted or expired"),
]


@pytest.mark.parametrize(("code", "subcode", "text", "kind", "said"), ADVICE)
def test_the_message_says_what_happened(
    code: int, subcode: int | None, text: str, kind: SubjectKind, said: str
) -> None:
    """Errors of one class have several causes, and each its own cure."""
    assert said in classify(_error(code, subcode, text), request=_request(kind), http_status=400).message


@pytest.mark.parametrize(
    ("code", "subcode", "text", "may_be_size"),
    [
        (1, None, "Please reduce the amount of data you're asking for", True),
        (1, None, "An unknown error has occurred.", True),
        (1, 99, "An unknown error has occurred.", True),
        (2, None, "Service temporarily unavailable", True),
        (-3, None, "who knows", True),
        (-1, 2207001, "Instagram server error. Try again", False),
        (1200, None, "Temporary failure", False),
        (4, None, "too many calls", False),
        (190, None, "token", False),
        (77777, None, "who knows", False),
    ],
)
def test_some_errors_may_be_about_the_size(code: int, subcode: int | None, text: str, may_be_size: bool) -> None:
    """Meta has said so in many texts (META-21): a smaller page may be answered."""
    found = map_error(_error(code, subcode, text), request=_request("account"), http_status=500)
    assert found.may_be_size is may_be_size


@pytest.mark.parametrize(
    ("code", "status", "may_be_size"), [(1200, 503, False), (1200, 504, True), (4, 504, False), (190, 504, False)]
)
def test_a_gateway_that_waited_too_long_may_be_about_the_size(code: int, status: int, may_be_size: bool) -> None:
    """Only of what is worth a retry: a limit or a token stays what it is."""
    found = map_error(_error(code, None, "text"), request=_request("account"), http_status=status)
    assert found.may_be_size is may_be_size


@pytest.mark.parametrize(
    ("code", "text", "tries"),
    [(1, "reduce the amount of data", 2), (1, "unknown", 1000), (1200, "temporary", 1000), (4, "limit", 0)],
)
def test_how_often_it_is_tried(code: int, text: str, tries: int) -> None:
    """A page that is too large is asked once more; a server's trouble as often as the client may; a limit never."""
    found = map_error(_error(code, None, text), request=_request("account"), http_status=500)
    assert not tries or found.is_retryable_after(tries - 1)
    assert found.is_retryable_after(tries) is (tries == 1000)


@pytest.mark.parametrize("code", [0, 6, 199, 300, 614, -2])
def test_the_code_beside_a_known_one_is_unknown(code: int) -> None:
    """No row takes what Meta never said."""
    assert type(classify(_error(code, None, "?"), request=_request("media"), http_status=400)) is FatalGraphError


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500, 503])
def test_the_http_status_does_not_decide(status: int) -> None:
    """A code that the table knows means the same under any HTTP status."""
    for code, subcode, text, kind, expected, _ in CASES:
        if expected is not FatalGraphError:
            error = classify(_error(code, subcode, text), request=_request(kind), http_status=status)
            assert type(error) is expected


def test_every_row_is_reached() -> None:
    """No row of the table stands behind another that takes all its cases."""
    reached = set()
    cases = [(_error(code, sub, text), _request(kind)) for code, sub, text, kind, _, _ in CASES]
    for error, request in cases:
        facts = classify(error, request=request, http_status=400).facts
        row = next(
            (place for place, row in enumerate(ERROR_CODES) if row.matches(facts, error["message"], request)), None
        )
        reached.add(row)
    assert reached - {None} == set(range(len(ERROR_CODES)))


def test_a_server_error_is_no_refusal() -> None:
    """Code 1 names no cause, so it never says that a metric does not have the breakdown asked for, however often."""
    request = _request("account", metric="reach", breakdown="age")
    found = map_error(_error(1, None, "An unknown error has occurred."), request=request, http_status=500)
    assert type(found.error) is ServerTrouble
    assert found.is_retryable_after(100)


@pytest.mark.parametrize(("code", "subcode", "text", "kind", "expected", "retryable"), CASES)
def test_is_transient_decides_nothing_that_the_table_knows(
    code: int, subcode: int | None, text: str, kind: SubjectKind | None, expected: type[InsightsError], retryable: bool
) -> None:
    """A row decides before is_transient: a refusal and a limit stay so; only what no row knows is tried again."""
    error = {**_error(code, subcode, text), "is_transient": True}
    found = map_error(error, request=_request(kind), http_status=400)
    known = expected is not FatalGraphError
    assert (type(found.error), found.retryable) == ((expected, retryable) if known else (ServerTrouble, True))


def test_an_unknown_code_is_transient_where_meta_says_so() -> None:
    """is_transient makes an unknown code worth a retry; a known code keeps its meaning."""
    unknown = map_error({**_error(77777, None, "?"), "is_transient": True}, request=_request("media"), http_status=400)
    assert (type(unknown.error), unknown.retryable) == (ServerTrouble, True)
    limit = map_error({**_error(4, None, "limit"), "is_transient": True}, request=_request("media"), http_status=403)
    assert (type(limit.error), limit.retryable) == (Throttled, False)


@pytest.mark.parametrize(("flag", "is_transient"), [("true", True), (1, True), ("false", False), ("yes", False)])
def test_is_transient_in_other_spellings(flag: object, is_transient: bool) -> None:
    """It is read as every flag of Meta's is."""
    error = {**_error(77777, None, "?"), "is_transient": flag}
    assert map_error(error, request=_request("media"), http_status=400).retryable is is_transient


@pytest.mark.parametrize(
    "error", ["Service Unavailable", {"message": "upstream connect error"}, ["x", "y"], {"code": ""}]
)
@pytest.mark.parametrize(("status", "retryable"), [(500, True), (503, True), (599, True), (400, False), (499, False)])
def test_an_error_without_a_code_is_a_gateways(error: object, status: int, retryable: bool) -> None:
    """Meta's errors have a code: what has none comes from what stands in between, whose trouble passes."""
    found = map_error(error, request=_request("media"), http_status=status)
    assert (type(found.error), found.retryable) == ((ServerTrouble if retryable else FatalGraphError), retryable)


def test_an_error_in_a_list_of_one() -> None:
    """It means what it means without its list; of a longer one nobody knows which decides, so all are quoted."""
    listed = [_error(190, 463, "Session has expired")]
    assert type(classify(listed, request=_request("account"), http_status=400)) is TokenExpired
    found = classify([*listed, _error(4, None, "limit")], request=_request("account"), http_status=400)
    assert type(found) is FatalGraphError
    assert "Session has expired" in found.message
    assert "limit" in found.message


def test_an_unknown_code_with_429_is_a_limit() -> None:
    """Where no row knows the code, HTTP 429 still says what it is."""
    assert type(classify(_error(77777, None, "?"), request=_request("media"), http_status=429)) is Throttled


@pytest.mark.parametrize("error", ["a text", None, [], {}, {"code": "x"}, {"code": None, "message": None}])
def test_an_error_of_no_known_shape_is_fatal(error: object) -> None:
    """Whatever stands under "error", classification names the subject and does not fail itself."""
    found = classify(error, request=_request("media"), http_status=400)
    assert type(found) is FatalGraphError
    assert "media 4711" in found.message


def test_user_texts_are_quoted_too() -> None:
    """The title and message for users say more than "Invalid parameter", so they are quoted, each text once."""
    error = {**_error(100, 2108006, "Invalid parameter"), "error_user_title": "Too old", "error_user_msg": "Too old"}
    found = classify(error, request=_request("media"), http_status=400)
    assert found.message.endswith("Meta said: Invalid parameter / Too old")


def test_a_long_text_is_cut_after_redaction() -> None:
    """Meta's text is redacted first, then cut, so half a token cannot remain."""
    text = "x" * 590 + " EAAGm0PX4ZCpsBAKZCyc9 " + "y" * 500
    found = classify(_error(100, None, text), request=_request("media"), http_status=400)
    assert found.message.endswith("x *** yyyyy…")


def test_a_limit_says_how_long() -> None:
    """A rate limit carries the seconds that the headers named, else the documented default."""
    with_time = map_error(_error(4, None, "limit"), request=_request("account"), http_status=403, retry_after=420).error
    without_time = classify(_error(4, None, "limit"), request=_request("account"), http_status=403)
    assert (getattr(with_time, "retry_after", 0), getattr(without_time, "retry_after", 0)) == (420, DEFAULT_BLOCK)
    assert "try again in 7 minutes" in with_time.message
    assert "try again in 60 minutes" in without_time.message


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 1), (60, 1), (61, 2), (3600, 60), (3660, 61)])
def test_a_limit_is_told_in_whole_minutes(seconds: int, minutes: int) -> None:
    """Rounded up: who tries a minute too early prolongs the block."""
    found = map_error(_error(4, None, "limit"), request=_request("account"), http_status=403, retry_after=seconds)
    assert f"try again in {minutes} minutes" in found.error.message


@pytest.mark.parametrize(("length", "is_cut"), [(599, False), (600, False), (601, True)])
def test_a_text_that_just_fits_is_whole(length: int, is_cut: bool) -> None:
    """A cut is visible, and nothing else looks cut."""
    message = classify(_error(100, None, "x" * length), request=_request("media"), http_status=400).message
    assert message.endswith(f"Meta said: {'x' * min(length, 600)}{'…' if is_cut else ''}")


def test_errors_cross_processes() -> None:
    """A classified error survives pickling with message, facts and seconds, also a subclass."""
    for code, text in ((4, "limit"), (1, "reduce the amount of data")):
        error = classify(_error(code, None, text), request=_request("account"), http_status=403)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.retry_after) == (type(error), str(error), error.retry_after)


@pytest.mark.parametrize(
    ("reply", "expected", "retryable"),
    [
        (Reply(problem="no_answer", detail="host: refused"), ServerTrouble, True),
        (Reply(problem="timed_out", detail="host: no answer in time"), ServerTrouble, True),
        (Reply(problem="cut", detail="host: cut"), BrokenResponse, True),
        (Reply(problem="not_a_list", status=200, detail="x"), BrokenResponse, True),
        (Reply(problem="too_large", detail="x"), TooMuchData, False),
        (Reply(problem="unsupported_proxy", detail="x"), ConfigurationError, False),
        (Reply(problem="not_json", status=200, detail="x"), BrokenResponse, True),
        (Reply(problem="not_json", status=403, detail="x"), BrokenResponse, True),
        (Reply(problem="not_json", status=502, detail="x"), ServerTrouble, True),
        (Reply(problem="not_json", status=429, detail="x"), Throttled, False),
        (Reply(problem="redirect", status=302, detail="x"), ConfigurationError, False),
    ],
)
def test_a_transport_problem_means_what_to_do(reply: Reply, expected: type[InsightsError], retryable: bool) -> None:
    """What is no answer of the Graph API is classified by what happened to it."""
    found = map_transport_problem(reply, Call(_request("media")))
    assert (type(found.error), found.retryable) == (expected, retryable)
    assert "media 4711" in found.error.message
    assert found.error.message.endswith(f"Seen: {reply.detail}.")


@pytest.mark.parametrize("problem", get_args(TransportProblem))
def test_which_transport_problems_may_be_about_the_size(problem: TransportProblem) -> None:
    """A server that works too long looks like one that is down; an answer beyond the limit is too large for sure."""
    found = map_transport_problem(Reply(problem=problem, detail="x"), Call(_request("media")))
    assert found.may_be_size is (problem in ("timed_out", "too_large"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(428, BrokenResponse), (429, Throttled), (430, BrokenResponse), (499, BrokenResponse), (500, ServerTrouble)],
)
def test_the_status_decides_where_there_is_nothing_else(status: int, expected: type[InsightsError]) -> None:
    """A body that is no JSON has no code; any other problem is what it is, whatever the status."""
    call = Call(_request("media"))
    assert type(map_transport_problem(Reply(problem="not_json", status=status, detail="x"), call).error) is expected
    assert type(map_transport_problem(Reply(problem="cut", status=status, detail="x"), call).error) is BrokenResponse


def test_every_transport_problem_has_a_row() -> None:
    """A reply with any problem can be mapped."""
    assert set(TRANSPORT_PROBLEMS) == set(get_args(TransportProblem))


def test_a_reply_without_a_problem_is_not_mapped() -> None:
    """Mapping a reply without a problem is a mistake of the caller."""
    with pytest.raises(ValueError, match="no problem that could be mapped"):
        map_transport_problem(Reply(status=200, payload={}), Call(_request("media")))


@pytest.mark.parametrize("place", ["message", "error_user_title", "error_user_msg"])
def test_texts_of_meta_hide_nothing(place: str) -> None:
    """Control and direction marks in Meta's texts are spelt out in the message and in what the facts quote."""
    found = classify({"code": 100, place: "a\x1b[2J\u202eb\nc"}, request=_request("media"), http_status=400)
    assert found.facts.said == r"a\x1b[2J\u202eb\nc"
    assert str(found).isprintable()


@pytest.mark.parametrize(
    ("trace", "kept"),
    [("A1b2_-c", "A1b2_-c"), (7, "7"), ("a b", None), ("x\x1b", None), ([], None), ({}, None), ("x" * 65, None)],
)
def test_a_trace_is_one_or_left_out(trace: object, kept: str | None) -> None:
    """The trace id is shown where it reads as one."""
    error = {"code": 100, "message": "x", "fbtrace_id": trace}
    assert classify(error, request=_request("media"), http_status=400).facts.fbtrace_id == kept


def test_a_trace_that_is_a_token_is_hidden() -> None:
    """It is in the facts, which logs and tables show."""
    error = {"code": 100, "message": "x", "fbtrace_id": "EAAGm0PX4ZCpsBAKZ"}
    assert classify(error, request=_request("media"), http_status=400).facts.fbtrace_id == "***"


@pytest.mark.parametrize("value", [[], {}, True, 1.5, "x", 1e300, 10**400, "9" * 5000, "\u0661"])
def test_a_code_that_is_none_is_unknown(value: object) -> None:
    """A code of no known shape is no code, and reading it does not fail."""
    found = classify(
        {"code": value, "error_subcode": value, "message": value}, request=_request("media"), http_status=400
    )
    assert (found.facts.code, found.facts.subcode) == (None, None)
