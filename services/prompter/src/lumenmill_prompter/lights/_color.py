"""Colours of light as numbers and as words."""

import bisect
import colorsys
import functools
import math

_WORDS_BY_TEMPERATURE: tuple[tuple[float, tuple[str, ...]], ...] = (
    (2250.0, ("deep orange", "candle-coloured", "ember-orange")),
    (3000.0, ("amber", "golden", "tungsten-warm")),
    (4200.0, ("warm", "honey-warm", "warm-toned")),
    (5200.0, ("warm white", "creamy white", "pale warm")),
    (6900.0, ("neutral white", "white", "daylight-white")),
    (9500.0, ("cool", "cool white", "bluish")),
    (math.inf, ("cold blue", "steel-blue", "icy blue")),
)
_TEMPERATURE_BOUNDS = tuple(bound for bound, _ in _WORDS_BY_TEMPERATURE[:-1])

# Gels of stage and film lighting, as linear Rec. 709.
GEL_COLORS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.06, 0.04),
    "magenta": (1.0, 0.08, 0.55),
    "violet": (0.42, 0.10, 1.0),
    "deep blue": (0.05, 0.16, 1.0),
    "teal": (0.03, 0.75, 0.70),
    "green": (0.08, 0.90, 0.16),
    "yellow": (1.0, 0.72, 0.06),
}
_HUE_WORDS = (
    (18.0, "red"),
    (42.0, "orange"),
    (70.0, "yellow"),
    (155.0, "green"),
    (195.0, "teal"),
    (250.0, "deep blue"),
    (290.0, "violet"),
    (340.0, "magenta"),
    (360.0, "red"),
)


def temperature_words(temperature_k: float) -> tuple[str, ...]:
    """Return the adjectives for a correlated colour temperature in kelvin."""
    return _WORDS_BY_TEMPERATURE[bisect.bisect_right(_TEMPERATURE_BOUNDS, temperature_k)][1]


def hue_word(red: float, green: float, blue: float) -> str:
    """Return the plain name of a linear Rec. 709 colour; "white" when it is hardly saturated."""
    peak = max(red, green, blue, 1e-9)
    hue, saturation, _ = colorsys.rgb_to_hsv(*((c / peak) ** (1 / 2.2) for c in (red, green, blue)))
    if saturation < 0.12:
        return "white"
    return next(word for bound, word in _HUE_WORDS if hue * 360.0 <= bound)


def color_word(temperature_k: float | None, rgb: tuple[float, float, float] | None, variant: int = 0) -> str:
    """Return one adjective for a colour given as kelvin or as linear Rec. 709; absent means 6504 K."""
    if rgb is not None:
        return hue_word(*rgb)
    words = temperature_words(6504.0 if temperature_k is None else temperature_k)
    return words[variant % len(words)]


# CIE 1931 colour matching functions as sums of Gaussians: Wyman, Sloan and Shirley, JCGT 2(2), 2013.
def _lobe(wavelength_nm: float, mean: float, below: float, above: float) -> float:
    spread = below if wavelength_nm < mean else above
    return math.exp(-0.5 * ((wavelength_nm - mean) * spread) ** 2)


def _xyz_bar(nm: float) -> tuple[float, float, float]:
    x = 0.362 * _lobe(nm, 442.0, 0.0624, 0.0374) + 1.056 * _lobe(nm, 599.8, 0.0264, 0.0323)
    x -= 0.065 * _lobe(nm, 501.1, 0.0490, 0.0382)
    y = 0.821 * _lobe(nm, 568.8, 0.0213, 0.0247) + 0.286 * _lobe(nm, 530.9, 0.0613, 0.0322)
    z = 1.217 * _lobe(nm, 437.0, 0.0845, 0.0278) + 0.681 * _lobe(nm, 459.0, 0.0385, 0.0725)
    return x, y, z


def _planck(nm: float, temperature_k: float) -> float:
    return math.pow(nm, -5.0) / math.expm1(1.4388e7 / (nm * temperature_k))


def _air_mass(elevation_deg: float) -> float:
    """Kasten and Young, Applied Optics 28, 1989."""
    return 1.0 / (math.sin(math.radians(elevation_deg)) + 0.50572 * math.pow(elevation_deg + 6.07995, -1.6364))


@functools.cache
def _solar_spectrum() -> tuple[tuple[tuple[float, float, float], float, float], ...]:
    """For each 10 nm: X, Y, Z of unattenuated sunlight, optical depth of clean air, and of haze of unit turbidity."""
    samples = []
    for nm in range(380, 781, 10):
        power = _planck(float(nm), 5778.0)
        x, y, z = (power * value for value in _xyz_bar(float(nm)))
        samples.append(((x, y, z), 0.008735 * math.pow(nm / 1000.0, -4.08), math.pow(nm / 1000.0, -1.3)))
    return tuple(samples)


@functools.lru_cache(maxsize=4096)
def sunlight_temperature_k(elevation_deg: float, turbidity: float) -> float:
    """Return the correlated colour temperature of direct sunlight in kelvin, 1700 to 5800; as at 3° for a lower sun.

    A 5778 K black body behind the Rayleigh and aerosol transmittances of Preetham, Shirley and Smits (SIGGRAPH 1999,
    appendix), then McCamy's formula (Color Research and Application 17, 1992).
    """
    mass = _air_mass(max(elevation_deg, 3.0))
    aerosol = max(0.04608 * turbidity - 0.04586, 0.0)
    totals = [0.0, 0.0, 0.0]
    for sensitivities, rayleigh, haze in _solar_spectrum():
        transmitted = math.exp(-mass * (rayleigh + aerosol * haze))
        for channel, sensitivity in enumerate(sensitivities):
            totals[channel] += transmitted * sensitivity
    x, y = totals[0] / sum(totals), totals[1] / sum(totals)
    n = (x - 0.3320) / (y - 0.1858)
    return min(max(((-449.0 * n + 3525.0) * n - 6823.3) * n + 5520.33, 1700.0), 5800.0)


def rgb_of_temperature(temperature_k: float) -> tuple[float, float, float]:
    """Return the linear Rec. 709 colour, luminance 1, of a black body (below 4000 K) or CIE daylight (above).

    Chromaticities after Kim et al. (US patent 7024034) and CIE 15:2004; channels outside Rec. 709 are clipped to 0.
    """
    t = temperature_k
    if t < 4000.0:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
        a, b, c, d = (
            (-1.1063814, -1.34811020, 2.18555832, -0.20219683)
            if t < 2222.0
            else (-0.9549476, -1.37418593, 2.09137015, -0.16748867)
        )
        y = ((a * x + b) * x + c) * x + d
    else:
        k3, k2, k1, k0 = (
            (-4.6070e9, 2.9678e6, 0.09911e3, 0.244063) if t <= 7000.0 else (-2.0064e9, 1.9018e6, 0.24748e3, 0.237040)
        )
        x = k3 / t**3 + k2 / t**2 + k1 / t + k0
        y = (-3.0 * x + 2.870) * x - 0.275
    big_x, big_z = x / y, (1.0 - x - y) / y
    return (
        max(3.2406 * big_x - 1.5372 - 0.4986 * big_z, 0.0),
        max(-0.9689 * big_x + 1.8758 + 0.0415 * big_z, 0.0),
        max(0.0557 * big_x - 0.2040 + 1.0570 * big_z, 0.0),
    )
