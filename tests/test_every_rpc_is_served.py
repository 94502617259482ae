"""Every RPC of every contract is answered by each servicer that we serve: none is left to gRPC's base class."""

import inspect
import pkgutil
from importlib import import_module
from importlib.util import find_spec

import keda
import lumenmill
import pytest

# Who serves each contract, `module:class`; the private ones are the kit's own.
SERVED_BY = {
    "ArtifactServiceServicer": ["lumenmill_orchestrator.servicers.artifacts:ArtifactServicer"],
    "CaptionerServiceServicer": ["lumenmill_captioner.servicer:CaptionerServicer"],
    "ExternalScalerServicer": ["lumenmill_orchestrator.fleet.scaler:ScalerServicer"],
    "ImagerServiceServicer": [
        "lumenmill_imager.servicer:ImagerServicer",
        "lumenmill_studio.servicers.imager:ImagerServicer",
    ],
    "JobServiceServicer": ["lumenmill_common.serve:_JobServicer"],
    "ModelServiceServicer": ["lumenmill_common.serve:_ModelServicer"],
    "PrompterServiceServicer": ["lumenmill_prompter.servicer:PrompterServicer"],
    "RelighterServiceServicer": [
        "lumenmill_relighter.servicer:RelighterServicer",
        "lumenmill_studio.servicers.relighter:RelighterServicer",
    ],
    "RunServiceServicer": ["lumenmill_orchestrator.servicers.runs:RunServicer"],
    "VideoServiceServicer": [
        "lumenmill_studio.servicers.video:VideoServicer",
        "lumenmill_video.servicer:VideoServicer",
    ],
}


def _base_classes() -> dict[str, type]:
    found = {}
    for package in (lumenmill, keda):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("_pb2_grpc"):
                members = inspect.getmembers(import_module(module.name), inspect.isclass)
                found |= {name: each for name, each in members if name.endswith("Servicer")}
    return found


def test_every_contract_has_somebody_who_serves_it() -> None:
    assert _base_classes().keys() == SERVED_BY.keys()


@pytest.mark.parametrize(
    ("contract", "servicer"), [(contract, each) for contract, servicers in SERVED_BY.items() for each in servicers]
)
def test_no_method_is_left_to_the_base_class(contract: str, servicer: str) -> None:
    module, _, name = servicer.partition(":")
    room = module.partition(".")[0]
    if find_spec(room) is None:
        pytest.skip(f"{room} is not installed (make neural)")
    base, served = _base_classes()[contract], getattr(import_module(module), name)
    methods = [method for method, _ in inspect.getmembers(base, inspect.isfunction)]
    assert methods
    assert issubclass(served, base)
    assert [method for method in methods if getattr(served, method) is getattr(base, method)] == []
