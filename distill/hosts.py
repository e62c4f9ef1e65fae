"""Whether a server could be reached at all, before a client of its own tries for minutes."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies


def may_be_there(url: str) -> bool:
    """Whether the host's name can be looked up; True without a look where a proxy would do that."""
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(url).hostname, 443)
    except OSError:
        return False
    return True
