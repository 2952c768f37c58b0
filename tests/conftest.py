"""For every test: hypothesis judges what is right, and leaves how quick a busy machine is to the benchmarks."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a process, which leaves a core to others."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1
