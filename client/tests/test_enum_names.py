"""Enums are printed as options take them."""

import pytest

from lumenmill.common.v1.light_pb2 import LIGHT_KIND_AREA
from lumenmill.orchestrator.v1 import fleet_pb2, run_pb2
from lumenmill_client.command._enum_names import enum_choices, enum_name, enum_value
from lumenmill_client.command._output import document_of
from lumenmill_common.errors import InvalidArgumentError


def test_every_choice_is_taken_and_printed() -> None:
    for enum in (run_pb2.Verdict, run_pb2.ExportFormat, run_pb2.SplitRule):
        for choice in enum_choices(enum):
            assert enum_name(enum, enum_value(enum, choice, "--option")) == choice
    assert enum_choices(run_pb2.SplitRule) == ["scene-and-environment-map", "scene"]
    assert enum_value(run_pb2.Verdict, "VERDICT_FAILED", "--verdict") == run_pb2.VERDICT_FAILED


@pytest.mark.parametrize("name", ["", "good", "unspecified", "VERDICT_UNSPECIFIED"])
def test_another_name_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="is not one of: accepted, rejected, failed, skipped"):
        enum_value(run_pb2.Verdict, name, "--verdict")


def test_enums_within_messages_are_renamed() -> None:
    sample = run_pb2.Sample(kind=run_pb2.SAMPLE_KIND_CLIP, verdict=run_pb2.VERDICT_SKIPPED)
    sample.media["video"].media_type = "video/mp4"
    sample.requested_attributes.kinds.append(LIGHT_KIND_AREA)
    execution = run_pb2.StepExecution(verdict=run_pb2.VERDICT_ACCEPTED)
    execution.request.update({"verdict": "VERDICT_FAILED", "fields": {"state": "RUN_STATE_FAILED"}})
    execution.start_time.FromSeconds(1)
    document = document_of(run_pb2.GetLineageResponse(sample=sample, executions=[execution]))
    assert (document["sample"]["kind"], document["sample"]["verdict"]) == ("clip", "skipped")
    assert document["sample"]["requested_attributes"]["kinds"] == ["LIGHT_KIND_AREA"], "recipes read it again"
    assert document["executions"][0]["verdict"] == "accepted"
    assert document["executions"][0]["request"] == {
        "verdict": "VERDICT_FAILED",
        "fields": {"state": "RUN_STATE_FAILED"},
    }
    pods = fleet_pb2.GetFleetResponse(pods=[fleet_pb2.FleetPod(state=fleet_pb2.FLEET_POD_STATE_READY)])
    assert document_of(pods)["pods"][0]["state"] == "ready"


def test_a_value_of_a_newer_mesh_is_its_number() -> None:
    run = run_pb2.Run.FromString(bytes([3 << 3, 99]))
    assert enum_name(run_pb2.RunState, run.state) == document_of(run)["state"] == "99"
