"""Version control on a port of its own: svnserve, the git daemon, and the CVS server, which only ever complains."""

from __future__ import annotations

import re

from probe.model import Service
from probe.services.text import field

# git's pkt-line: four hexadecimal digits of length, themselves included. There is hardly a repository at the root, so
# the answer is an error; if there is one, the list of its branches, which says what software wrote it.
_REQUEST = b"git-upload-pack /\0host=localhost\0"
GIT_HELLO = b"%04x" % (len(_REQUEST) + 4) + _REQUEST

# svnserve's greeting: success, least and greatest protocol, no longer used mechanisms, capabilities.
_SVN = re.compile(rb"\( success \( (\d+) (\d+) \( (?:[A-Z0-9-]+ )*\) \( (?:[a-z0-9-]+ )*\) \) \)\s")
_GIT_ERROR = re.compile(rb"[0-9a-f]{4}ERR [\x20-\x7e]{4,}\n?\Z")
_DENIED = b"ERR access denied or repository not exported: "  # the daemon's own words
_GIT_REFS = re.compile(rb"[0-9a-f]{4}[0-9a-f]{40}(?:[0-9a-f]{24})? [^\0\n]+\0([^\n]*)\n")
_GIT_AGENT = re.compile(rb" agent=git/(\d[\w.+-]*)")
_CVS = re.compile(rb"cvs \[(p?server|CVSNT) aborted\]: bad auth protocol start")


def svn(data: bytes) -> Service | None:
    found = _SVN.match(data)
    return Service("svn", "Subversion", info=field(b"protocol " + found[2])) if found else None


def git(data: bytes) -> Service | None:
    """A pkt-line as long as it says, with an error or with references in it."""
    error = _GIT_ERROR.match(data)
    if error and int(data[:4], 16) == len(data):
        return Service("git", "git" if error[0].startswith(_DENIED, 4) else None)
    refs = _GIT_REFS.match(data)
    if not refs or int(data[:4], 16) != refs.end():
        return None
    agent = _GIT_AGENT.search(refs[1] + b" ")
    return Service("git", "git", field(agent[1])) if agent else Service("git")


def cvs(data: bytes) -> Service | None:
    """What it says to anything that is no login: no hello of its own is needed."""
    found = _CVS.match(data)
    return Service("cvs", "CVSNT" if found[1] == b"CVSNT" else "CVS") if found else None
