"""Pages of lists, bounded by their bytes: one row may hold megabytes that a caller has sent."""

from collections.abc import Iterable

__all__ = ["page_of"]

# Far below the largest message, since a row becomes a larger message.
_MAX_BYTES = 8 << 20


def page_of(rows: Iterable[tuple[int, int]], size: int) -> tuple[list[int], bool]:
    """Return the sequence numbers of a page, and whether there are more rows.

    A page has at most `size` rows, and fewer where they would exceed its bytes; it has one at least, if there is one.

    Args:
        rows: (sequence number, bytes) of at least `size` + 1 rows, if there are as many.
        size: the requested number of rows.
    """
    seqs: list[int] = []
    num_bytes = 0
    for seq, row_bytes in rows:
        num_bytes += row_bytes
        if len(seqs) == size or (seqs and num_bytes > _MAX_BYTES):
            return seqs, True
        seqs.append(seq)
    return seqs, False
