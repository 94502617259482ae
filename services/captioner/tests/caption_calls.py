"""Requests of the captioner's tests."""

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import artifact_pb2, generation_pb2
from lumenmill_common.calls import call_heavy

Stub = captioner_pb2_grpc.CaptionerServiceStub


def request_for(subject: captioner_pb2.Subject, name: str = "r", **fields: object) -> captioner_pb2.CaptionRequest:
    return captioner_pb2.CaptionRequest(job=generation_pb2.JobOptions(request_id=name), subject=subject, **fields)


def inline(data: bytes, media_type: str) -> artifact_pb2.Artifact:
    return artifact_pb2.Artifact(inline_data=data, media_type=media_type)


async def caption_of(stub: Stub, artifact: artifact_pb2.Artifact, name: str = "r") -> captioner_pb2.CaptionResult:
    return await call_heavy(stub.Caption, request_for(captioner_pb2.Subject(media=artifact), name))
