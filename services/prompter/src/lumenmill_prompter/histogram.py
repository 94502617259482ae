"""How evenly the grammar spreads its lights: `python -m lumenmill_prompter.histogram [--num 20000] [--seed 0]`.

Counts the attributes that follow from the sources of the finished lights, not the values they were generated from.
Environment maps are counted by kind and rotation only, since their pixels are not read here.
"""

import argparse
import bisect
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light.axes import wrap_deg
from lumenmill_prompter.families.grammar import grammar_lights

__all__ = ["color_bin", "count_lights", "direction_bin", "hardness_bin", "kind_bin", "main"]

_SIDES = ("front", "front right", "right", "back right", "back", "back left", "left", "front left")
# Strata of white that the grammar draws from evenly, and the kelvin between them; words have bands of their own.
_STRATA = ("ember", "deep orange", "amber", "warm", "warm white", "neutral white", "cool", "cold blue")
_STRATA_K = (1800.0, 2250.0, 3000.0, 4200.0, 5200.0, 6900.0, 9500.0)


def direction_bin(attributes: light_pb2.LightAttributes) -> str | None:
    """Return the eighth of a turn that the light comes from; None when the light has no direction."""
    if not attributes.HasField("azimuth_deg"):
        return None
    return _SIDES[round(wrap_deg(attributes.azimuth_deg) / 45.0) % 8]


def color_bin(attributes: light_pb2.LightAttributes) -> str | None:
    """Return the name of the colour stratum; "gel" for colours without a temperature; None for environment maps."""
    if attributes.HasField("color_temperature_k"):
        return _STRATA[bisect.bisect_right(_STRATA_K, attributes.color_temperature_k)]
    return None if attributes.kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP else "gel"


def hardness_bin(attributes: light_pb2.LightAttributes) -> str | None:
    """Return soft, medium or hard; None when hardness is not known."""
    if not attributes.HasField("hardness"):
        return None
    return "soft" if attributes.hardness < 0.4 else "medium" if attributes.hardness < 0.86 else "hard"


def kind_bin(attributes: light_pb2.LightAttributes) -> str:
    """Return the dominant kind of source."""
    return light_pb2.LightKind.Name(attributes.kinds[0]).removeprefix("LIGHT_KIND_").lower()


BINS = {"kind": kind_bin, "direction": direction_bin, "colour": color_bin, "hardness": hardness_bin}


def count_lights(lights: Iterable[light_pb2.Light]) -> Mapping[str, Counter[str]]:
    """Return how many lights fall into each bin of each attribute, and of each pair of direction × the others."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in BINS}
    for light in lights:
        bins = {name: function(light.attributes) for name, function in BINS.items()}
        for name, value in bins.items():
            if value is not None:
                counts[name][value] += 1
        for name in ("kind", "colour", "hardness"):
            if bins["direction"] is not None and bins[name] is not None:
                counts.setdefault(f"direction × {name}", Counter())[f"{bins['direction']} × {bins[name]}"] += 1
    return counts


def _rows(counts: Mapping[str, Counter[str]]) -> Iterable[str]:
    for name, counter in counts.items():
        yield f"{name}  (max/min {max(counter.values()) / min(counter.values()):.2f})"
        if "×" in name:
            continue
        peak = max(counter.values())
        for value, count in sorted(counter.items()):
            yield f"  {value:<22}{count:>7}  {'█' * round(40 * count / peak)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the histogram of the lights of `--num` image sets."""
    parser = argparse.ArgumentParser(prog="python -m lumenmill_prompter.histogram", description=__doc__)
    parser.add_argument("--num", type=int, default=20_000, help="image sets to count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--map", action="append", default=[], metavar="NAME", help="name of an environment map")
    options = parser.parse_args(arguments)
    maps = [artifact_pb2.Artifact(name=name) for name in options.map]
    brief = prompter_pb2.Brief(environment_maps=maps)
    counts = count_lights(grammar_lights(brief, options.seed, options.num))
    sys.stdout.write("\n".join(_rows(counts)) + "\n")


if __name__ == "__main__":
    main()
