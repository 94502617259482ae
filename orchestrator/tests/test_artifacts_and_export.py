"""ArtifactService, and exports over gRPC."""

import asyncio
import base64
import hashlib
import io
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2 as service_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common import interceptors
from lumenmill_common.interceptors import check_bounds
from lumenmill_media import encode_exr, write_clip
from lumenmill_orchestrator.exporters.columns import SCHEMA
from lumenmill_orchestrator.servicers import open_uploads

from .conftest import LocalMesh, open_mesh
from .recipes import ONE_IMAGE, SMALL


async def _upload(mesh: LocalMesh, data: bytes, media_type: str = "image/png", sha256: str = "") -> Any:
    async def parts() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        header = service_pb2.UploadHeader(media_type=media_type, name="photo.png", sha256=sha256)
        yield service_pb2.UploadArtifactRequest(header=header)
        for start in range(0, len(data), 1 << 20):
            yield service_pb2.UploadArtifactRequest(chunk=data[start : start + (1 << 20)])

    return (await mesh.artifacts.UploadArtifact(parts())).artifact


async def _download(mesh: LocalMesh, sha256: str, **more: int) -> bytes:
    request = service_pb2.DownloadArtifactRequest(sha256=sha256, **more)
    return b"".join([response.chunk async for response in mesh.artifacts.DownloadArtifact(request)])


async def test_uploads_do_not_fill_the_scratch_disk(tmp_path: Path) -> None:
    has_begun, may_continue = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        yield service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type="application/octet-stream"))
        yield service_pb2.UploadArtifactRequest(chunk=bytes(1 << 20))
        has_begun.set()
        await may_continue.wait()

    async def error_of(mesh: LocalMesh, data: bytes) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as rejected:
            await _upload(mesh, data, "application/octet-stream")
        assert rejected.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        return rejected.value.details() or ""

    largest = os.urandom(3 << 20)
    async with open_mesh(tmp_path, max_upload_bytes=len(largest)) as mesh:
        slow = mesh.artifacts.UploadArtifact(slowly())
        await has_begun.wait()
        await asyncio.sleep(0.3)
        assert "all running uploads together exceed" in await error_of(mesh, largest)
        may_continue.set()
        await slow
        assert "exceeds the limit of 3145728 bytes (LUMENMILL_MAX_UPLOAD_BYTES)" in await error_of(mesh, largest + b".")
        assert (await _upload(mesh, largest, "application/octet-stream")).size_bytes == len(largest)


async def test_downloads_return_the_uploaded_bytes(mesh: LocalMesh) -> None:
    data = os.urandom((2 << 20) + 7)
    artifact = await _upload(mesh, data, "application/octet-stream", hashlib.sha256(data).hexdigest())
    assert artifact.size_bytes == len(data)
    assert await _download(mesh, artifact.sha256) == data
    assert await _download(mesh, artifact.sha256, offset_bytes=5, length_bytes=(1 << 20) + 3) == data[5 : (1 << 20) + 8]


async def test_large_messages_of_a_stream_are_not_checked_on_the_event_loop(
    mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_loop: dict[int, bool] = {}

    def spied(message: Any) -> None:
        if isinstance(message, service_pb2.UploadArtifactRequest):  # the orchestrator reads its models meanwhile
            on_loop[len(message.chunk)] = threading.current_thread() is threading.main_thread()
        check_bounds(message)

    monkeypatch.setattr(interceptors, "check_bounds", spied)
    await _upload(mesh, os.urandom((1 << 20) + 7), "application/octet-stream")
    assert on_loop == {0: True, 1 << 20: False, 7: True}


async def test_uploaded_images_have_facts(mesh: LocalMesh) -> None:
    artifact = await _upload(mesh, mesh.store.read_bytes(mesh.family.picture("x")))
    assert (artifact.image.width_px, artifact.image.height_px, artifact.name) == (1, 1, "photo.png")


async def test_uploaded_clips_have_facts(mesh: LocalMesh, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, np.zeros((9, 48, 64, 3), np.uint8), (64, 48), 12.0)
    artifact = await _upload(mesh, path.read_bytes(), "application/octet-stream")
    assert artifact.video == artifact_pb2.VideoFacts(width_px=64, height_px=48, num_frames=9, fps=12.0, codec="h264")


async def test_uploaded_linear_images_have_facts(mesh: LocalMesh) -> None:
    exr = encode_exr(np.ones((20, 40, 3), np.float32))
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n+X 40 -Y 20\n" + bytes(4 * 20 * 40)
    for data, extension in ((exr, ".exr"), (radiance, ".hdr")):
        artifact = await _upload(mesh, data, "application/octet-stream")
        assert artifact.uri.endswith(extension) and artifact.image == artifact_pb2.ImageFacts(
            width_px=40, height_px=20, num_channels=3, color_space=artifact_pb2.COLOR_SPACE_LINEAR_REC709
        )


@pytest.mark.parametrize(
    "data", [b"\x76\x2f\x31\x01" + bytes(99), b"\x1aE\xdf\xa3" + bytes(99)], ids=["EXR", "Matroska"]
)
async def test_damaged_uploads_are_kept_without_facts(mesh: LocalMesh, data: bytes) -> None:
    artifact = await _upload(mesh, data, "application/octet-stream")
    assert artifact.size_bytes == len(data) and artifact.WhichOneof("facts") is None


async def test_inline_artifacts_of_parameters_get_facts(mesh: LocalMesh) -> None:
    recipe = ONE_IMAGE.replace('type: "list[string]", default: [one]', 'type: "list[artifact]"').replace(" ${item}", "")
    exr = base64.b64encode(encode_exr(np.ones((20, 40, 3), np.float32))).decode()
    run = await mesh.ended(await mesh.submit(recipe, {"tags": [{"inline_data": exr, "media_type": "image/x-exr"}]}))
    assert run.parameters["tags"][0]["image"]["width_px"] == 40


@pytest.mark.parametrize(
    ("data", "media_type", "sha256"), [(b"x", "image/png", "0" * 64), (b"x", "no/such", ""), (b"", "image/png", "")]
)
async def test_invalid_uploads_are_rejected(mesh: LocalMesh, data: bytes, media_type: str, sha256: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await _upload(mesh, data, media_type, sha256)
    assert rejected.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("stated", ["image/jpeg", "video/mp4", "application/octet-stream"])
async def test_the_bytes_of_an_image_decide_its_media_type(mesh: LocalMesh, stated: str) -> None:
    png = mesh.store.read_bytes(mesh.family.picture("x"))
    artifact = await _upload(mesh, png, stated)
    assert (artifact.media_type, artifact.uri[-4:]) == ("image/png", ".png") and artifact.image.width_px > 0


async def test_linear_values_in_a_png_are_not_called_srgb(mesh: LocalMesh) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20)).save(buffer, "PNG", pnginfo=info)
    facts = (await _upload(mesh, buffer.getvalue(), "image/png")).image
    assert (facts.width_px, facts.height_px, facts.color_space) == (40, 20, artifact_pb2.COLOR_SPACE_UNSPECIFIED)


async def test_a_lying_photograph_is_described_upright(mesh: LocalMesh) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif)
    facts = (await _upload(mesh, buffer.getvalue(), "image/jpeg")).image
    assert (facts.width_px, facts.height_px) == (20, 40)


async def test_a_format_that_is_not_read_is_refused_by_its_name(mesh: LocalMesh) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "TIFF")
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await _upload(mesh, buffer.getvalue(), "image/png")
    assert rejected.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "header.media_type: photo.png is a TIFF image, which is not read; convert it to PNG" in str(rejected.value)


async def test_unknown_artifacts_are_not_found(mesh: LocalMesh) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await _download(mesh, "0" * 64)
    assert rejected.value.code() is grpc.StatusCode.NOT_FOUND


async def test_parameters_must_name_artifacts_of_the_store(mesh: LocalMesh) -> None:
    recipe = ONE_IMAGE.replace('type: "list[string]", default: [one]', 'type: "list[artifact]"').replace(" ${item}", "")
    for uri in ("file:///etc/passwd", mesh.store.uri_for("0" * 64, "image/png")):
        with pytest.raises(grpc.aio.AioRpcError) as rejected:
            await mesh.submit(recipe, {"tags": [{"uri": uri}]})
        assert rejected.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "parameters.tags[0]" in (rejected.value.details() or "")


async def test_the_store_is_listed_verified_and_collected(mesh: LocalMesh) -> None:
    run = await mesh.run(SMALL)
    unused = await _upload(mesh, b"not referred to", "text/plain")
    listed = []
    token = ""
    while True:
        page = await mesh.artifacts.ListArtifacts(service_pb2.ListArtifactsRequest(page_size=3, page_token=token))
        listed += [artifact.sha256 for artifact in page.artifacts]
        token = page.next_page_token
        if not token:
            break
    assert unused.sha256 in listed and listed == sorted(set(listed))

    async def collect(*, dry_run: bool) -> Any:
        request = service_pb2.CollectGarbageRequest(dry_run=dry_run, min_age_s=0)
        return [response async for response in mesh.artifacts.CollectGarbage(request)][-1]

    assert (await collect(dry_run=True)).num_removed == 1
    assert await _download(mesh, unused.sha256)
    collected = await collect(dry_run=False)
    assert (collected.num_removed, collected.num_examined) == (1, len(listed))
    for sample in await mesh.samples(run_id=run.id):
        for artifact in sample.media.values():
            assert mesh.store.verify(artifact)


def _damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"damaged")


async def test_damaged_artifacts_are_found(mesh: LocalMesh) -> None:
    artifact = await _upload(mesh, b"intact", "text/plain")
    _damage(Path(artifact.uri.removeprefix("file://")))
    responses = [r async for r in mesh.artifacts.VerifyStore(service_pb2.VerifyStoreRequest())]
    assert [r.damaged.sha256 for r in responses if r.HasField("damaged")] == [artifact.sha256]
    assert responses[-1].num_checked == 1


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("embed_media", [True, False])
async def test_a_run_is_exported_and_opened_by_datasets(mesh: LocalMesh, tmp_path: Path, embed_media: bool) -> None:
    from datasets import Image, load_dataset

    run = await mesh.run(SMALL, {"num_sets": 30})
    request = run_pb2.ExportRunRequest(run_id=run.id, format=run_pb2.EXPORT_FORMAT_PARQUET, embed_media=embed_media)
    responses = [response async for response in mesh.runs.ExportRun(request)]
    result = responses[-1].result
    assert result.num_samples == 90
    folder = tmp_path / "dataset"
    for file in result.files:
        _write(folder / file.path, mesh.store.read_bytes(file.artifact))
    dataset = load_dataset("parquet", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert sum(split.num_rows for split in dataset.values()) == 90
    groups = {name: set(split["group_id"]) for name, split in dataset.items()}
    assert sum(len(ids) for ids in groups.values()) == 30, "a group is in one split"
    train = dataset["train"]
    assert isinstance(train.features["image"], Image)
    assert train.column_names == SCHEMA.names
    row = next(row for row in train.select_columns([n for n in SCHEMA.names if n != "media"]) if row["step"] == "image")
    assert row["image"].size == (1, 1)
    assert (row["requested_kind"], row["requested_azimuth_deg"]) == ("directional", 10.0)
    assert (row["requested_irradiance"], row["measured_azimuth_deg"]) == (3.0, 12.0)
    assert row["error_direction_deg"] == pytest.approx(2.0, abs=1e-4), "the columns are 2° apart"
    assert row["requested_sh"] is None and row["video"] is None
    assert row["licences"][0]["spdx_id"] == "CC0-1.0"


async def test_an_export_without_a_format_or_run_is_rejected(mesh: LocalMesh) -> None:
    for request, code in (
        (run_pb2.ExportRunRequest(run_id="unknown", format=run_pb2.EXPORT_FORMAT_PARQUET), grpc.StatusCode.NOT_FOUND),
        (run_pb2.ExportRunRequest(run_id="unknown"), grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as rejected:
            _ = [response async for response in mesh.runs.ExportRun(request)]
        assert rejected.value.code() is code


async def test_garbage_collection_spares_old_files_whose_bytes_are_young_under_another_media_type(
    mesh: LocalMesh,
) -> None:
    old = await _upload(mesh, b"the same bytes", "text/plain")
    os.utime(old.uri.removeprefix("file://"), (0, 0))
    await _upload(mesh, b"the same bytes", "text/csv")
    request = service_pb2.CollectGarbageRequest(min_age_s=60)
    assert [response async for response in mesh.artifacts.CollectGarbage(request)][-1].num_removed == 0
    assert await _download(mesh, old.sha256) == b"the same bytes"
    everything = service_pb2.CollectGarbageRequest(min_age_s=0)
    assert [response async for response in mesh.artifacts.CollectGarbage(everything)][-1].num_removed == 2


async def test_broken_images_are_stored_without_facts(mesh: LocalMesh) -> None:
    whole = mesh.store.read_bytes(mesh.family.picture("x"))
    assert not (await _upload(mesh, whole[:20], "image/png")).HasField("image")


@pytest.mark.parametrize("data", [b"%!PS-Adobe-3.0 EPSF-3.0", b"ffconcat version 1.0\nfile 'other.mp4'\n"])
@pytest.mark.parametrize("media_type", ["image/png", "video/mp4"])
async def test_bytes_that_are_not_of_the_declared_type_are_refused(
    mesh: LocalMesh, data: bytes, media_type: str
) -> None:
    with pytest.raises(
        grpc.aio.AioRpcError, match=f"photo.png begins as no file .* declared as {media_type}"
    ) as refused:
        await _upload(mesh, data, media_type)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def _until_it_ends(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call
    return ended.value


async def test_an_idle_upload_ends_and_gives_its_reservation_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_uploads, "_MAX_IDLE_S", 0.3)

    async def stalled() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        yield service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type="application/octet-stream"))
        yield service_pb2.UploadArtifactRequest(chunk=bytes(1 << 20))
        await asyncio.Event().wait()

    async with open_mesh(tmp_path, max_upload_bytes=1 << 20) as mesh:
        error = await asyncio.wait_for(_until_it_ends(mesh.artifacts.UploadArtifact(stalled())), 10)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and "no data for 0.3 s" in (error.details() or "")
        assert (await _upload(mesh, bytes(1 << 20), "application/octet-stream")).size_bytes == 1 << 20


async def test_an_upload_of_a_few_bytes_at_a_time_ends(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_uploads, "_MAX_IDLE_S", 0.5)

    async def dripping() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        yield service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type="application/octet-stream"))
        while True:
            yield service_pb2.UploadArtifactRequest(chunk=b"x")
            await asyncio.sleep(0.05)

    error = await asyncio.wait_for(_until_it_ends(mesh.artifacts.UploadArtifact(dripping())), 10)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and "too slow" in (error.details() or "")


async def test_chunks_without_bytes_are_refused(mesh: LocalMesh) -> None:
    header = service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type="text/plain"))
    chunks = [service_pb2.UploadArtifactRequest(chunk=data) for data in (b"light", b"")]
    error = await _until_it_ends(mesh.artifacts.UploadArtifact(iter([header, *chunks])))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and "chunk: is empty" in (error.details() or "")


async def test_a_caller_has_a_bounded_number_of_open_uploads(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_uploads, "_MAX_OPEN_PER_CALLER", 2)
    ended = asyncio.Event()

    async def open_for_long() -> AsyncIterator[service_pb2.UploadArtifactRequest]:
        yield service_pb2.UploadArtifactRequest(header=service_pb2.UploadHeader(media_type="text/plain"))
        await ended.wait()
        yield service_pb2.UploadArtifactRequest(chunk=b"light")

    calls = [asyncio.ensure_future(mesh.artifacts.UploadArtifact(open_for_long())) for _ in range(3)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    error = await _until_it_ends(done.pop())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "2 uploads are open already" in (error.details() or "")
    ended.set()
    await asyncio.wait(calls)
    assert (await _upload(mesh, b"again", "text/plain")).size_bytes == 5


async def test_weights_of_models_are_not_collected(mesh: LocalMesh) -> None:
    content = (2).to_bytes(8, "little") + b"{}"  # safetensors: the length of the header, and the header
    weights = await _upload(mesh, content, "application/vnd.safetensors")
    everything = service_pb2.CollectGarbageRequest(min_age_s=0)
    _ = [response async for response in mesh.artifacts.CollectGarbage(everything)]
    assert await _download(mesh, weights.sha256) == content
