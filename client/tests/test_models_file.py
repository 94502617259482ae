"""The file of models that a user adds to the local mesh."""

from pathlib import Path

import pytest

from lumenmill_client.mesh import Home, MeshOptions
from lumenmill_client.mesh._models_file import read_models_file
from lumenmill_client.mesh._services import services_of
from lumenmill_common.errors import InvalidArgumentError


def test_settings_become_the_environment_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("wan: {service: captioner, model: Wan2.1, memory_limit_gib: 40, offline: true}\n")
    (wan,) = read_models_file(path).values()
    assert wan.service == "captioner"
    assert wan.environment() == {
        "LUMENMILL_MODEL": "Wan2.1",
        "LUMENMILL_MEMORY_LIMIT_GIB": "40",
        "LUMENMILL_OFFLINE": "true",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wan: {service: vide}", "wan.service"),
        ("wan: {model: x}", "wan.service"),
        ("studio: {service: imager}", "is the name of a built-in process"),
        ("wan: [", "models.yaml"),
        ("wan: {service: captioner, devices: [0, 1]}", r"wan\.devices\.0"),
        ("wan: {service: captioner, devices: [cuda:x]}", r"wan\.devices\.0"),
        ("wan: {service: captioner, devices: [cuda:0, cuda:0]}", "names one twice"),
        ("wan: {service: captioner, devices: [cuda:0], device: cpu}", "not both"),
        ("wan: {service: captioner, devices: [cuda:0, cuda:2], gpus: 2}", "give one of both"),
    ],
)
def test_problems_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(InvalidArgumentError, match=message):
        read_models_file(path)


def test_every_problem_is_named(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("wan: {serivce: video}\n-flux: {service: imager}\n")
    with pytest.raises(InvalidArgumentError) as refused:
        read_models_file(path)
    assert [location.rpartition(": ")[2] for location, _ in refused.value.violations] == ["wan.service", "-flux.[key]"]


def test_each_device_of_a_model_gets_a_process(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("wan: {service: captioner, model: Wan2.1, devices: [cuda:0, cuda:3]}\n")
    specs = [spec for spec in services_of(MeshOptions(models_file=path), Home.at(tmp_path)) if spec.model == "wan"]
    assert {spec.name: spec.environment for spec in specs} == {
        "wan@cuda:0": {"LUMENMILL_MODEL": "Wan2.1", "LUMENMILL_DEVICE": "cuda:0"},
        "wan@cuda:3": {"LUMENMILL_MODEL": "Wan2.1", "LUMENMILL_DEVICE": "cuda:3"},
    }
