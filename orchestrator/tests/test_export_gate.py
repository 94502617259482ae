"""Datasets for commercial use hold only what is known to be allowed."""

from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.errors import FailedPreconditionError

from .synthetic import FREE, Archive, image_sample

_FORBIDDEN = artifact_pb2.Licence(subject="FLUX.1-dev", spdx_id="LicenseRef-FLUX-1-dev", allows_commercial_use=False)
_UNKNOWN = artifact_pb2.Licence(subject="alley.hdr", spdx_id="LicenseRef-operator-supplied")


async def test_what_is_forbidden_unknown_or_unrecorded_stays_out_and_is_counted(tmp_path: Path) -> None:
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
        ("alley.hdr", "terms are not known", 7),
        ("FLUX.1-dev", "does not allow commercial use", 5),
        ("samples without recorded terms", "terms are not known", 1),
    ]
    everything = await archive.export("run", "PARQUET")
    assert (everything.num_samples, everything.num_excluded_by_licence, len(everything.licence_exclusions)) == (
        20,
        0,
        0,
    )
    archive.close()


async def test_an_export_of_nothing_says_what_forbids_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.add([image_sample(archive, "run", scene, 0, licences=[_FORBIDDEN]) for scene in range(3)])
    error = await archive.refusal("run", "IMAGEFOLDER", for_commercial_use=True)
    assert isinstance(error, FailedPreconditionError)
    assert "FLUX.1-dev (LicenseRef-FLUX-1-dev) does not allow commercial use, 3 samples" in error.message
    archive.close()


async def test_terms_that_allow_everything_let_everything_pass(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.add([image_sample(archive, "run", 1, 0, licences=[FREE])])
    assert (await archive.export("run", "PARQUET", for_commercial_use=True)).num_excluded_by_licence == 0
    archive.close()
