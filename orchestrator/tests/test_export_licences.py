"""Datasets for commercial use have only samples whose licences are known to allow it."""

from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.errors import FailedPreconditionError

from .synthetic import FREE, Archive, image_sample

_FORBIDDEN = artifact_pb2.Licence(subject="FLUX.1-dev", spdx_id="LicenseRef-FLUX-1-dev", allows_commercial_use=False)
_UNKNOWN = artifact_pb2.Licence(subject="alley.hdr", spdx_id="LicenseRef-operator-supplied")


async def test_forbidden_unknown_and_unrecorded_licences_exclude_samples(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    made = [image_sample(archive, "run", scene, 0) for scene in range(20)]
    for sample in made[:5]:
        sample.licences.append(_FORBIDDEN)
    for sample in made[3:10]:
        sample.licences.append(_UNKNOWN)
    made[10].ClearField("licences")
    archive.add(made)
    result = await archive.export("run", "PARQUET", for_commercial_use=True)
    assert (result.num_samples, result.num_excluded_by_licence) == (9, 11)
    counted = [(entry.licence.subject, entry.reason, entry.num_samples) for entry in result.licence_exclusions]
    assert counted == [
        ("alley.hdr", "does not state whether commercial use is allowed", 7),
        ("FLUX.1-dev", "does not allow commercial use", 5),
        ("samples without recorded licences", "does not state whether commercial use is allowed", 1),
    ]
    everything = await archive.export("run", "PARQUET")
    assert (everything.num_samples, everything.num_excluded_by_licence) == (20, 0)
    assert not everything.licence_exclusions
    archive.close()


async def test_an_export_without_samples_names_the_licences(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.add([image_sample(archive, "run", scene, 0, licences=[_FORBIDDEN]) for scene in range(3)])
    error = await archive.error_of("run", "IMAGEFOLDER", for_commercial_use=True)
    assert isinstance(error, FailedPreconditionError)
    assert "FLUX.1-dev (LicenseRef-FLUX-1-dev) does not allow commercial use, 3 samples" in error.message
    archive.close()


async def test_licences_that_allow_commercial_use_exclude_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.add([image_sample(archive, "run", 1, 0, licences=[FREE])])
    assert (await archive.export("run", "PARQUET", for_commercial_use=True)).num_excluded_by_licence == 0
    archive.close()
