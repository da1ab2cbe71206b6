"""All that may come back for a SYN, as far as we know.

The kernel is asked in test_net_kernel; the engine must say the same in test_core_cases, and in the fuzz run.
"""

from __future__ import annotations

from tests.core.case import Case
from tests.core.cases_icmp import ICMP_ERRORS, MIXED, QUOTES
from tests.core.cases_ip import EXTENSIONS, FRAGMENTS, IP_OPTIONS
from tests.core.cases_tcp import FLAGS, FORM, TCP_OPTIONS

CASES: list[Case] = [
    *FLAGS,
    *FORM,
    *TCP_OPTIONS,
    *IP_OPTIONS,
    *EXTENSIONS,
    *FRAGMENTS,
    *ICMP_ERRORS,
    *QUOTES,
    *MIXED,
]
EACH = [(case, version) for case in CASES for version in case.versions]
