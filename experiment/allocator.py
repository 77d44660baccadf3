"""Memory allocation on the CPU."""

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell the C library to reuse freed memory instead of returning it to the system.

    PyTorch allocates memory for every activation. By default glibc asks the kernel for each large
    block, and the kernel clears it page by page, which takes several times as long as filling it.
    See mallopt(3): M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD. Call once at the start of a process.

    Returns:
        Whether the C library knows these settings (glibc does).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * 2**20))
    accepted = [mallopt(name, value) == 1 for name, value in settings]
    return all(accepted)
