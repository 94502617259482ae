"""Every RPC of every contract is implemented, by a servicer or by a family."""

import inspect
import pkgutil
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import keda
import pytest
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

import lumenmill
from lumenmill_common.families import method_name

# The servicer of each contract, `module:class`.
SERVICERS = {
    "ArtifactService": "lumenmill_orchestrator.servicers.artifacts:ArtifactServicer",
    "ExternalScaler": "lumenmill_orchestrator.fleet.scaler:ScalerServicer",
    "JobService": "lumenmill_common.servicers:JobServicer",
    "ModelService": "lumenmill_common.servicers:ModelServicer",
    "RunService": "lumenmill_orchestrator.servicers.runs:RunServicer",
}
STUDIO = "lumenmill_studio.families.mitsuba_scenes:MitsubaScenes"
FAMILIES = {
    "CaptionerService": [
        "lumenmill_captioner.families.photometric:PhotometricFamily",
        "lumenmill_captioner.families.vision_language:VisionLanguageFamily",
    ],
    "ImagerService": ["lumenmill_imager.families:ImagerFamily", STUDIO],
    "PrompterService": [
        "lumenmill_prompter.families.grammar:GrammarFamily",
        "lumenmill_prompter.families.openai_compatible:OpenAIFamily",
    ],
    "RelighterService": ["lumenmill_relighter.families:RelighterFamily", STUDIO],
    "VideoService": [STUDIO, "lumenmill_video.families:VideoFamily"],
}


def _modules(ending: str) -> list[Any]:
    packages = [
        module for root in (lumenmill, keda) for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}.")
    ]
    return [import_module(module.name) for module in packages if module.name.endswith(ending)]


def _contracts() -> dict[str, ServiceDescriptor]:
    files: list[FileDescriptor] = [module.DESCRIPTOR for module in _modules("_pb2")]
    return {service.name: service for file in files for service in file.services_by_name.values()}


def _base_class(contract: str) -> type:
    (found,) = (
        vars(module)[f"{contract}Servicer"] for module in _modules("_pb2_grpc") if f"{contract}Servicer" in vars(module)
    )
    return found


def _class_of(name: str) -> type:
    module, _, class_name = name.partition(":")
    package = module.partition(".")[0]
    if find_spec(package) is None or ("vision_language" in module and find_spec("torch") is None):
        pytest.skip(f"{package} is not installed (make neural)")
    return getattr(import_module(module), class_name)


def test_every_contract_is_served() -> None:
    assert _contracts().keys() == SERVICERS.keys() | FAMILIES.keys()


@pytest.mark.parametrize("contract", SERVICERS)
def test_servicers_implement_all_methods(contract: str) -> None:
    base, served = _base_class(contract), _class_of(SERVICERS[contract])
    methods = [method for method, _ in inspect.getmembers(base, inspect.isfunction)]
    assert methods
    assert issubclass(served, base)
    assert [method for method in methods if getattr(served, method) is getattr(base, method)] == []


@pytest.mark.parametrize(
    ("contract", "family"), [(contract, each) for contract in FAMILIES for each in FAMILIES[contract]]
)
def test_a_family_has_a_method_for_each_rpc(contract: str, family: str) -> None:
    served, rpcs = _class_of(family), [method_name(method.name) for method in _contracts()[contract].methods]
    assert rpcs
    assert [rpc for rpc in rpcs if not callable(getattr(served, rpc, None))] == []
