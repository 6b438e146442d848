"""What Meta's error codes mean, as data: one row per meaning, read from top to bottom, the first row that fits decides.

Codes and subcodes decide, never the HTTP status (Meta sends rate limits as 400 or 403 and a retirement as 500). Texts
follow the language of the token's owner, so they only decide where one code has two meanings. Sources: Meta's pages on
error handling and rate limiting of the Graph API and on Instagram insights, and answers that users published.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BeyondHistory,
    BrokenResponse,
    ConfigurationError,
    FatalGraphError,
    GraphFacts,
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
from airflow_provider_iginsights.graph.messages import GraphRequest, SubjectKind, TransportProblem


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A row: what happened, then the conditions. An empty condition always holds.

    :param advice: what happened and what to do; ``{whom}`` is the subject, ``{minutes}`` how long a limit lasts.
    :param says: regular expression on Meta's text, for codes with two meanings.
    :param about: kinds of subject that the request must be about.
    :param retryable: worth a quick retry before it counts.
    :param most_tries: how often it is tried at most, where that is less than the client's patience; 0 = as patient.
    :param may_be_size: it also answers, or may answer, what asks for too much at once.
    """

    error: type[InsightsError]
    advice: str
    codes: Collection[int] = ()
    subcodes: Collection[int] = ()
    says: str = ""
    about: Collection[SubjectKind] = ()
    retryable: bool = False
    most_tries: int = 0
    may_be_size: bool = False

    def fits(self, facts: GraphFacts, text: str, request: GraphRequest) -> bool:
        """Return whether every condition of the row holds."""
        return (
            (not self.codes or facts.code in self.codes)
            and (not self.subcodes or facts.subcode in self.subcodes)
            and (not self.about or (request.subject is not None and request.subject.kind in self.about))
            and (not self.says or re.search(self.says, text, re.IGNORECASE) is not None)
        )


_OBJECTS: Final[tuple[SubjectKind, ...]] = ("media", "story")
_TOKEN = {102, 190, 2500}

_RENEW = "Put a fresh token into the connection's password."
_GRANT = "The token or its app lacks a permission for {whom}. Grant it in Meta's App Dashboard, then renew the token."
_LIMIT = (
    "Meta's rate limit for {whom} is used up. Calls while blocked prolong the block: try again in {minutes} minutes."
)
_UNSEEN = "Fewer than five people saw {whom}: Meta shows no numbers for it. It is left out."
_GONE = "Meta does not know {whom}, or does not show it to this token: it is deleted or expired. It is left out."
_RESTRICTED = "Meta has restricted the account behind {whom} and shows no numbers for it. It is left out."
_RESTRICTED_ACCOUNT = (
    "Meta has restricted {whom} and shows nothing of it. Log in to Instagram as this account: the app says what to do."
)
_NO_ACCOUNT = "Meta does not know {whom}, or does not show it to this token. Check the id and the user's roles."
_DOWN = "Meta's servers failed to answer for {whom}, several times in a row. Try again later."

# META-19: stems of "permission" and "authorisation" in languages that Meta's texts come in.
_PERMISSION = (
    r"permis|permess|autori[sz]|authori[sz]|berechtig|разреш|доступ|yetki|izin|izni|권한|権限|权限|權限|สิทธิ์|إذن|अनुमति"
)

# META-18: no row looks at the HTTP status of an answer that has an error in it.
ERROR_CODES: Final[tuple[ErrorCode, ...]] = (
    # Subcodes that mean the same whatever code stands beside them (2108006 was seen with 100 and with 4).
    ErrorCode(
        MediaTooOld,
        "The media was posted before its account became a business account ({whom}): Meta never has insights for it.",
        subcodes={2108006},
    ),
    ErrorCode(
        TooFewFollowers, "Meta keeps this metric back, as too few people stand behind {whom}.", subcodes={2874010}
    ),
    ErrorCode(MetricRefused, "Meta has no such metric for {whom}.", {-1}, {2207086}),  # META-23
    # These say it of a media, also where the question was the account's: a listing fails for one of its media.
    ErrorCode(ObjectGone, _GONE, {24}, {2207006}),
    ErrorCode(ObjectGone, _RESTRICTED, {25}, {2207050}, about=_OBJECTS),
    ErrorCode(AccountUnavailable, _RESTRICTED_ACCOUNT, {25}, {2207050}),
    ErrorCode(MetricRefused, "Meta does not offer one of the fields for {whom}.", {9005, 36104}),
    # Limits of the app, the user, the Page and the business.
    ErrorCode(Throttled, _LIMIT, {4, 17, 32, 341, 613, 80001, 80002}),
    # Code 1 also answers pages that are too large.
    ErrorCode(
        TooMuchData,
        "Meta found the answer for {whom} too large. Ask for fewer fields or smaller pages.",
        {1},
        says="reduce the amount of data",
        retryable=True,
        most_tries=2,
        may_be_size=True,
    ),
    # META-20: none of these says what was wrong with the question, so nothing is learned about it. Meta lists
    # -1 / 2207001 as "server error, try again" (Instagram Platform, Error Codes), and -1 is its "no other code fits".
    # META-21: 1 (with subcode 99 or none), 2 and -3 have all meant too much data, too, in words that nobody can list
    # (Facebook PHP SDK 948, tap-facebook 65, Facebook Python Business SDK 136 and 510).
    ErrorCode(ServerTrouble, _DOWN, {-3, 1, 2}, retryable=True, may_be_size=True),
    ErrorCode(ServerTrouble, _DOWN, {-1, 1200}, retryable=True),
    # Tokens. Code 2500 also answers what cannot be read as a request.
    ErrorCode(
        ConfigurationError,
        "Meta does not know the Graph API version that the connection names. Correct api_version in its extras.",
        {2500},
        says="unknown path components",
    ),
    ErrorCode(
        ConfigurationError,
        "Meta could not read the fields asked of {whom}. Correct the names of metrics and fields.",
        {2500},
        says="syntax error",
    ),
    ErrorCode(TokenExpired, f"The token's user has removed the app. {_RENEW}", _TOKEN, {458}),
    ErrorCode(
        TokenExpired,
        f"Meta wants the token's user to log in and confirm the account first. {_RENEW}",
        _TOKEN,
        {459, 464},
    ),
    ErrorCode(TokenExpired, f"The token ended with a change of its user's password. {_RENEW}", _TOKEN, {460}),
    ErrorCode(TokenExpired, f"The token has expired; a system user's does not. {_RENEW}", _TOKEN, {463}),
    # A user's token sees many Pages: the role on one of them says nothing about the others.
    ErrorCode(
        AccountUnavailable,
        "The token's user has no role on the Page behind {whom} any more. Give it back at Meta, or renew the token.",
        {190},
        {492},
        about=("account", *_OBJECTS),
    ),
    ErrorCode(TokenExpired, f"The token's user has lost the role on its Page. {_RENEW}", _TOKEN, {492}),
    ErrorCode(TokenExpired, f"Meta did not accept the token: it is missing, malformed or revoked. {_RENEW}", _TOKEN),
    # META-22: code 10 has two meanings for a story. In a language that no row knows it counts as the viewers' one: a
    # permission that is missing shows itself on the account's other calls, while a story left out harms nobody.
    ErrorCode(TooFewViewers, _UNSEEN, {10}, says="not enough viewers"),
    ErrorCode(PermissionMissing, _GRANT, {10}, says=_PERMISSION),
    ErrorCode(TooFewViewers, _UNSEEN, {10}, about={"story"}),
    ErrorCode(PermissionMissing, _GRANT, {3, 10, *range(200, 300)}),
    ErrorCode(
        PolicyBlocked,
        "Meta has blocked the app or its user for policy reasons. Stop its Dags and look at the App Dashboard.",
        {368},
    ),
    # Code 100, something wrong with the request: what exactly, only subcode, text and subject tell.
    ErrorCode(
        ConfigurationError,
        "The connection's app_secret does not belong to the app that issued the token. Correct one of the two.",
        {100},
        says="invalid appsecret_proof",
    ),
    ErrorCode(
        ConfigurationError,
        "The token's app demands proof of its secret with every call. Put app_secret into the connection's extras.",
        {100},
        says="appsecret_proof",
    ),
    ErrorCode(
        ConfigurationError,
        "Meta has removed the ids parameter, which the request for {whom} uses. Ask for single objects or a batch.",
        {100},
        says=r"\bids\b.*\bdeprecated",
    ),
    ErrorCode(ObjectGone, _GONE, {100}, {33}, about=_OBJECTS),
    ErrorCode(ObjectGone, _GONE, {24, 33, 803}, about=_OBJECTS),
    # Which fields a node has depends on what it is: of a Page every field of an account is missing.
    ErrorCode(
        AccountUnavailable,
        "The id of {whom} is that of a Facebook Page, a person, a portfolio or an app. Give the id of the Instagram "
        "account; a Page's is its instagram_business_account.",
        {100},
        says=r"\bnode type \((?!(?:Shadow)?(?:IG|Instagram))\w+\)",
        about={"account"},
    ),
    ErrorCode(MetricRefused, "Meta has ended one of the metrics or fields asked of {whom}.", {12}),
    ErrorCode(AccountUnavailable, _NO_ACCOUNT, {100}, {33}),
    ErrorCode(AccountUnavailable, _NO_ACCOUNT, {803}),
    # since and until are Pacific midnights, in order and at most 30 days apart: all that is left is that since is too
    # old. Meta translates its texts, the parameter's name stays.
    ErrorCode(
        BeyondHistory,
        "Meta no longer has the numbers of this day for {whom}: it is the oldest that it may keep.",
        {100},
        says=r"\bsince\b(?!.*\buntil\b)",
        about={"account"},
    ),
    ErrorCode(MetricRefused, "Meta refused a metric or parameter for {whom}.", {100}, about={"account", *_OBJECTS}),
    ErrorCode(ConfigurationError, "Meta refused a parameter of the request for {whom}. Correct it.", {100}),
)

UNKNOWN: Final = ErrorCode(
    FatalGraphError,
    "Meta answered {whom} with an error that this release does not know. Look its code up in Meta's error reference.",
)
UNKNOWN_TRANSIENT: Final = ErrorCode(ServerTrouble, _DOWN, retryable=True)
UNKNOWN_LIMIT: Final = ErrorCode(Throttled, _LIMIT)

TRANSPORT_PROBLEMS: Final[Mapping[TransportProblem, ErrorCode]] = {
    "no_answer": ErrorCode(
        ServerTrouble,
        "No answer for {whom} after several tries. Check the network, the proxy and Meta's status; try again.",
        retryable=True,
    ),
    # A server that still works on an answer which is too large looks the same as one that is down.
    "timed_out": ErrorCode(
        ServerTrouble,
        "No answer for {whom} in time, several times in a row. Check the network and Meta's status; try again.",
        retryable=True,
        may_be_size=True,
    ),
    "cut": ErrorCode(
        BrokenResponse,
        "The answer for {whom} broke off each time. Check the network and the proxy, then try again.",
        retryable=True,
    ),
    "not_json": ErrorCode(
        BrokenResponse,
        "The answer for {whom} was not the Graph API's each time. Check the proxy and Meta's status; try again.",
        retryable=True,
    ),
    # An empty account has an empty list: an answer without any says nothing about it.
    "not_a_list": ErrorCode(
        BrokenResponse,
        "The answer for {whom} was no list, as this question has to be answered. Try again later.",
        retryable=True,
    ),
    "too_large": ErrorCode(
        TooMuchData,
        "The answer for {whom} is larger than one answer may be. Ask for fewer fields or smaller pages.",
        may_be_size=True,
    ),
    "redirect": ErrorCode(
        ConfigurationError,
        "The answer for {whom} points to another address, which is not followed, since the token would travel there."
        " Check the connection's host and the proxy.",
    ),
}
