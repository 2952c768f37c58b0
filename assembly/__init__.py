"""Puts the application together: what it is configured by, and what is built of that."""
