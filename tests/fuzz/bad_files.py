"""Hostile and malformed files: decompression bombs, wrong headers, values that are not finite."""

import io
import json
import struct
import tempfile
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenEXR
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "animated_webp_of_a_gigapixel",
    "clip",
    "clip_with_wrong_header",
    "exr",
    "exr_with_window",
    "glb",
    "light_basis_bomb",
    "long_clip",
    "png",
    "png_bomb",
    "radiance",
    "scene_of_mesh",
]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int, bits: int = 1, channels: int = 1) -> bytes:
    """Return a valid black PNG of any size in a few kilobytes."""
    row_bytes = 1 + -(-width * bits * channels // 8)
    compressor = zlib.compressobj(9)
    packed = b"".join(compressor.compress(bytes(row_bytes)) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if channels == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def png(width: int = 32, height: int = 24) -> bytes:
    """Return a small grey PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (120, 110, 100)).save(buffer, "PNG")
    return buffer.getvalue()


def animated_webp_of_a_gigapixel() -> bytes:
    """Return an animated WebP whose header states 16384 × 16384 pixels, the maximum of the format."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=40)
    data = bytearray(buffer.getvalue())
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = b"\xff\x3f\x00\xff\x3f\x00"
    return bytes(data)


def exr(pixels_hw3: NDArray[Any]) -> bytes:
    """Return an EXR file of 32-bit floats."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.exr"
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, {"RGB": np.ascontiguousarray(pixels_hw3)}) as file:
            file.write(str(path))
        return path.read_bytes()


def exr_with_window(x_min: int, y_min: int, x_max: int, y_max: int) -> bytes:
    """Return a small EXR file whose header states another data window."""
    data = bytearray(exr(np.full((16, 32, 3), 0.5, np.float32)))
    at = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    data[at : at + 16] = struct.pack("<iiii", x_min, y_min, x_max, y_max)
    return bytes(data)


def radiance(head: bytes, body: bytes) -> bytes:
    """Return a Radiance file with the given resolution line."""
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + head + b"\n" + body


def clip(num_frames: int = 4, size_px: tuple[int, int] = (64, 48)) -> bytes:
    """Return a small H.264 clip."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(12))
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        for index in range(num_frames):
            pixels = np.full((size_px[1], size_px[0], 3), 20 * index % 255, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def long_clip(num_frames: int) -> bytes:
    """Return a clip of many tiny frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(240))
        stream.width, stream.height = 16, 16
        stream.pix_fmt = "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 90, np.uint8), format="rgb24").reformat(
            format="yuvj420p"
        )
        for index in range(num_frames):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def clip_with_wrong_header(box: bytes, offset: int, value: int) -> bytes:
    """Return a clip with a wrong number in an MP4 box, `offset` bytes after its name."""
    data = bytearray(clip())
    at = data.index(box) + 4 + offset
    data[at : at + 4] = struct.pack(">I", value)
    return bytes(data)


def glb(vertices: NDArray[Any], indices: list[int], uri: str = "", **buffer: Any) -> bytes:
    """Return a binary glTF file of one mesh; `uri` refers to another file for its buffer."""
    numbers = np.asarray(vertices, np.float32).tobytes() + np.asarray(indices, np.uint32).tobytes()
    split = np.asarray(vertices, np.float32).nbytes
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(numbers)} | ({"uri": uri} if uri else {}) | buffer],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": split},
            {"buffer": 0, "byteOffset": split, "byteLength": len(numbers) - split},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": split // 12, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": len(indices), "type": "SCALAR"},
        ],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    if not uri:
        chunks += struct.pack("<II", len(numbers), 0x004E4942) + numbers
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def scene_of_mesh(scene: bytes, uri: str, sha256: str) -> bytes:
    """Return a scene of studio whose first object is a user's mesh."""
    document = json.loads(scene)
    document["objects"][0] |= {"shape": "asset", "asset_uri": uri, "asset_sha256": sha256}
    return json.dumps(document).encode()


def light_basis_bomb(basis: bytes, side_px: int, num_pictures: int) -> bytes:
    """Return a light basis of the same scene with many large images that compress to little."""
    with zipfile.ZipFile(io.BytesIO(basis)) as archive:
        index = json.loads(archive.read("index.json"))
    view, unit = index["pictures"][0]["view"], index["pictures"][0]["unit"]
    pose, _, rest = view.split("/", 2)
    picture = exr(np.zeros((side_px, side_px, 3), np.float16))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        entries = []
        for number in range(num_pictures):
            name = f"{number:024x}.exr"
            entries.append({"view": f"{pose}/{side_px}x{side_px}/{rest}", "unit": f"{unit}{number}", "file": name})
            archive.writestr(name, picture)
        index["pictures"] = entries
        archive.writestr("index.json", json.dumps(index))
    return buffer.getvalue()
