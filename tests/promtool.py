"""Prometheus, Alertmanager and their tools for tests."""

import os
import shutil

import pytest


def program(*names: str) -> str:
    """The path of the first there is; without one a skip that says so, or a failure where none is allowed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = f"no {names[0]} on the PATH: rules, dashboards and who is told of alerts are NOT tried"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
