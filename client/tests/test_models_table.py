"""`lumenmill models` on a terminal of 80 columns."""

from rich.console import Console

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client.command._models import models_table

_REVISION = "0123456789abcdef0123456789abcdef01234567+entry@01234567+profile@fast+diffusers0.42.1"


def _printed(models: list[run_pb2.RegisteredModel]) -> str:
    console = Console(width=80, highlight=False)
    with console.capture() as captured:
        console.print(models_table(models))
    assert all(len(line) <= 80 for line in captured.get().splitlines())
    return captured.get()


def test_profile_placement_and_device_fit_80_columns() -> None:
    wan = run_pb2.RegisteredModel(name="Wan2.1-FLF2V-14B-720P", ready=True)
    wan.model.device, wan.model.revision = "NVIDIA H100 80GB HBM3", _REVISION
    wan.model.contracts.append("lumenmill.video.v1.VideoService")
    for name in ("balanced", "fast", "quality"):
        wan.model.presets.add(name=name).parameters.update({"profile": "fast", "placement": "model_offload"})
    studio = run_pb2.RegisteredModel(name="studio", ready=True)
    studio.model.device = "cpu:2 (llvm 19)"
    text = _printed([wan, studio])
    first, *rest = [line for line in text.splitlines() if line.strip()][1:]
    assert first.startswith("Wan2.1-FLF2V-14B-720P  ready  fast, model")
    assert "Wan2.1-FLF2V-14B-720P  ready" not in "".join(rest)
    column = slice(first.index("fast, model"), first.index("video"))
    device = " ".join(line[column].strip() for line in [first, *rest[: rest.index(_studio_line(rest))]])
    assert device.strip() == "fast, model offload on NVIDIA H100 80GB HBM3"
    assert "cpu:2 (llvm 19)" in " ".join(text.split())
    assert _REVISION in text.replace("\n", "").replace(" ", "")


def _studio_line(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith("studio"))


def test_an_unavailable_model_has_no_description() -> None:
    text = _printed([run_pb2.RegisteredModel(name="relighter")])
    assert "relighter  unavailable  —" in text and "revision" not in text
