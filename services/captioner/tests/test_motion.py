"""Moving light, flicker and moving things are distinguished in encoded clips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import Lamp, clip_bytes, sphere_scene

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import generation_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy
from lumenmill_media import linear_to_srgb

Stub = captioner_pb2_grpc.CaptionerServiceStub
Light = Callable[[int], float]
Array = NDArray[np.float32]
NUM_FRAMES = 30

_BLOCKS = np.random.default_rng(1).uniform(0.05, 0.5, (16, 48, 3)).astype(np.float32)
_WALL = np.kron(_BLOCKS, np.ones((8, 8, 1), np.float32))


def steady(_: int) -> float:
    return 1.0


def flickering(index: int) -> float:
    return 1.0 + 0.2 * (-1) ** index


def dimming(index: int) -> float:
    return 2.0 ** (-2.5 * index / NUM_FRAMES)


def wall_clip(light: Light, pan_px: int = 0) -> list[Array]:
    """A wall of coloured blocks, passed by a camera at `pan_px` a frame."""
    crops = (_WALL[:, index * pan_px : index * pan_px + 192] for index in range(NUM_FRAMES))
    return [linear_to_srgb(crop * light(index)) for index, crop in enumerate(crops)]


def sphere_clip() -> list[Array]:
    """A lamp that goes round a sphere from left to right."""
    azimuths = np.linspace(-80, 80, NUM_FRAMES)
    return [sphere_scene(Lamp(float(azimuth), 25), even=0.1, side_px=128).display for azimuth in azimuths]


def passing_shadow_clip() -> list[Array]:
    x = np.arange(192)[None, :, None]
    return [
        linear_to_srgb(_WALL[:, :192] * np.where(np.abs(x - 20 - 5 * i) < 25, 0.15, 1.0)) for i in range(NUM_FRAMES)
    ]


def passing_thing_clip() -> list[Array]:
    frames = []
    for index in range(NUM_FRAMES):
        picture = _WALL[:, :192].copy()
        picture[40:88, 10 + 4 * index : 58 + 4 * index] = _WALL[72:120, 300:348]
        frames.append(linear_to_srgb(picture))
    return frames


async def caption(stub: Stub, store: ArtifactStore, clip: bytes) -> captioner_pb2.CaptionResult:
    subject = captioner_pb2.Subject(media=store.put_bytes(clip, "video/mp4"))
    request = captioner_pb2.CaptionRequest(job=generation_pb2.JobOptions(request_id=str(hash(clip))), subject=subject)
    return await call_heavy(stub.Caption, request)


# Bounds on light_motion_ev, flicker_ev and structure_motion_fraction.
MOVING_LIGHT, NO_LIGHT = (0.8, 9.0), (0.0, 0.3)
FLICKER, NO_FLICKER = (0.15, 0.4), (0.0, 0.03)
MOTION, SOME_MOTION, NO_MOTION = (0.8, 1.0), (0.15, 0.5), (0.0, 0.05)


@pytest.mark.parametrize(
    ("frames", "light_ev", "flicker_ev", "structure", "said", "unsaid"),
    [
        (sphere_clip(), MOVING_LIGHT, NO_FLICKER, NO_MOTION, "but the light|Only the light", "camera"),
        (wall_clip(steady), NO_LIGHT, NO_FLICKER, NO_MOTION, "hold still|Nothing moves.", "camera"),
        (wall_clip(steady, pan_px=4), NO_LIGHT, NO_FLICKER, MOTION, "while the light stays", "flicker"),
        (wall_clip(steady, pan_px=1), NO_LIGHT, NO_FLICKER, MOTION, "while the light stays", "flicker"),
        (wall_clip(flickering), NO_LIGHT, FLICKER, NO_MOTION, "flickers", "camera"),
        (wall_clip(flickering, pan_px=4), NO_LIGHT, FLICKER, MOTION, "flickers", "light stays"),
        (wall_clip(dimming, pan_px=4), MOVING_LIGHT, NO_FLICKER, MOTION, "light changes too", "flicker"),
        (passing_shadow_clip(), NO_LIGHT, NO_FLICKER, NO_MOTION, "", "camera"),
        (passing_thing_clip(), NO_LIGHT, NO_FLICKER, SOME_MOTION, "while the light stays", "flicker"),
    ],
    ids=["light", "still", "pan", "slow-pan", "flicker", "flicker-and-pan", "dim-and-pan", "shadow", "thing"],
)
async def test_light_flicker_and_motion_are_distinguished(
    stub: Stub,
    store: ArtifactStore,
    frames: list[Array],
    light_ev: tuple[float, float],
    flicker_ev: tuple[float, float],
    structure: tuple[float, float],
    said: str,
    unsaid: str,
) -> None:
    result = await caption(stub, store, clip_bytes(frames))
    bounds = {"light_motion_ev": light_ev, "flicker_ev": flicker_ev, "structure_motion_fraction": structure}
    for name, (low, high) in bounds.items():
        assert low <= result.scores[name] <= high, (name, dict(result.scores))
    assert any(words in result.light_text for words in said.split("|")), result.light_text
    assert unsaid not in result.light_text


# Six bursts of five frames, 10 ms apart; and frames of which every other one is shown three times as long.
_BURSTS_MS = [400 * burst + 10 * frame for burst in range(6) for frame in range(5)]
_UNEVEN_MS = [160 * (index // 2) + 40 * (index % 2) for index in range(40)]
# Twenty frames in the first fifth of a second, then four a second.
_BEGINS_FAST_MS = [10 * index for index in range(20)] + [200 + 250 * index for index in range(12)]


@pytest.mark.parametrize(
    ("times_ms", "level", "flicker_ev", "light_ev"),
    [
        (_BURSTS_MS, lambda _, time_s: 2.0**-time_s, NO_FLICKER, MOVING_LIGHT),
        (_UNEVEN_MS, lambda index, _: flickering(index), FLICKER, NO_LIGHT),
        (_BEGINS_FAST_MS, lambda index, _: flickering(index) if index < 20 else 1.0, NO_FLICKER, NO_LIGHT),
    ],
    ids=["an even change in uneven frames", "flicker in uneven frames", "flicker for a fifteenth of the time"],
)
async def test_light_is_measured_over_time_and_not_over_frames(
    stub: Stub,
    store: ArtifactStore,
    times_ms: list[int],
    level: Callable[[int, float], float],
    flicker_ev: tuple[float, float],
    light_ev: tuple[float, float],
) -> None:
    levels = [level(index, time_ms / 1000.0) for index, time_ms in enumerate(times_ms)]
    frames = [linear_to_srgb(_WALL[:, :192] * level) for level in levels]
    scores = (await caption(stub, store, clip_bytes(frames, times_ms=times_ms))).scores
    assert flicker_ev[0] <= scores["flicker_ev"] <= flicker_ev[1], dict(scores)
    assert light_ev[0] <= scores["light_motion_ev"] <= light_ev[1], dict(scores)


async def test_clips_of_cameras_have_motion_and_no_flicker(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    paths = sorted((data_dir / "video").glob("*.mp4"))[:2]
    if not paths:
        pytest.skip(f"no clips in {data_dir / 'video'}")
    for path in paths:
        result = await caption(stub, store, path.read_bytes())
        assert result.scores["structure_motion_fraction"] > 0.15 and result.scores["flicker_ev"] < 0.1
        assert "Nothing" not in result.light_text and "flicker" not in result.light_text


async def test_a_clip_of_one_frame_or_without_texture_has_no_described_motion(stub: Stub, store: ArtifactStore) -> None:
    for frames in ([np.full((64, 64, 3), 0.5)], [np.full((64, 64, 3), 0.5)] * 12):
        result = await caption(stub, store, clip_bytes(frames))
        assert "structure_motion_fraction" not in result.scores
        assert not any(word in result.light_text for word in ("move", "still", "flicker"))
