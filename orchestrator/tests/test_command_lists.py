"""What `samples`, `runs` and `lineage` print: texts as they are, whole ids, and enums as options take them."""

from lumenmill_common.errors import InvalidArgumentError

from .commands import run_command
from .conftest import LocalMesh
from .recipes import ONE_IMAGE, SMALL

_CAPTION = "A [red]lamp[/nope] :lemon: \x1b[31m in \u202ea room\x9b1m."
_SHOWN = r"A [red]lamp[/nope] :lemon: \x1b[31m in \u202ea room\x9b1m."


async def test_texts_of_models_are_printed_as_text(mesh: LocalMesh) -> None:
    mesh.family.caption_result.text = _CAPTION
    run = await mesh.run(ONE_IMAGE, {"prompt": "[/b]"})
    listed = await run_command(mesh, "samples", run.id)
    assert listed.code == 0, listed.err
    assert _SHOWN in listed.out
    documents = await run_command(mesh, "samples", "--json")
    assert documents.document[0]["caption"] == _CAPTION
    assert "\x9b" not in documents.out and "\u202e" not in documents.out, "a terminal may be shown the JSON too"
    captioned = await run_command(mesh, "caption", _picture(mesh))
    assert captioned.out.strip() == _SHOWN


def _picture(mesh: LocalMesh) -> str:
    path = mesh.folder / "picture.png"
    path.write_bytes(mesh.store.read_bytes(mesh.family.picture("x")))
    return str(path)


async def test_reasons_and_progress_of_runs_are_printed_as_text(mesh: LocalMesh) -> None:
    mesh.family.failures["image"] = [InvalidArgumentError("prompt", f"is {_CAPTION}")]
    (mesh.folder / "recipe.yaml").write_text(ONE_IMAGE)
    ran = await run_command(mesh, "run", "recipe.yaml")
    assert ran.code == 1 and _SHOWN in ran.out, ran.err
    refused = await run_command(mesh, "lineage", "[/nope]")
    assert refused.code == 4 and "[/nope]" in refused.err


async def test_groups_are_listed_whole_and_found_by_how_they_begin(mesh: LocalMesh) -> None:
    run = await mesh.run(SMALL, {"num_sets": 2})
    groups = sorted({sample.group_id for sample in await mesh.samples(run_id=run.id)})
    first, second = groups
    listed = (await run_command(mesh, "samples", run.id)).out
    assert first in listed and second in listed
    length = next(index for index, (one, other) in enumerate(zip(first, second, strict=True)) if one != other) + 1
    for named in (first, first[:length]):
        found = await run_command(mesh, "samples", "--group", named, "--json")
        assert {sample["group_id"] for sample in found.document} == {first}
        assert len(found.document) == 3
    ambiguous = await run_command(mesh, "samples", "--group", first[: length - 1])
    assert ambiguous.code == 2 and "2 light groups begin with" in ambiguous.err and second in ambiguous.err
    unknown = await run_command(mesh, "samples", "--group", "g-nowhere")
    assert unknown.code == 4 and "g-nowhere" in unknown.err


async def test_enums_have_the_names_that_options_take(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = 90.0
    run = await mesh.run(SMALL, {"num_sets": 1})
    rejected = (await run_command(mesh, "samples", "--verdict", "rejected", "--json")).document
    assert [(sample["kind"], sample["verdict"]) for sample in rejected] == [("image", "rejected")]
    again = await run_command(mesh, "samples", "--verdict", "VERDICT_REJECTED", "--kind", "IMAGE", "--json")
    assert again.document == rejected, "names of the contract are understood too"
    wrong = await run_command(mesh, "samples", "--verdict", "good")
    assert wrong.code == 2 and "'good' is not one of: accepted, rejected, failed, skipped" in wrong.err
    assert (await run_command(mesh, "runs", "--json")).document[0]["state"] == "completed"
    lineage = (await run_command(mesh, "lineage", rejected[0]["id"], "--json")).document
    assert {execution["verdict"] for execution in lineage["executions"]} == {"accepted", "rejected"}
    assert lineage["sample"]["run_id"] == run.id
    shown = await run_command(mesh, "samples", "--help")
    assert "accepted|rejected|failed|skipped" in shown.out


async def test_runs_are_listed_with_their_failed_calls(mesh: LocalMesh) -> None:
    mesh.family.failures["caption"] = [InvalidArgumentError("media", "no")] * 2
    await mesh.run(ONE_IMAGE, {"tags": ["a", "b", "c"]})
    header, row = (await run_command(mesh, "runs")).out.splitlines()
    assert row[header.index("failed calls") :].split()[0] == "2"
