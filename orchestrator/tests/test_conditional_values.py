"""A value with `when:` is left out, or replaced by another, unless its condition holds."""

from typing import Any

import pytest

from lumenmill_orchestrator.recipe import KnownModel, check_recipe

from .conftest import LocalMesh

_RECIPE = """\
lumenmill: 1
name: conditional
parameters:
  words: {type: "list[string]", default: [a kettle]}
  edits: {type: "list[string]", default: [dim it, light it]}
  lit: {type: bool, default: true}
  tone: {type: string, default: ""}
source: {items: "${params.words}"}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    with:
      prompt: {when: {value: "${params.lit}", equals: true}, value: "${item} by day", otherwise: "${item} at night"}
      light: {when: {value: "${params.lit}", equals: true}, value: {text: "light of ${item}"}}
      scene:
        subjects:
          - ${item}
          - {when: {value: "${params.lit}", equals: true}, value: a lamp}
        materials: {when: {value: "${params.lit}", equals: true}, value: [brass], otherwise: [clay, oak]}
        place:
          when: {value: "${params.tone}", empty: true}
          value: somewhere
          otherwise: {when: {value: "${params.tone}", equals: warm}, value: in the warmth}
  relit:
    call: relighter.Relight
    model: tiny
    with:
      variants:
        for_each: ${params.edits}
        value:
          edit_prompt: ${each}
          light: {when: {value: "${each_index}", above: 0}, value: {text: "${each}"}}
samples:
  image:
    kind: image
    media:
      image: ${image.images[0].image}
      scene: {when: {value: "${params.lit}", equals: true}, value: "${image.images[0].scene}"}
    prompt: {when: {value: "${params.lit}", equals: true}, value: "${item} by day"}
    requested_light: {when: {value: "${params.lit}", equals: true}, value: "${relit.variants[1].light}"}
"""


async def _asked(mesh: LocalMesh, **parameters: Any) -> tuple[Any, Any, Any]:
    """Return the first request for an image and for variants, and the sample."""
    run = await mesh.run(_RECIPE, parameters)
    requests = dict(reversed(mesh.family.requests))
    (sample,) = await mesh.samples(run_id=run.id)
    return requests["image"], requests["relight"], sample


async def test_values_are_used_where_their_condition_holds(mesh: LocalMesh) -> None:
    image, relight, sample = await _asked(mesh)
    assert (image.prompt, image.light.text) == ("a kettle by day", "light of a kettle")
    assert (list(image.scene.subjects), list(image.scene.materials)) == (["a kettle", "a lamp"], ["brass"])
    assert image.scene.place == "somewhere"
    assert [variant.light.text for variant in relight.variants] == ["", "light it"]
    assert not relight.variants[0].HasField("light")
    assert (sample.prompt, sample.requested_light.text, set(sample.media)) == (
        "a kettle by day", "light it", {"image", "scene"}
    )  # fmt: skip


async def test_values_are_left_out_or_replaced_where_it_does_not(mesh: LocalMesh) -> None:
    image, _, sample = await _asked(mesh, lit=False, tone="cool")
    assert image.prompt == "a kettle at night" and not image.HasField("light")
    assert (list(image.scene.subjects), list(image.scene.materials)) == (["a kettle"], ["clay", "oak"])
    assert image.scene.place == ""
    assert sample.prompt == "" and not sample.HasField("requested_light") and set(sample.media) == {"image"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('value: {text: "light of ${item}"}', "", "`when` needs a `value:`"),
        ("otherwise: [clay, oak]", "else: [clay, oak]", "unknown key `else`"),
        ("otherwise: [clay, oak]", "otherwise: clay", "`materials` is a list of string"),
        ("{text: \"light of ${item}\"}", "{txt: day}", "Light has no field `txt`; did you mean `text`?"),
        ("{text: \"light of ${item}\"}", '"${item}"', "`light` is a Light, but `${item}` is a string"),
        ('value: {text: "${each}"}', 'value: {text: "${eech}"}', "did you mean `each`?"),
        ("value: a lamp", "value: 3", "an element of `subjects` is a string"),
        ("{value: \"${each_index}\", above: 0}", "{value: \"${each}\", above: 0}", "`above` compares numbers"),
        ("\"${params.tone}\", equals: warm", "\"${params.tune}\", equals: warm", "there is no `tune`"),
        ("value: \"${image.images[0].scene}\"", "value: \"${image.images[0].seed}\"", "has no field `seed`"),
    ],
)  # fmt: skip
def test_problems_are_named(old: str, new: str, expected: str) -> None:
    assert old in _RECIPE
    found = check_recipe(_RECIPE.replace(old, new, 1), "r.yaml", {}, {"tiny": KnownModel("tiny")}).problems
    assert any(expected in problem.message for problem in found), found
