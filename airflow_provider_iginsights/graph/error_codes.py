"""The meaning of Meta's error codes, as data: one row per meaning. The first row that matches decides.

Codes and subcodes decide, never the HTTP status: Meta sends rate limits as 400 or 403, and a retired field as 500.
Texts are in the language of the token's owner, so they decide only where one code has two meanings. Sources: Meta's
pages on error handling and rate limiting of the Graph API and on Instagram insights, and answers that users published.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BeyondHistory,
    ConfigurationError,
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
from airflow_provider_iginsights.graph.messages import GraphRequest, SubjectKind


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A row: the error class, the message, then the conditions. An empty condition always holds.

    :param advice: what happened and what to do; ``{whom}`` is the subject, ``{minutes}`` how long a limit lasts.
    :param text_pattern: regular expression for Meta's text, for codes with two meanings.
    :param subjects: kinds of subject that the request must have.
    :param retryable: whether a retry may help.
    :param max_tries: number of tries where it is lower than the client's limit; 0 = the client's limit.
    :param may_be_size: the cause may be that the request asks for too much at once.
    """

    error: type[InsightsError]
    advice: str
    codes: Collection[int] = ()
    subcodes: Collection[int] = ()
    text_pattern: str = ""
    subjects: Collection[SubjectKind] = ()
    retryable: bool = False
    max_tries: int = 0
    may_be_size: bool = False

    def matches(self, facts: GraphFacts, text: str, request: GraphRequest) -> bool:
        """Return whether every condition of the row holds."""
        return (
            (not self.codes or facts.code in self.codes)
            and (not self.subcodes or facts.subcode in self.subcodes)
            and (not self.subjects or (request.subject is not None and request.subject.kind in self.subjects))
            and (not self.text_pattern or re.search(self.text_pattern, text, re.IGNORECASE) is not None)
        )


_MEDIA: Final[tuple[SubjectKind, ...]] = ("media", "story")
_TOKEN = {102, 190, 2500}

_RENEW = "Put a fresh token into the connection's password."
_EXPIRED = f"The token has expired; a system user's does not. {_RENEW}"
_NO_TOKEN = (
    "Meta found no token in the request: the connection's password holds a placeholder in its place, or a proxy takes "
    f"the header Authorization away. {_RENEW}"
)
_GRANT = "The token or its app lacks a permission for {whom}. Grant it in Meta's App Dashboard, then renew the token."
LIMIT: Final = (
    "Meta's rate limit for {whom} is used up. Calls while blocked prolong the block: try again in {minutes} minutes."
)
_UNSEEN = "Fewer than five people saw {whom}: Meta shows no numbers for it. It is left out."
_GONE = "Meta does not know {whom}, or does not show it to this token: it is deleted or expired. It is left out."
_RESTRICTED = "Meta has restricted the account behind {whom} and shows no numbers for it. It is left out."
_RESTRICTED_ACCOUNT = (
    "Meta has restricted {whom} and shows nothing of it. Log in to Instagram as this account: the app says what to do."
)
_NO_ACCOUNT = "Meta does not know {whom}, or does not show it to this token. Check the id and the user's roles."
_NO_TESTER = (
    "Meta takes no such request with {whom}. Add the account to the app as an Instagram tester and accept that in "
    "the Instagram app; a token can be refreshed when it is 24 hours old."
)
DOWN: Final = "Meta's servers failed to answer for {whom}, several times in a row. Try again later."

# META-19: Meta translates its texts, so this lists the stems of "permission" and "authorisation" per language.
_PERMISSION = (
    r"permis|permess|autori[sz]|authori[sz]|berechtig|разреш|доступ|yetki|izin|izni|권한|権限|权限|權限|สิทธิ์|إذن|अनुमति"
)

# META-38: the app itself is closed, which Meta says with the codes of a permission and of a token.
_APP_CLOSED = (
    r"\bapi access (?:blocked|disrupted|deactivated)|\bdata use checkup|application has been deleted"
    r"|disabled for non-active apps"
)
_NOT_FOUND = "does not exist, cannot be loaded due to missing permission"

# META-18: the HTTP status of an error answer says nothing, so no row has it as a condition.
ERROR_CODES: Final[tuple[ErrorCode, ...]] = (
    # These subcodes have one meaning with any code (2108006 was seen with 100 and with 4).
    ErrorCode(
        MediaTooOld,
        "The media was posted before its account became a business account ({whom}): Meta never has insights for it.",
        subcodes={2108006},
    ),
    ErrorCode(
        TooFewFollowers, "Meta keeps this metric back, as too few people stand behind {whom}.", subcodes={2874010}
    ),
    # META-23: -1 is no server error here.
    ErrorCode(MetricRefused, "Meta has no such metric for {whom}.", {-1}, {2207086}),
    # META-17: these are about a media even where the account was requested, since one post fails its whole page.
    ErrorCode(ObjectGone, _GONE, {24}, {2207006}),
    ErrorCode(ObjectGone, _RESTRICTED, {25}, {2207050}, subjects=_MEDIA),
    ErrorCode(AccountUnavailable, _RESTRICTED_ACCOUNT, {25}, {2207050}),
    ErrorCode(MetricRefused, "Meta does not offer one of the fields for {whom}.", {9005, 36104}),
    # Rate limits of the app, the user, the Page and the business (Meta: Graph API, Rate Limits).
    ErrorCode(Throttled, LIMIT, {4, 17, 32, 341, 613, 80001, 80002}),
    # META-21: code 1 is also the answer to a page that is too large.
    ErrorCode(
        TooMuchData,
        "Meta found the answer for {whom} too large. Ask for fewer fields or smaller pages.",
        {1},
        text_pattern="reduce the amount of data",
        retryable=True,
        max_tries=2,
        may_be_size=True,
    ),
    # META-37: an exchange answers with code 1, too, where the connection is wrong, and with 101.
    ErrorCode(
        ConfigurationError,
        "The connection's app_secret is not that of its app_id, or the token was issued by another app. Correct them.",
        {1},
        text_pattern="validating client secret|does not belong to application",
        subjects={"token"},
    ),
    ErrorCode(
        ConfigurationError, "Meta knows no app with the app_id of the connection. Correct it in its extras.", {101}
    ),
    # META-20: none of these says what was wrong with the request, so no metric is dropped for them. Meta lists
    # -1 / 2207001 as "server error, try again" (Instagram Platform, Error Codes); -1 stands for any other error.
    # META-21: 1 (with subcode 99 or none), 2 and -3 have all meant too much data, in many different texts
    # (Facebook PHP SDK 948, tap-facebook 65, Facebook Python Business SDK 136 and 510).
    ErrorCode(ServerTrouble, DOWN, {-3, 1, 2}, retryable=True, may_be_size=True),
    ErrorCode(ServerTrouble, DOWN, {-1, 1200}, retryable=True),
    ErrorCode(
        PolicyBlocked,
        "Meta has closed its API to the app: the app is blocked, deactivated or deleted, or its yearly Data Use "
        "Checkup is open. No new token helps: the App Dashboard says what to do. Stop its Dags until then.",
        {10, 190, 200},
        text_pattern=_APP_CLOSED,
    ),
    ErrorCode(
        TokenExpired,
        "The app may not act for the token's user any more: the user has no role on an app that is not live, or has "
        f"taken its permissions back. Give the user a role, or set the app live. {_RENEW}",
        {10, 200},
        text_pattern="cannot call api (?:for app|on behalf)",
    ),
    ErrorCode(
        PolicyBlocked,
        "The app takes no calls from the address of this worker. Add it to the Server IP allowlist in the App "
        "Dashboard, under Settings > Advanced.",
        {5},
    ),
    # Tokens. Code 2500 is also the answer to a request that Meta cannot parse.
    ErrorCode(
        ConfigurationError,
        "Meta does not know the Graph API version that the connection names. Correct api_version in its extras.",
        {2500},
        text_pattern="unknown path components",
    ),
    ErrorCode(
        ConfigurationError,
        "Meta could not read the fields asked of {whom}. Correct the names of metrics and fields.",
        {2500},
        text_pattern="syntax error",
    ),
    ErrorCode(TokenExpired, f"The token's user has removed the app. {_RENEW}", _TOKEN, {458}),
    ErrorCode(
        TokenExpired,
        f"Meta wants the token's user to log in and confirm the account first. {_RENEW}",
        _TOKEN,
        {459, 464, 490},
    ),
    ErrorCode(TokenExpired, f"The token ended with a change of its user's password. {_RENEW}", _TOKEN, {460}),
    ErrorCode(TokenExpired, _EXPIRED, _TOKEN, {463}),
    # Instagram Login names no subcode.
    ErrorCode(TokenExpired, _EXPIRED, _TOKEN, text_pattern="session has expired"),
    # A user's token may see many Pages, so a missing role on one Page says nothing about the token.
    ErrorCode(
        AccountUnavailable,
        "The token's user has no role on the Page behind {whom} any more. Give it back at Meta, or renew the token.",
        {190},
        {492},
        subjects=("account", *_MEDIA),
    ),
    ErrorCode(
        TokenExpired,
        f"The token's user has not used the app for 90 days: the access to the data ended. {_RENEW}",
        _TOKEN,
        {493},
    ),
    ErrorCode(TokenExpired, f"The token's user has lost the role on its Page. {_RENEW}", _TOKEN, {492}),
    ErrorCode(
        TokenExpired,
        "Meta did not accept the token, since it cannot read it: it was cut off, or it is one of the other login. A "
        "token of Instagram Login begins with IG and needs the host graph.instagram.com, one of Facebook Login begins "
        f"with EAA and needs graph.facebook.com. {_RENEW}",
        {190},
        text_pattern="cannot parse access token",
    ),
    ErrorCode(TokenExpired, f"Meta did not accept the token: it is missing, malformed or revoked. {_RENEW}", _TOKEN),
    # Without any token Meta asks for one, or for the id of an app, as if that were missing.
    ErrorCode(TokenExpired, _NO_TOKEN, {104}),
    ErrorCode(TokenExpired, _NO_TOKEN, {200}, text_pattern="provide valid app id"),
    # META-22: code 10 has two meanings for a story. In an unknown language it counts as "too few viewers": a missing
    # permission also fails the account's other requests, so it cannot stay unnoticed.
    ErrorCode(TooFewViewers, _UNSEEN, {10}, text_pattern="not enough viewers"),
    ErrorCode(PermissionMissing, _GRANT, {10}, text_pattern=_PERMISSION),
    ErrorCode(TooFewViewers, _UNSEEN, {10}, subjects={"story"}),
    ErrorCode(PermissionMissing, _GRANT, {3, 10, *range(200, 300)}),
    ErrorCode(
        PolicyBlocked,
        "Meta has blocked the app or its user for policy reasons. Stop its Dags and look at the App Dashboard.",
        {368},
    ),
    # Code 100 is a wrong request. Only subcode, text and subject say what is wrong.
    ErrorCode(
        ConfigurationError,
        "The connection's app_secret does not belong to the app that issued the token. Correct one of the two.",
        {100},
        text_pattern="invalid appsecret_proof",
    ),
    ErrorCode(
        ConfigurationError,
        "The token's app demands proof of its secret with every call. Put app_secret into the connection's extras.",
        {100},
        text_pattern="appsecret_proof",
    ),
    # graph.instagram.com answers so to the token of an account that has no role on an app without review, whatever is
    # asked, and to a token that it does not refresh.
    ErrorCode(PermissionMissing, _NO_TESTER, {100}, text_pattern="unsupported request - method type"),
    ErrorCode(
        ConfigurationError,
        "Meta has removed the ids parameter, which the request for {whom} uses. Ask for single objects or a batch.",
        {100},
        text_pattern=r"\bids\b.*\bdeprecated",
    ),
    ErrorCode(ObjectGone, _GONE, {100}, {33}, subjects=_MEDIA),
    ErrorCode(ObjectGone, _GONE, {100}, text_pattern=_NOT_FOUND, subjects=_MEDIA),
    ErrorCode(ObjectGone, _GONE, {24, 33, 803}, subjects=_MEDIA),
    # META-24: with the id of a Page, Meta says that each field of an account does not exist.
    ErrorCode(
        AccountUnavailable,
        "The id of {whom} is that of a Facebook Page, a person, a portfolio or an app. Give the id of the Instagram "
        "account; a Page's is its instagram_business_account.",
        {100},
        text_pattern=r"\bnode type \((?!(?:Shadow)?(?:IG|Instagram))\w+\)",
        subjects={"account"},
    ),
    ErrorCode(MetricRefused, "Meta has ended one of the metrics or fields asked of {whom}.", {12}),
    ErrorCode(AccountUnavailable, _NO_ACCOUNT, {100}, {33}),
    ErrorCode(AccountUnavailable, _NO_ACCOUNT, {100}, text_pattern=_NOT_FOUND),
    ErrorCode(AccountUnavailable, _NO_ACCOUNT, {803}),
    # META-05: since and until are Pacific midnights, in order and at most 30 days apart, so since can only be too old.
    # Meta translates its texts, but not the name of the parameter.
    ErrorCode(
        BeyondHistory,
        "Meta no longer has the numbers of this day for {whom}: it is the oldest that it may keep.",
        {100},
        text_pattern=r"\bsince\b(?!.*\buntil\b)",
        subjects={"account"},
    ),
    ErrorCode(MetricRefused, "Meta refused a metric or parameter for {whom}.", {100}, subjects={"account", *_MEDIA}),
    ErrorCode(ConfigurationError, "Meta refused a parameter of the request for {whom}. Correct it.", {100}),
)
