"""Serves the captioner: settings → store → family → servicer → serve."""

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.errors import LumenmillError
from lumenmill_common.jobs import JobQueue, jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings

from .families import Family, PhotometricFamily
from .servicer import CaptionerServicer
from .settings import CaptionerSettings


def service_of(family: Family, jobs: JobQueue) -> Service:
    """Return everything that the process serves."""
    contract = Contract(
        captioner_pb2.DESCRIPTOR,
        "CaptionerService",
        captioner_pb2_grpc.add_CaptionerServiceServicer_to_server,
        CaptionerServicer(family, jobs),
    )
    return Service("captioner", [contract], model=family.describe, load=family.load, jobs=jobs)


def load_captioner_settings() -> CaptionerSettings:
    """Return the settings of the family that the environment names.

    Raises:
        SystemExit: one is wrong, or the family's libraries are not installed.
    """
    settings = load_settings(CaptionerSettings)
    if settings.family == "photometric":
        return settings
    try:
        from .families.vision_language import VisionLanguageSettings  # noqa: PLC0415 - torch, for those who have it
    except ModuleNotFoundError as error:
        missing = f"LUMENMILL_FAMILY={settings.family} needs {error.name}"
        raise SystemExit(f"{missing}: pip install 'lumenmill-captioner[vision-language]'") from None
    return load_settings(VisionLanguageSettings)


def family_of(settings: CaptionerSettings) -> Family:
    """Return the family that the settings name.

    Raises:
        FailedPreconditionError: it has no such model.
    """
    photometric = PhotometricFamily(open_store_from(settings), settings.limits(), settings.num_clip_samples)
    if settings.family == "photometric":
        return photometric
    from .families.vision_language import (  # noqa: PLC0415 - torch, for those who have it
        VisionLanguageSettings,
        vision_language_family,
    )

    if not isinstance(settings, VisionLanguageSettings):
        raise TypeError("the settings of this family are VisionLanguageSettings")
    return vision_language_family(settings, photometric)


def main() -> None:
    """Serve until a signal."""
    settings = load_captioner_settings()
    try:
        family = family_of(settings)
    except LumenmillError as error:
        raise SystemExit(error.message) from None
    serve(settings, service_of(family, jobs_from(settings, name="captioner")))


if __name__ == "__main__":
    main()
