"""For every test: hypothesis judges what is right, and leaves how quick a busy machine is to the benchmarks."""

from hypothesis import HealthCheck, settings

settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")
