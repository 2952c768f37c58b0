"""The public key in a file, by which callers' tokens are verified."""

from pathlib import Path


def read_public_key(file: Path) -> bytes:
    """The key in PEM form. Raises ValueError that names the setting and what is wrong."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ValueError(f"access.jwt.public_key_file cannot be read: {error}") from error
    if b"PUBLIC KEY" not in text:
        raise ValueError("access.jwt.public_key_file is no public key in PEM form")
    return text
