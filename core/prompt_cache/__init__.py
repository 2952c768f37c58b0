"""The guard of the prompt caches: what of a prompt could have been read from one, what was lost, at what cost, and why.

A body becomes a `chain` of hashed segments (`forms` says where each wire form keeps its prompt, `media` what an image
counts), and with whose it is and where it went, a `prompt`. What a request leaves in a cache by the `rules` of its
provider is a donor (`donors`), kept and found again under `names` for the boundaries of its chain. `expectation` says
how much of it should be read, `loss` counts tokens and dollars, `causes` and the provider's own `diagnosis` say why,
and `judge` makes one `finding` of all that. `silent` needs no donor. Everything here is a pure function; whoever asks
keeps the texts.
"""
