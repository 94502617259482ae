"""docs/other-languages.md: its commands generate code, and its code is that of the clients in tests/languages.

The clients themselves are built and run by `make test-languages`.
"""

import shutil
from pathlib import Path

import pytest

from tests.languages.clients import FOLDER, export_contracts, run_block
from tests.languages.page import blocks_of, sections

_SOURCES = {"go": "go/*.go", "typescript": "typescript/src/*.ts"}


needs_protoc = pytest.mark.skipif(
    shutil.which("protoc") is None or shutil.which("grpc_cpp_plugin") is None,
    reason="protoc and grpc_cpp_plugin are not installed (Debian: protobuf-compiler-grpc)",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export_contracts(tmp_path)
    return tmp_path


@needs_protoc
def test_code_for_java_is_generated_below_the_package_of_its_user(folder: Path) -> None:
    (configuration,), (generate,) = blocks_of("Java", "yaml"), blocks_of("Java", "sh")
    (folder / "buf.gen.yaml").write_text(configuration)
    run_block(folder, generate)
    request = folder / "gen/java/com/example/lumenmill/captioner/v1/CaptionRequest.java"
    assert "package com.example.lumenmill.captioner.v1;" in request.read_text()
    assert list(folder.glob("gen/java/**/validate/FieldRules.java"))


@needs_protoc
def test_code_for_cpp_and_csharp_is_generated_for_every_contract(folder: Path) -> None:
    (generate,) = blocks_of("C++ and C#", "sh")
    run_block(folder, generate)
    contracts = [path.relative_to(folder / "protos") for path in folder.glob("protos/lumenmill/**/*.proto")]
    assert len(contracts) >= 18
    for ending in (".pb.cc", ".grpc.pb.cc"):
        assert not [path for path in contracts if not (folder / "gen/cpp" / path).with_suffix(ending).exists()]
    header = (folder / "gen/cpp/lumenmill/captioner/v1/captioner.grpc.pb.h").read_text()
    assert "namespace lumenmill {\nnamespace captioner {\nnamespace v1 {" in header
    assert (
        "namespace Lumenmill.Captioner.V1 {" in (folder / "gen/csharp/Lumenmill/Captioner/V1/Captioner.cs").read_text()
    )


@needs_protoc
def test_without_managed_mode_java_has_the_packages_of_the_contracts(folder: Path) -> None:
    run_block(folder, "mkdir java; protoc -I protos --java_out=java protos/lumenmill/captioner/v1/captioner.proto")
    assert (folder / "java/dev/lumenmill/captioner/v1/CaptionRequest.java").exists()


@pytest.mark.parametrize("language", _SOURCES)
def test_code_of_the_page_is_that_of_the_client(language: str) -> None:
    files = [_without_indent(path.read_text()) for path in FOLDER.glob(_SOURCES[language])]
    snippets = [code for heading in sections() for code in blocks_of(heading, language)]
    assert len(snippets) >= 4
    for snippet in snippets:
        assert any(_without_indent(snippet) in text for text in files), snippet


@pytest.mark.parametrize(("heading", "language"), [("Go", "go"), ("TypeScript", "typescript")])
def test_configuration_of_the_page_is_that_of_the_client(heading: str, language: str) -> None:
    assert blocks_of(heading, "yaml") == [(FOLDER / language / "buf.gen.yaml").read_text()]


def _without_indent(code: str) -> str:
    return "\n".join(line.strip() for line in code.splitlines())
