"""Cases that probe does not get right yet, by reason. A case that has come right must leave this list: the tests fail
until it does. Only what luck decides (which packets are lost, how fast the machine is) may be right now and then.
"""

from __future__ import annotations

# Reason, and the ids that it keeps from being right. `id*` stands for both IP versions.
_SCRIPTED: dict[str, str] = {}
_OLD1 = {
    "nothing tells yet whose reset it is": """
        duplicated-reset ordinary-script* reset-with-a-message reset-with-a-sequence-number reset-with-options
        reset-with-push resets-with-another-ttl*
    """,
    "hosts that answer on every port are not noticed yet": "script-that-answers-on-every-port",
}
_IN_LAB: dict[str, str] = {}
_OLD2 = {
    "nothing tells yet whose reset it is": """
        closed-port-forwarded-to-another-host dropped-by-a-router* dropped-by-the-host*
        many-open-ports-are-not-every-port one-port-remarked-by-qos* one-port-zeroed-by-qos ordinary-desktop*
        ordinary-kernel* refused* refused-by-a-host-with-no-open-port* reset-by-a-rule-on-a-host-with-no-open-port
        reset-by-a-rule-on-the-host* reset-by-the-first-router* reset-by-the-second-router* two-scans-at-once*
    """,
    "a window of zero is not looked at yet": "synproxy-before-a-dead-host synproxy-in-a-script*",
    "a reset right after the handshake is taken for a failed one": "synproxy-before-a-living-host",
    "hosts that answer on every port are not noticed yet": "host-that-answers-on-every-port*",
    "there are no canaries yet": """
        banned-after-twenty-syns* banned-among-closed-ports banned-for-two-seconds banned-with-a-reject
        host-that-dies-in-mid-scan link-down-for-three-seconds path-silent-for-three-seconds*
        source-port-that-scans-dropped
    """,
    "the rate does not adapt yet": """
        icmp-errors-limited* policed-on-the-way-back policed-to-20-per-second* policed-to-300-per-second*
        policed-with-silent-ports resets-limited-to-20-per-second*
    """,
}
_BY_LUCK: dict[str, str] = {}
_OLD3 = {
    "a reset right after the handshake is taken for a failed one": "access-control-after-accepting*",
    "what our own machine refused is not sent again yet": "local-queue-full-now-and-then* local-rule-limits",
    "receive drops are counted once the scan is over": "answers-lost-in-our-own-kernel*",
    "the rate does not adapt yet": "policed-one-host-of-two two-answers-limited-differently",
    "loss is not estimated yet": """
        loss-of-5-percent* loss-of-20-percent* loss-of-20-percent-with-silent-ports loss-of-answers-only
    """,
    "on a busy machine the deadline comes first": """
        ceiling-is-kept ceiling-is-kept-after-a-stop ceiling-is-kept-with-handshakes service-that-ends-in-mid-scan
        own-link-down-for-three-seconds*
    """,
    "the wait for a contradiction is short": "reset-then-syn-ack* syn-ack-then-reset*",
}


def _by_id(*tables: dict[str, str]) -> dict[str, str]:
    told = {}
    for reason, ids in (entry for table in tables for entry in table.items()):
        for each in ids.split():
            told[each.removesuffix("*")] = reason
            if each.endswith("*"):
                told[each.removesuffix("*") + "-ipv6"] = reason
    return told


FAKE = _by_id(_SCRIPTED)
BY_LUCK = _by_id(_BY_LUCK)
LAB = _by_id(_SCRIPTED, _IN_LAB) | BY_LUCK
