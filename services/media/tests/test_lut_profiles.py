"""Colours by tables: the profiles of printers, and those of version 4 that are no curves and matrices."""

import io
import itertools
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lumenmill_media import decode_rgb, srgb_to_linear

Pixels = NDArray[np.uint8]
_PATCH_PX = 16
# Linear sRGB to XYZ relative to D50, in which profiles connect (ICC.1:2022, Bradford's adaptation).
_XYZ_FROM_SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_IDENTITY = struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))


def _lab(srgb: tuple[float, ...]) -> bytes:
    """Return CIELAB of a colour as a table of 8 bits has it."""
    ratios = (_XYZ_FROM_SRGB @ srgb_to_linear(np.array(srgb, np.float32))) / _D50
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    values = ((116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128)
    return bytes(int(np.clip(round(value), 0, 255)) for value in values)


def _profile(space: bytes, version: int, corners: list[tuple[float, ...]]) -> bytes:
    """Return a profile of a device by the sRGB colours of its least and largest values, the last channel fastest."""
    num_channels = len(corners).bit_length() - 1
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([num_channels, 3, 2, 0]) + _IDENTITY
    table += ramp * num_channels + b"".join(map(_lab, corners)) + ramp * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in _D50))
    if version >= 4:
        text = b"mluc" + bytes(4) + struct.pack(">2I2s2sII", 1, 12, b"en", b"US", 2, 28) + "t".encode("utf-16-be")
        words = {b"desc": text, b"cprt": text}
    else:
        description = b"desc" + bytes(4) + struct.pack(">I", 2) + b"t\0" + bytes(79)
        words = {b"desc": description, b"cprt": b"text" + bytes(4) + b"none\0"}
    tags = {b"A2B0": table, b"wtpt": white, **words}
    offset, index, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        index += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI", offset + len(body), bytes(4), version << 24) + b"prtr" + space + b"Lab "
    head += (
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", *(_D50 * 65536).astype(int))
    )
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def _patches(colors: list[tuple[int, ...]], mode: str) -> Image.Image:
    pixels = np.repeat(np.repeat(np.array([colors], np.uint8), _PATCH_PX, axis=0), _PATCH_PX, axis=1)
    return Image.fromarray(pixels, mode)


def _colors(data: bytes, num_patches: int) -> Pixels:
    shown = np.asarray(decode_rgb(data, 1_000_000))
    return shown.reshape(_PATCH_PX, num_patches, _PATCH_PX, 3)[4:-4, :, 4:-4].mean(axis=(0, 2))


@pytest.mark.parametrize("version", [2, 4])
def test_a_table_of_colours_is_applied(version: int) -> None:
    """The device shows what it calls red as blue, green as red and blue as green."""
    bits = list(itertools.product((0, 1), repeat=3))
    profile = _profile(b"RGB ", version, [(green, blue, red) for red, green, blue in bits])
    buffer = io.BytesIO()
    _patches([tuple(255 * bit for bit in each) for each in bits], "RGB").save(buffer, "PNG", icc_profile=profile)
    expected = [[255 * green, 255 * blue, 255 * red] for red, green, blue in bits]
    assert np.abs(_colors(buffer.getvalue(), len(bits)) - expected).max() <= 12


def test_a_printers_inks_are_shown_as_its_profile_says() -> None:
    bits = list(itertools.product((0, 1), repeat=4))
    corners = [tuple((1 - ink) * (1 - black) for ink in inks) for *inks, black in bits]
    inks = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255), (255, 255, 0, 0)]
    buffer = io.BytesIO()
    _patches(inks, "CMYK").save(buffer, "JPEG", quality=100, icc_profile=_profile(b"CMYK", 2, corners))
    shown = [[255, 255, 255], [0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0], [0, 0, 255]]
    assert np.abs(_colors(buffer.getvalue(), len(inks)) - shown).max() <= 12
