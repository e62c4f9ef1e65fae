"""The options of `serve`, and which addresses are open to others."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from distill.options import Options, option


@dataclass(frozen=True)
class ServeOptions(Options):
    """What `serve` needs to know."""

    bundle: Path = option(help="the bundle", argument=True)
    host: str = option("127.0.0.1", "the address to listen on")
    port: int = option(8080, "the port; 0 takes a free one", at_least=0, at_most=65535)
    token_env: str | None = option(None, "the environment variable that holds the token callers must send")
    allow_open_host: bool = option(False, "listen on an address that others reach although there is no token")
    max_body: int = option(2_000_000, "bytes of a request", at_least=1)
    max_text: int = option(100_000, "characters of a text", at_least=1)
    queue: int = option(128, "requests in hand at a time; more are asked to come back", at_least=1)
    timeout: float = option(30.0, "seconds a request may take", above=0, at_most=86_400)
    threads: int | None = option(None, "CPU threads; otherwise what this process may use", at_least=1)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
