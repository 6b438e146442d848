"""What to do about an error that no row of ``error_codes`` knows, and about an answer that is not the Graph API's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_iginsights.errors import (
    BrokenResponse,
    ConfigurationError,
    FatalGraphError,
    ServerTrouble,
    Throttled,
    TooMuchData,
)
from airflow_provider_iginsights.graph.error_codes import DOWN, LIMIT, ErrorCode
from airflow_provider_iginsights.graph.messages import TransportProblem

UNKNOWN: Final = ErrorCode(
    FatalGraphError,
    "Meta answered {whom} with an error that this release does not know. Look its code up in Meta's error reference.",
)
UNKNOWN_TRANSIENT: Final = ErrorCode(ServerTrouble, DOWN, retryable=True)
UNKNOWN_LIMIT: Final = ErrorCode(Throttled, LIMIT)

TRANSPORT_PROBLEMS: Final[Mapping[TransportProblem, ErrorCode]] = {
    "no_answer": ErrorCode(
        ServerTrouble,
        "No answer for {whom} after several tries. Check the network, the proxy and Meta's status; try again.",
        retryable=True,
    ),
    # META-21: a server that works too long on a large answer looks the same as one that is down.
    "timed_out": ErrorCode(
        ServerTrouble,
        "No answer for {whom} in time, several times in a row. Check the network and Meta's status; try again.",
        retryable=True,
        may_be_size=True,
    ),
    "cut": ErrorCode(
        BrokenResponse,
        "The answer for {whom} was incomplete each time. Check the network and the proxy, then try again.",
        retryable=True,
    ),
    "not_json": ErrorCode(
        BrokenResponse,
        "The answer for {whom} was not the Graph API's each time. Check the proxy and Meta's status; try again.",
        retryable=True,
    ),
    # META-09: an empty account has an empty list, so an answer without a list is not "no data".
    "not_a_list": ErrorCode(
        BrokenResponse,
        "The answer for {whom} has no list of data, which this request must return. Try again later.",
        retryable=True,
    ),
    "too_large": ErrorCode(
        TooMuchData,
        "The answer for {whom} is larger than one answer may be. Ask for fewer fields or smaller pages.",
        may_be_size=True,
    ),
    "redirect": ErrorCode(
        ConfigurationError,
        "The answer for {whom} redirects to another address. It is not followed, since the token would be sent there."
        " Check the connection's host and the proxy.",
    ),
    "unsupported_proxy": ErrorCode(
        ConfigurationError,
        "Nothing was sent for {whom}: the environment names a SOCKS proxy, which is not supported, or a proxy whose "
        "address cannot be read. Set HTTPS_PROXY to an HTTP proxy (http://, and what is no letter or digit in its name "
        "or password percent-encoded), or list the Graph host in NO_PROXY.",
    ),
}
