"""Decide how the pictures of one request are shown: their exposure, each by itself or all alike, and what is white."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.display_pb2 import Display, Exposure, WhiteBalance
from lumenmill.common.v1.light_pb2 import ArrivedLight
from lumenmill_light.color import LUMINANCE, Array
from lumenmill_studio.families.limits import recorded_exposure_ev
from lumenmill_studio.light.basis import Image
from lumenmill_studio.render import tonemap
from lumenmill_studio.render.tonemap import DisplayTransform, Gains

__all__ = ["BRIGHTEST_EV", "DARKEST_EV", "GROUP", "PICTURE", "DisplayChoice", "white_balance_gains"]

PICTURE, GROUP = Exposure.EXPOSURE_PICTURE, Exposure.EXPOSURE_GROUP
# How much darker and brighter than metered by itself a picture of a group may be. Beyond these, as judged by eye on all
# kinds of scene under lights of −3 to +2 stops, little is left of the shadows and of pale surfaces.
DARKEST_EV, BRIGHTEST_EV = -2.0, 1.0
# Light is balanced as if it held so much white that its weakest channel is this part of the strongest one: to balance
# all of a candle's colour would turn everything green and raise the noise of blue.
_WEAKEST_CHANNEL = 0.125


class DisplayChoice:
    """What a request chose, and the exposure that its pictures share.

    ``default`` is the exposure of the RPC, ``image`` that of the request; errors as `recorded_exposure_ev`.
    """

    def __init__(self, display: Display, default: "Exposure.ValueType", image: Artifact) -> None:
        self._display = display
        self._exposure = display.exposure or default
        self._is_balanced = display.white_balance == WhiteBalance.WHITE_BALANCE_AUTO
        self._group_ev = recorded_exposure_ev(image)

    def transform(self, linear_hw3: Image, arrived: Sequence[ArrivedLight]) -> DisplayTransform:
        """Return how the next picture or clip of the request is shown.

        ``linear_hw3`` is its linear radiance (H, W, 3); ``arrived`` its light, of a clip at several moments.
        """
        gains = white_balance_gains(arrived) if self._is_balanced else None
        return DisplayTransform(self._exposure_ev(tonemap.auto_exposure_ev(linear_hw3, gains)), gains)

    def parameters(self, transform: DisplayTransform) -> dict[str, Any]:
        """Return what was chosen and what became of it, for records."""
        balance = WhiteBalance.WHITE_BALANCE_AUTO if self._is_balanced else WhiteBalance.WHITE_BALANCE_FIXED
        found: dict[str, Any] = {
            "exposure_ev": transform.exposure_ev,
            "tone_map": tonemap.NAME,
            "white_balance": WhiteBalance.Name(balance).removeprefix("WHITE_BALANCE_"),
        }
        if not self._display.HasField("exposure_ev"):
            found["exposure"] = Exposure.Name(self._exposure).removeprefix("EXPOSURE_")
        if transform.gains is not None:
            found["white_balance_gains"] = list(transform.gains)
        return found

    def _exposure_ev(self, metered_ev: float) -> float:
        if self._display.HasField("exposure_ev"):
            return float(self._display.exposure_ev)
        if self._exposure != GROUP:
            return metered_ev
        if self._group_ev is None:
            self._group_ev = metered_ev
        return float(np.clip(self._group_ev, metered_ev + DARKEST_EV, metered_ev + BRIGHTEST_EV))


def white_balance_gains(arrived: Sequence[ArrivedLight]) -> Gains | None:
    """Return the factors, of luminance 1, that make the mean colour of the arrived light white; none in the dark."""
    sources = [source for light in arrived for source in light.sources if source.HasField("color")]
    mean = np.zeros(3)
    for source in sources:
        mean += source.share * np.array([source.color.red, source.color.green, source.color.blue])
    if mean.max() <= 0:
        return None
    gains = 1 / _whitened(mean / (mean @ LUMINANCE))
    red, green, blue = (gains / (gains @ LUMINANCE)).tolist()
    return red, green, blue


def _whitened(rgb: Array) -> Array:
    """Return a colour (3,) of luminance 1, mixed with as little white as its weakest channel needs."""
    missing = max(_WEAKEST_CHANNEL * float(rgb.max()) - float(rgb.min()), 0.0)
    white = missing / (missing + 1 - _WEAKEST_CHANNEL)
    return (1 - white) * rgb + white
