"""Providers, pipeline, credentials and stores: everything that knows no web framework."""
