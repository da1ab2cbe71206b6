"""What a socket that sent a SYN would believe: the rule by which a segment may decide a probe.

It is the rule of the Linux kernel (net/ipv4/tcp_input.c, tcp_rcv_synsent_state_process), in its order, because a
verdict is about what a real client gets. Form and checksum are asked before, in `replies`, and the tuple in `scan`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from probe.core.columns import Bools, Bytes
from probe.core.replies import ACK, RST, SYN

U32 = npt.NDArray[np.uint32]


def acceptable(
    flags: Bytes,
    ack: U32,
    tsecr: U32,
    has_timestamp: Bools,
    *,
    cookie: U32,
    since: U32 | int,
    until: U32 | int,
) -> Bools:
    """One bool per segment: it ends the wait of the SYN with sequence number `cookie`, by a reset if RST is set.

    `since` and `until` are the timestamps (TSval) of the first SYN of that tuple, and of now. All arithmetic is modulo
    2^32. What else a segment carries does not matter: FIN, URG, PSH, ECN bits, data and a window of 0 change nothing.
    """
    # RFC 9293 section 3.10.7.3, first: nothing but our SYN is in flight, so only one acknowledgement is acceptable, and
    # a segment without ACK decides nothing (a crossed SYN would only begin another handshake).
    acknowledges = (flags & ACK != 0) & (ack == cookie + np.uint32(1))
    # RFC 7323 section 5.2: an echo of what was never sent is an old duplicate or a forgery, resets included. An echo of
    # zero is none (PAWSACTIVEREJECTED).
    first, now = np.asarray(since, np.uint32), np.asarray(until, np.uint32)
    echoes = ~has_timestamp | (tsecr == 0) | (tsecr - first <= now - first)
    # Second and fifth: RST, looked at before SYN, or SYN; else the segment is dropped.
    result: Bools = acknowledges & echoes & (flags & (SYN | RST) != 0)
    return result
