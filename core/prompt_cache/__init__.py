"""The guard of the prompt caches: what of a prompt could have been read from one, what was lost, at what cost, and why.

`forms` says where each wire form keeps its prompt, and `chain` cuts one into hashed segments. `rules` is the table of
what each provider's cache promises. `donors` remembers prompts and finds the one that a new one continues,
`expectation` says how much of it should be read, `loss` counts tokens and dollars, `causes` and `diagnosis` say whose
doing it was, and `judge` puts all of it together. Everything here is a pure function of its arguments.
"""
