"""The rule of a SYN-SENT socket, against the same rule told in whole numbers and in the RFC's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.core.validity import acceptable
from tests.core.slow_replies import believed

words = st.integers(0, 2**32 - 1)
near = st.integers(-3, 3)


def ask(flags: int, ack: int, tsecr: int | None, cookie: int, since: int, until: int) -> bool:
    (answer,) = acceptable(
        np.array([flags], np.uint8),
        np.array([ack], np.uint32),
        np.array([tsecr or 0], np.uint32),
        np.array([tsecr is not None]),
        cookie=np.array([cookie], np.uint32),
        since=since,
        until=np.array([until], np.uint32),
    )
    return bool(answer)


@given(st.integers(0, 255), near, st.none() | near | words, words, words, st.integers(0, 5000))
@example(0x12, 1, None, 2**32 - 1, 0, 0)  # our sequence number is the last: the acknowledgement is 0
@example(0x12, 1, 0, 7, 2**32 - 1, 1)  # the timestamp clock wraps between two attempts
def test_it_is_the_rfc(flags: int, ack: int, echo: int | None, cookie: int, since: int, elapsed: int) -> None:
    ack, until = (cookie + ack) % 2**32, (since + elapsed) % 2**32
    tsecr = None if echo is None else (since + echo) % 2**32
    assert ask(flags, ack, tsecr, cookie, since, until) is (believed(flags, ack, tsecr, cookie, since, until) != "")


@pytest.mark.parametrize(
    "flags, ack, tsecr, accepted",
    [
        pytest.param(0x12, 8, None, True, id="SYN-ACK"),
        pytest.param(0x14, 8, None, True, id="reset"),
        pytest.param(0x16, 8, None, True, id="SYN-ACK with RST: a reset"),
        pytest.param(0x13, 8, None, True, id="SYN-ACK with FIN"),
        pytest.param(0x3A, 8, None, True, id="SYN-ACK with PSH and URG"),
        pytest.param(0x12, 7, None, False, id="acknowledges nothing"),
        pytest.param(0x12, 9, None, False, id="acknowledges too much"),
        pytest.param(0x04, 8, None, False, id="reset without ACK"),
        pytest.param(0x02, 8, None, False, id="crossed SYN"),
        pytest.param(0x10, 8, None, False, id="bare ACK"),
        pytest.param(0x11, 8, None, False, id="FIN-ACK"),
        pytest.param(0x12, 8, 0, True, id="no echo"),
        pytest.param(0x12, 8, 1000, True, id="echo of the first SYN"),
        pytest.param(0x12, 8, 3000, True, id="echo of now"),
        pytest.param(0x12, 8, 999, False, id="echo from before"),
        pytest.param(0x12, 8, 3001, False, id="echo from the future"),
        pytest.param(0x14, 8, 999, False, id="reset with an echo from before"),
    ],
)
def test_the_table(flags: int, ack: int, tsecr: int | None, accepted: bool) -> None:
    assert ask(flags, ack, tsecr, 7, 1000, 3000) is accepted
