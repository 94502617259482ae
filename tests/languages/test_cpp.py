"""The generated C++ compiles: no name of the contracts is a keyword or a macro."""

import shutil
from pathlib import Path

import pytest

from .clients import export_contracts, run_block
from .page import blocks_of

_TOOLS = ("g++", "protoc", "grpc_cpp_plugin")


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in _TOOLS) or not Path("/usr/include/google/protobuf/message.h").exists(),
    reason="g++, protobuf-compiler-grpc and libprotobuf-dev are not all installed",
)
def test_messages_compile(tmp_path: Path) -> None:
    export_contracts(tmp_path)
    (generate,) = blocks_of("C++ and C#", "sh")
    run_block(tmp_path, generate)
    headers = [path.relative_to(tmp_path) for path in tmp_path.glob("gen/cpp/lumenmill/**/*.pb.h")]
    messages = [header for header in headers if ".grpc." not in header.name]
    assert len(messages) >= 18
    (tmp_path / "all.cc").write_text("".join(f'#include "{header}"\n' for header in messages))
    run_block(tmp_path, "g++ -std=c++17 -fsyntax-only -I . -I gen/cpp all.cc")
