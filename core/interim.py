"""Connections that put up with a few interim answers (1xx) and no more: the library would read them for ever, and as
long as they keep coming nothing else would run."""

from http.client import CONTINUE, BadStatusLine, HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_INTERIM = 8


class _Answer(HTTPResponse):
    """One answer, with those that come ahead of it."""

    _interim = 0

    def _read_status(self) -> Any:
        read = super()._read_status()  # type: ignore[misc] # the library's own step, which its types leave out
        self._interim += read[1] == CONTINUE
        if self._interim > MAX_INTERIM:
            raise BadStatusLine("too many interim answers")
        return read


class _Plain(HTTPConnection):
    response_class = _Answer


class _Secured(HTTPSConnection):
    response_class = _Answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecuredPool(HTTPSConnectionPool):
    ConnectionCls = _Secured


POOLS = {"http": _PlainPool, "https": _SecuredPool}
"""The pools of such connections, by scheme."""
