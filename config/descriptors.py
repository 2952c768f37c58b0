"""How many file descriptors the process may have open."""

import resource

MOST = 65_536
"""More is of no use to as many connections as workers hold, and some tools walk through all there may be."""


def raise_limit() -> None:
    """Let this process and its children open as many as the system allows, within reason.

    Each stream takes two, and a usual limit of 1,024 would be reached by 500.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
