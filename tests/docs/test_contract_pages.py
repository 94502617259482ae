"""Reference pages say what the comments of the contracts say."""

from pathlib import Path

from docs.tools.contract_pages import contract_pages, read_contracts

_PROTO = """
syntax = "proto3";
package lumenmill.toy.v1;
import "buf/validate/validate.proto";

// What holds for the whole file.

// Makes toys.
service ToyService {
  // Makes one toy.
  rpc MakeToy(MakeToyRequest) returns (stream MakeToyResponse);
}

// Asks for a toy.
message MakeToyRequest {
  // Kind of toy; `a|b`.
  Kind kind = 1;
  // Number of toys.
  optional int32 num_toys = 2 [(buf.validate.field).int32 = {gte: 1, lte: 9}];
  // Names by number.
  map<int32, string> names = 3;
}

// One toy.
message MakeToyResponse {
  oneof result {
    // Its words.
    string text = 1;
  }
}

// Kinds of toys.
enum Kind {
  // Not stated.
  KIND_UNSPECIFIED = 0;
}
"""


def _page(tmp_path: Path) -> str:
    folder = tmp_path / "lumenmill" / "toy" / "v1"
    folder.mkdir(parents=True)
    (folder / "toy.proto").write_text(_PROTO)
    return contract_pages(read_contracts(tmp_path))["lumenmill.toy.v1.md"]


def test_services_have_their_comments_and_links_to_their_messages(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert "## ToyService {#lumenmill.toy.v1.ToyService}\n\nWhat holds for the whole file.\n\nMakes toys.\n" in page
    request, response = (f"[MakeToy{kind}](#lumenmill.toy.v1.MakeToy{kind})" for kind in ("Request", "Response"))
    assert f"{request} → stream of {response}\n\nMakes one toy.\n" in page


def test_fields_have_types_comments_and_rules(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert "| `kind` | [Kind](#lumenmill.toy.v1.Kind) | Kind of toy; `a\\|b`. |" in page
    assert "| `num_toys` | optional int32 | Number of toys. *Rule:* `lte: 9 gte: 1`. |" in page
    assert "| `names` | map of int32 to string | Names by number. |" in page
    assert "| `text` | string | Its words. *One of `result`.* |" in page
    assert "| `KIND_UNSPECIFIED` | 0 | Not stated. |" in page


def test_rpcs_have_their_least_role() -> None:
    page = contract_pages(read_contracts())["lumenmill.orchestrator.v1.md"]
    collection = page.partition("ArtifactService.CollectGarbage}")[2].partition("###")[0]
    assert "*Least role:* `CALLER_ROLE_ADMIN`." in collection


def test_every_package_of_the_repository_has_a_page() -> None:
    pages = contract_pages(read_contracts())
    assert "lumenmill.common.v1.md" in pages
    assert all(f"({name})" in pages["index.md"] for name in pages if name != "index.md")
