"""The credentials of a provider: where they come from, which one is next, what is held against each."""
