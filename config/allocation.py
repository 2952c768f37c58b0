"""What the C library does with memory that is free again."""

import ctypes

MMAP_THRESHOLD = -3  # as in malloc.h
LARGE_BYTES = 512 * 1024


def return_large_blocks() -> None:
    """Have large blocks go back to the system when they are freed; where the C library cannot be told, do nothing.

    glibc would raise the size from which on it does that with each block that is freed, up to 32 MB: a few large
    bodies, and the process keeps for ever what they have left between smaller things.
    """
    try:
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE_BYTES)
    except (OSError, AttributeError):
        return
