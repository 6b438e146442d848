"""Meta's error answers: each kind one row with its code, subcode, type, HTTP status and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ERRORS", "GraphError", "fail"]


class GraphError(Exception):
    """An answer of the form ``{"error": {...}}`` that ends the call."""

    def __init__(self, kind: Kind, message: str) -> None:
        """Carry the kind's numbers and the finished message."""
        super().__init__(message)
        self.kind = kind
        self.message = message

    def body(self, trace_id: str) -> dict[str, Any]:
        """Return the answer's JSON body; keys that the kind does not set are absent."""
        kind = self.kind
        error: dict[str, Any] = {"message": self.message, "type": kind.type, "code": kind.code}
        optional = {
            "error_subcode": kind.subcode,
            "is_transient": kind.is_transient,
            "error_user_title": kind.user_title,
            "error_user_msg": kind.user_message,
        }
        error.update({name: value for name, value in optional.items() if value is not None})
        return {"error": {**error, "fbtrace_id": trace_id}}

    def headers(self) -> dict[str, str]:
        """Return the headers that only this answer carries."""
        if self.kind.code != 190:
            return {}
        return {"WWW-Authenticate": f'OAuth "Facebook Platform" "invalid_token" "{self.message}"'}


@dataclass(frozen=True, slots=True)
class Kind:
    """What all errors of one kind share. ``text`` is a format string."""

    code: int
    text: str
    subcode: int | None = None
    http: int = 400
    type: str = "OAuthException"
    is_transient: bool | None = None
    user_title: str | None = None
    user_message: str | None = field(default=None)


def fail(name: str, /, **values: object) -> GraphError:
    """Return the error of the table's row ``name`` with its text filled in, ready to raise."""
    kind = ERRORS[name]
    return GraphError(kind, kind.text.format(**values))


_METHOD = "GraphMethodException"

ERRORS: Mapping[str, Kind] = {
    "no_token": Kind(190, "Invalid OAuth access token."),
    "no_active_token": Kind(2500, "An active access token must be used to query information about the current user."),
    "bad_token": Kind(190, "Invalid OAuth access token - Cannot parse access token"),
    "bad_app_token": Kind(190, "Invalid OAuth access token signature."),
    "no_app": Kind(101, "Error validating application. Cannot get application info due to a system error."),
    "wrong_secret": Kind(1, "Error validating client secret."),
    "token_of_other_app": Kind(1, "The access token does not belong to application {app_id}"),
    "other_app": Kind(100, "(#100) The App_id in the input_token did not match the Viewing App"),
    "expired_token": Kind(
        190,
        "Error validating access token: Session has expired on {expired}. The current time is {now}.",
        subcode=463,
    ),
    "proof_missing": Kind(100, "API calls from the server require an appsecret_proof argument", type=_METHOD),
    "proof_wrong": Kind(100, "Invalid appsecret_proof provided in the API argument", type=_METHOD),
    "no_permission": Kind(10, "(#10) Application does not have permission for this action"),
    "no_permission_for_field": Kind(
        10, "(#10) Application does not have permission to read field ({field}) on node type ({node})"
    ),
    "no_object": Kind(
        100,
        "Unsupported {method} request. Object with ID '{id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation",
        subcode=33,
        type=_METHOD,
    ),
    "unknown_path": Kind(2500, "Unknown path components: /{path}"),
    "unsupported": Kind(100, "Unsupported {method} request.", type=_METHOD),
    "unsupported_method": Kind(100, "Unsupported request - method type: {method}", type="IGApiException"),
    "ids_gone": Kind(100, "The ids query parameter is deprecated in v26.0+", http=500),
    "no_field": Kind(100, "(#100) Tried accessing nonexisting field ({field}) on node type ({node})"),
    "view_count": Kind(36104, "(#36104) This field is only available through Business Discovery"),
    "bad_syntax": Kind(2500, 'Syntax error "{what}" at character {at}: {text}'),
    "required": Kind(100, "(#100) The parameter {name} is required"),
    "not_in_enum": Kind(100, "(#100) {name} must be one of the following values: {values}"),
    "needs_total_value": Kind(
        100, "(#100) The following metrics ({metrics}) should be specified with parameter metric_type=total_value"
    ),
    "not_that_type": Kind(100, "(#100) The following metric ({metrics}) is incompatible with the metric type ({type})"),
    "not_that_period": Kind(100, "(#100) The following periods ({period}) are incompatible with the metric ({metric})"),
    "not_that_breakdown": Kind(100, "(#100) Incompatible breakdowns ({breakdown}) for metric ({metric})"),
    "not_that_timeframe": Kind(100, "(#100) Incompatible timeframe ({timeframe}) for metric ({metric})"),
    "bad_cursor": Kind(100, "(#100) Invalid cursors values provided"),
    "bad_limit": Kind(100, "(#100) param limit must be non-negative."),
    "bad_batch": Kind(100, "(#100) param batch must be an array."),
    "bad_time": Kind(100, "(#100) {name} param must be a UNIX timestamp or a date string"),
    "wrong_order": Kind(100, "(#100) since param must be smaller than until param"),
    "over_30_days": Kind(100, "(#100) There cannot be more than 30 days (2592000 s) between since and until."),
    "over_2_years": Kind(100, "(#100) since param is not valid. Metrics data is available for the last 2 years"),
    "over_30_days_ago": Kind(
        100, "(#100) ({metric}) metric only supports querying data for the last 30 days excluding the current day"
    ),
    "not_enough_users": Kind(
        10, "(#10) Not enough users", subcode=2874010, user_title="Not enough users", user_message="Not enough users"
    ),
    "not_this_product": Kind(
        100, "(#100) The Media Insights API does not support the {metric} metric for this media product type."
    ),
    "impressions_gone": Kind(
        100,
        "(#100) Starting from version v22.0 and above, the impressions metric is no longer supported for the queried "
        "media",
    ),
    "fatal": Kind(-1, "Fatal", subcode=2207086),
    "before_business": Kind(
        100,
        "Invalid parameter",
        subcode=2108006,
        is_transient=False,
        type="IGApiException",
        user_title="Media Posted Before Business Account Conversion",
        user_message="The media was posted before the most recent time that the user's account was converted to a "
        "business account from a personal account.",
    ),
    "few_viewers": Kind(10, "(#10) Not enough viewers for the media to show insights"),
    "reduce": Kind(1, "(#1) Please reduce the amount of data you're asking for, then retry your request", http=500),
    "batch_size": Kind(100, "Too many requests in batch message. Maximum batch size is 50", type="GraphBatchException"),
    "app_limit": Kind(4, "(#4) Application request limit reached", http=403, is_transient=True),
    "account_limit": Kind(
        80002,
        "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again. For more info, "
        "please refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.",
    ),
    "unknown": Kind(1, "An unknown error has occurred.", http=500),
    "service": Kind(2, "Service temporarily unavailable", http=500, is_transient=True),
}
