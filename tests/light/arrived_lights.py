"""What arrives of random lights in an open scene, for pictures that need not be rendered."""

from collections.abc import Sequence
from random import Random

from lumenmill.common.v1 import light_pb2
from lumenmill_light.attributes import total
from lumenmill_light.source_attributes import SourceAttributes, source_attributes

from .random_lights import WRITERS, radiance_of


def arrived_of(sources: Sequence[light_pb2.LightSource], shares: Sequence[float] = ()) -> light_pb2.ArrivedLight:
    """Return what arrives of sources, nothing of it occluded; shares are those of the irradiance unless given."""
    found = [source_attributes(source, radiance_of) for source in sources]
    weights = list(shares) or [entry.strength for entry in found]
    order = sorted(range(len(found)), key=lambda index: -weights[index])
    ranked = [found[index] for index in order]
    arrived = light_pb2.ArrivedLight(attributes=ranked[0].to_proto())
    arrived.attributes.kinds[:] = dict.fromkeys(entry.kind for entry in ranked)
    arrived.attributes.intensity_ev = total(found).intensity_ev
    for index, entry in zip(order, ranked, strict=True):
        arrived.sources.append(_source(index, entry, weights[index] / sum(weights)))
    return arrived


def random_arrived(seed: int) -> light_pb2.ArrivedLight:
    """Return what arrives of one to three random sources of every kind."""
    random = Random(seed)  # noqa: S311 - no secrets
    num = random.choice((1, 1, 2, 2, 3))
    sources = [random.choice(WRITERS)(random) for _ in range(num)]
    return arrived_of(sources, [random.uniform(0.05, 1.0) for _ in sources])


def _source(index: int, found: SourceAttributes, share: float) -> light_pb2.ArrivedSource:
    source = light_pb2.ArrivedSource(
        source_index=index, attributes=found.to_proto(), share=share, unoccluded_fraction=1.0
    )
    if found.linear_rgb is not None:
        source.color.red, source.color.green, source.color.blue = found.linear_rgb
    return source
