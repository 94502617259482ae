"""Small files that take long to decode, as hostile callers send them."""

import struct

__all__ = ["jpeg_of_many_scans"]

_BLOCK_PX = 8
# The longest run of empty blocks that one code can state: 2¹⁴ and 14 bits more (ITU-T T.81, table G.1).
_MAX_RUN = (1 << 15) - 1
_RUN_BITS = 14


def jpeg_of_many_scans(num_scans: int, side_px: int = 7680) -> bytes:
    """Return a valid grey progressive JPEG whose scans are all empty; a decoder visits every block in each of them.

    With 1,800 scans of 7680² pixels it has 160 KB and takes libjpeg 45 s.
    """
    frame = _segment(0xC2, struct.pack(">BHHB", 8, side_px, side_px, 1) + bytes([1, 0x11, 0]))
    # One code, `0`, of the symbol "run of empty blocks with 14 further bits".
    codes = _segment(0xC4, bytes([0x10, 1, *[0] * 15, _RUN_BITS << 4]))
    # Refinements, of bit 0 of coefficients 1 to 63: for these every coefficient is looked at.
    scan = _segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0x10])) + _runs((side_px // _BLOCK_PX) ** 2)
    quantization = _segment(0xDB, bytes([0, *[1] * 64]))
    return b"\xff\xd8" + quantization + frame + codes + scan * num_scans + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _runs(num_blocks: int) -> bytes:
    """Return the entropy-coded data of a scan in which all blocks are empty."""
    bits = ""
    while num_blocks:
        run = min(num_blocks, _MAX_RUN)
        # Runs shorter than 2¹⁴ cannot be stated by this code, and decoders end a scan at its last block.
        bits += "0" + f"{max(run - (1 << _RUN_BITS), 0):0{_RUN_BITS}b}"
        num_blocks -= run
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")
