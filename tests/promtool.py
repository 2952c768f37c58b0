"""Prometheus and its tool for tests."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of `promtool` or `prometheus`; without it a skip that says so, or a failure where none is allowed."""
    found = shutil.which(name)
    if found is None:
        reason = f"no {name} on the PATH: rules and dashboards are not tried"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
