"""The way to Meta is short: few frames of ours lie between a reading and the HTTP library."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import measure_frames

MOST_FRAMES = 9


@pytest.mark.parametrize("read", [measure_frames.read_batch, measure_frames.read_one, measure_frames.read_page])
@pytest.mark.parametrize("login", ["facebook", "instagram"])
def test_the_way_from_the_client_to_requests_is_short(read: Callable[..., None], login: str) -> None:
    """From the client's method to ``requests``, both ways of asking for many included, at most nine frames are ours."""
    frames = measure_frames.measure_graph(read, login=login)
    assert frames[0].startswith(("graph/client.py GraphClient.", "graph/paging.py read_pages"))
    assert frames[-1].startswith("graph/transport.py")
    assert len(frames) <= MOST_FRAMES, "\n".join(frames)


def test_there_is_one_retry_loop_on_the_way() -> None:
    """No retry stands inside a retry: whatever is asked, its tries and its time are bounded once."""
    frames = measure_frames.measure_graph(measure_frames.read_batch)
    assert [frame for frame in frames if "retry" in frame] == ["graph/retry.py Retrier.call"]
