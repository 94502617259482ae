"""Reference pages of the contracts, written from the comments of the .proto files."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from buf.validate import validate_pb2
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from lumenmill.common.v1 import access_pb2

__all__ = ["contract_pages", "read_contracts"]

_PROTOS = Path(__file__).parents[2] / "protos"
# Numbers of the fields of descriptors that a path of `SourceCodeInfo` is made of.
_MESSAGES, _ENUMS, _SERVICES, _FIELDS, _NESTED_MESSAGES, _NESTED_ENUMS, _MEMBERS = 4, 5, 6, 2, 3, 4, 2

_Path = tuple[int, ...]


def read_contracts(folder: Path = _PROTOS) -> list[FileDescriptorProto]:
    """Return the descriptors of every .proto file below a folder, with their comments.

    Raises:
        subprocess.CalledProcessError: a file does not compile; the compiler has printed why.
    """
    files = [str(path.relative_to(folder)) for path in sorted((folder / "lumenmill").rglob("*.proto"))]
    includes = ("-I", str(folder), "-I", str(_PROTOS / "third_party"))
    with tempfile.NamedTemporaryFile() as out:
        options = ("--include_source_info", f"--descriptor_set_out={out.name}")
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *includes, *options, *files], check=True)  # noqa: S603
        return list(FileDescriptorSet.FromString(Path(out.name).read_bytes()).file)


def contract_pages(files: Iterable[FileDescriptorProto]) -> dict[str, str]:
    """Return the Markdown of one page for each protobuf package, and of their index, by file name."""
    by_package: dict[str, list[FileDescriptorProto]] = {}
    for file in files:
        by_package.setdefault(file.package, []).append(file)
    pages = {f"{package}.md": _package_page(package, members) for package, members in by_package.items()}
    return {"index.md": _index_page(by_package), **pages}


def _index_page(by_package: dict[str, list[FileDescriptorProto]]) -> str:
    lines = ["# Contracts", "", "Generated from the comments of the `.proto` files.", ""]
    lines += ["| package | services | messages |", "|---|---|---|"]
    for package, files in by_package.items():
        services = ", ".join(f"`{service.name}`" for file in files for service in file.service)
        messages = sum(len(file.message_type) for file in files)
        lines.append(f"| [{package}]({package}.md) | {services} | {messages} |")
    return "\n".join([*lines, ""])


def _package_page(package: str, files: list[FileDescriptorProto]) -> str:
    documented = [_DocumentedFile(file) for file in files]
    lines = [f"# {package}", ""]
    for section in (_DocumentedFile.services, _DocumentedFile.messages, _DocumentedFile.enums):
        for file in documented:
            lines += section(file)
    return "\n".join(lines)


@dataclass(frozen=True)
class _DocumentedFile:
    """A file whose elements are written with their comments."""

    file: FileDescriptorProto

    def services(self) -> Iterator[str]:
        for number, service in enumerate(self.file.service):
            yield from self._service(service, (_SERVICES, number))

    def messages(self) -> Iterator[str]:
        for number, message in enumerate(self.file.message_type):
            yield from self._message(message, f"{self.file.package}.{message.name}", (_MESSAGES, number))

    def enums(self) -> Iterator[str]:
        for number, enum in enumerate(self.file.enum_type):
            yield from self._enum(enum, f"{self.file.package}.{enum.name}", (_ENUMS, number))

    def _service(self, service: ServiceDescriptorProto, path: _Path) -> Iterator[str]:
        yield from (_heading(service.name, f"{self.file.package}.{service.name}"), *self._comment(path))
        for number, method in enumerate(service.method):
            yield f"### {method.name} {{#{self.file.package}.{service.name}.{method.name}}}\n"
            yield f"{_rpc_types(method, self.file.package)}\n"
            yield from self._comment((*path, _MEMBERS, number))
            yield from _least_role(method)

    def _message(self, message: DescriptorProto, name: str, path: _Path) -> Iterator[str]:
        yield from (_heading(name.removeprefix(f"{self.file.package}."), name), *self._comment(path))
        maps = {f".{name}.{nested.name}": nested for nested in message.nested_type if nested.options.map_entry}
        if message.field:
            yield from ("| field | type | meaning |", "|---|---|---|")
        for number, field in enumerate(message.field):
            meaning = _one_line([*self._comment((*path, _FIELDS, number)), _oneof(message, field), _bounds(field)])
            yield f"| `{field.name}` | {_field_type(field, maps, self.file.package)} | {meaning} |"
        yield ""
        for number, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(nested, f"{name}.{nested.name}", (*path, _NESTED_MESSAGES, number))
        for number, enum in enumerate(message.enum_type):
            yield from self._enum(enum, f"{name}.{enum.name}", (*path, _NESTED_ENUMS, number))

    def _enum(self, enum: EnumDescriptorProto, name: str, path: _Path) -> Iterator[str]:
        yield from (_heading(name.removeprefix(f"{self.file.package}."), name), *self._comment(path))
        yield from ("| value | number | meaning |", "|---|---|---|")
        for number, value in enumerate(enum.value):
            yield f"| `{value.name}` | {value.number} | {_one_line(self._comment((*path, _MEMBERS, number)))} |"
        yield ""

    def _comment(self, path: _Path) -> list[str]:
        """Return the paragraphs in front of an element, including those that an empty line separates from it."""
        for location in self.file.source_code_info.location:
            if tuple(location.path) == path:
                comments = [*location.leading_detached_comments, location.leading_comments, location.trailing_comments]
                return [line for comment in comments if comment.strip() for line in (_markdown(comment), "")]
        return []


def _heading(title: str, anchor: str) -> str:
    return f"## {title} {{#{anchor}}}\n"


def _markdown(comment: str) -> str:
    """Return a comment without the space after `//`, and with escaped characters that Markdown takes for HTML."""
    lines = [line.removeprefix(" ").rstrip() for line in comment.strip("\n").splitlines()]
    return re.sub(r"<(?=[a-zA-Z/])", "&lt;", "\n".join(lines))


def _one_line(paragraphs: Iterable[str]) -> str:
    return " ".join(" ".join(paragraphs).split()).replace("|", "\\|")


def _least_role(method: MethodDescriptorProto) -> Iterator[str]:
    role = method.options.Extensions[access_pb2.least_role]
    if role:
        yield f"*Least role:* `{access_pb2.CallerRole.Name(role)}`.\n"


def _rpc_types(method: MethodDescriptorProto, package: str) -> str:
    request = ("stream of " if method.client_streaming else "") + _link(method.input_type, package)
    response = ("stream of " if method.server_streaming else "") + _link(method.output_type, package)
    return f"{request} → {response}"


def _field_type(field: FieldDescriptorProto, maps: dict[str, DescriptorProto], package: str) -> str:
    if field.type_name in maps:
        key, value = maps[field.type_name].field
        return f"map of {_scalar(key, package)} to {_scalar(value, package)}"
    prefix = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    return ("optional " if field.proto3_optional else prefix) + _scalar(field, package)


def _scalar(field: FieldDescriptorProto, package: str) -> str:
    if field.type_name:
        return _link(field.type_name, package)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _link(type_name: str, package: str) -> str:
    name = type_name.removeprefix(".")
    if not name.startswith("lumenmill."):
        return f"`{name}`"
    of = re.match(r"lumenmill\.\w+\.v\d+", name)
    assert of is not None, name  # noqa: S101 - buf lint requires it
    page = "" if of[0] == package else f"{of[0]}.md"
    return f"[{name.removeprefix(of[0] + '.')}]({page}#{name})"


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    if not field.HasField("oneof_index") or field.proto3_optional:
        return ""
    return f"*One of `{message.oneof_decl[field.oneof_index].name}`.*"


def _bounds(field: FieldDescriptorProto) -> str:
    """Return the rules of protovalidate that a server checks before it calls the family."""
    rules: Message = field.options.Extensions[validate_pb2.field]
    text = text_format.MessageToString(rules, as_one_line=True)
    # Rules of a type come wrapped in its name, `string { max_len: 9 }`, which the column of types says already.
    text = re.sub(r"^(?:\w+) \{ (.*) \}$", r"\1", text)
    return f"*Rule:* `{text}`." if text else ""
