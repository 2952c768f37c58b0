"""Text that a terminal shows as it stands, on one line."""


def one_line(text: str) -> str:
    """`text` with everything escaped that cannot be printed: line ends, colours, and what turns a line around.

    Some of what is logged was chosen by callers, who must not write lines of their own, nor over those of others.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
