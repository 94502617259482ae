"""Mutated files of every format are read or refused by every reader: within 5 s, without warnings, crashes or INTERNAL.

LUMENMILL_FUZZ_MUTANTS is the number of mutants of each file; LUMENMILL_FUZZ_SEED chooses other ones.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from lumenmill.common.v1.intrinsics_pb2 import INTRINSIC_KIND_NORMALS
from lumenmill.orchestrator.v1 import artifact_service_pb2, run_pb2
from lumenmill_common.artifacts import media_type_of

from .bad_files import scene_of_mesh
from .checked_calls import CheckedCalls
from .corpus import key_light
from .file_mutations import mutated_file
from .reader_process import ReaderProcess
from .valid_files import VALID_FILES

pytestmark = pytest.mark.timeout(1200)

_NUM_MUTANTS = int(os.environ.get("LUMENMILL_FUZZ_MUTANTS", "30"))
_SEED = int(os.environ.get("LUMENMILL_FUZZ_SEED", "0"))
# Calls take longer than reading a file.
_NUM_CALLS = max(_NUM_MUTANTS // 10, 1)
_FILES = [(kind, name) for kind, files in VALID_FILES.items() for name in files]


def _mutant(kind: str, name: str, index: int) -> bytes:
    others = [content for other, content in VALID_FILES[kind].items() if other != name]
    rng = Random(f"{name} {_SEED} {index}")  # noqa: S311 - the same mutants every time
    return mutated_file(rng, VALID_FILES[kind][name], others)


def _extension(name: str) -> str:
    return "." + name.partition("-")[0]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReaderProcess]:
    process = ReaderProcess(tmp_path_factory.mktemp("readers") / "readers.log")
    yield process
    process.end()


# The files of which no reader takes any: CMYK without a profile has no colours, and animations are no stills.
_REFUSED = {"jpeg-cmyk", "png-animation", "webp-animation"}


@pytest.mark.parametrize(("kind", "name"), _FILES)
def test_mutants_are_read_or_refused(reader: ReaderProcess, tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"valid{_extension(name)}"
    path.write_bytes(VALID_FILES[kind][name])
    result = reader.read(kind, path)
    assert not result.problem and (result.is_read or name in _REFUSED), result
    found = []
    for index in range(_NUM_MUTANTS):
        path = tmp_path / f"mutant-{index}{_extension(name)}"
        path.write_bytes(_mutant(kind, name, index))
        problem = reader.read(kind, path).problem
        if problem:
            found.append(f"{path}: {problem}")
    assert not found, f"{len(found)} of {_NUM_MUTANTS}\n" + "\n".join(found[:5])


def _media_type(name: str) -> str:
    extensions = {".radiance": ".hdr", ".mpeg": ".mpg"} | {f".{video}": ".mp4" for video in ("mp4", "mov")}
    extension = _extension(name)
    return media_type_of(f"file{extensions.get(extension, extension)}")


def _caption(calls: CheckedCalls, name: str, content: bytes) -> None:
    calls.caption(media=calls.put(content, _media_type(name)))


def _upload(calls: CheckedCalls, name: str, content: bytes) -> None:
    upload = artifact_service_pb2.UploadArtifactRequest
    parts = [upload(header={"name": name, "media_type": _media_type(name)}), upload(chunk=content)]
    calls.call("orchestrator", "ArtifactService.UploadArtifact", *parts)


def _light_from_behind(calls: CheckedCalls, name: str, content: bytes) -> None:
    picture = calls.put(content, _media_type(name))
    calls.relight({"light": {"sources": [{"background": {"image": picture}}]}})


def _light_from_around(calls: CheckedCalls, name: str, content: bytes) -> None:
    light = {"sources": [{"environment_map": {"map": calls.put(content, _media_type(name))}}]}
    calls.relight({"light": light})
    calls.caption(requested_light=light)


def _caption_with_maps(calls: CheckedCalls, _: str, content: bytes) -> None:
    normals = {"kind": INTRINSIC_KIND_NORMALS, "data": calls.put(content, "application/zip")}
    calls.caption(media=calls.corpus.artifacts["video"], intrinsics=[normals])


def _render_mesh(calls: CheckedCalls, name: str, content: bytes) -> None:
    mesh = calls.put(content, _media_type(name))
    scene = scene_of_mesh(calls.corpus.contents["scene"], mesh.uri, mesh.sha256)
    calls.relight({"light": key_light()}, scene=calls.put(scene, "application/vnd.lumenmill.scene+json"))


def _plan(calls: CheckedCalls, _: str, content: bytes) -> None:
    recipe = content.decode(errors="replace")
    calls.call("orchestrator", "RunService.PlanRecipe", run_pb2.PlanRecipeRequest(recipe=recipe))


# Light bases and scenes are mutated by `test_every_rpc`; files of prompts are read by the command alone.
_CALLS: dict[str, tuple[Callable[[CheckedCalls, str, bytes], None], ...]] = {
    "still": (_caption, _upload, _light_from_behind),
    "exr": (_caption, _light_from_around),
    "radiance": (_caption, _light_from_around),
    "clip": (_caption, _upload),
    "map-sequence": (_caption_with_maps,),
    "mesh": (_render_mesh,),
    "recipe": (_plan,),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in _FILES if kind in _CALLS])
def test_calls_with_mutants_are_answered(calls: CheckedCalls, kind: str, name: str) -> None:
    for index in range(_NUM_CALLS):
        for call in _CALLS[kind]:
            call(calls, name, _mutant(kind, name, index))
