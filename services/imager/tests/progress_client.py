"""A caller in a process of its own, to be killed: prints each progress event."""

import sys

import grpc

from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc


def main() -> None:
    request = imager_pb2.GenerateImagesRequest.FromString(bytes.fromhex(sys.argv[2]))
    with grpc.insecure_channel(sys.argv[1]) as channel:
        for event in imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages(request):
            print(event.progress.stage or event.WhichOneof("event"), event.progress.step, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
