"""Makes any text one that may stand in a header."""

from urllib.parse import quote

SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def header_value(text: str) -> str:
    """`text` itself when it is printable ASCII, else with everything else percent-encoded as UTF-8.

    Names of models and of provider instances may be in any script, and a client chooses some of them.
    """
    return text if text.isascii() and text.isprintable() else quote(text, safe=SAFE)
