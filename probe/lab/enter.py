"""`python -m probe.lab.enter LAB HOST COMMAND…`: what `probe lab exec` does, without the command line's import cost."""

from __future__ import annotations

import sys

from probe.errors import LabError
from probe.lab.client import exec_

if __name__ == "__main__":
    try:
        exec_(sys.argv[1], sys.argv[2], sys.argv[3:])
    except LabError as error:
        raise SystemExit(f"probe: {error}") from None
