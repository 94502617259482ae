"""The recipe of the fault tests: an image under two lights, with captions, on three models."""

NUM_LIGHTS = 2
# image, relit, caption, and a caption of every variant
STEPS_PER_ITEM = 3 + NUM_LIGHTS
SAMPLES_PER_ITEM = 1 + NUM_LIGHTS
SETS_PER_BATCH = 8

LIGHTS = f"""\
lumenmill: 1
name: lights
parameters:
  num_sets: {{type: int, default: 3, min: 0, max: 100000}}
  seed: {{type: int, default: 7}}
source:
  call: prompter.GeneratePromptSets
  model: prompter
  count: ${{params.num_sets}}
  batch_size: {SETS_PER_BATCH}
  with:
    seed: ${{params.seed}}
    brief: {{num_img_sets: "${{batch.count}}", first_set_index: "${{batch.first}}", num_relight_variants: {NUM_LIGHTS}}}
  items: ${{result.prompt_sets}}
steps:
  image:
    call: imager.GenerateImages
    model: imager
    with: {{prompt: "${{item.image_prompt}}", light: "${{item.light}}"}}
  relit:
    call: relighter.Relight
    model: imager
    with:
      scene: ${{image.images[0].scene}}
      variants: {{for_each: "${{item.relight_prompts}}", value: {{light: "${{each.light}}"}}}}
  caption:
    call: captioner.Caption
    model: captioner
    with: {{subject: {{media: "${{image.images[0].image}}"}}}}
  variant_caption:
    call: captioner.Caption
    model: captioner
    for_each: ${{relit.variants}}
    at_most: {NUM_LIGHTS}
    with: {{subject: {{media: "${{each.image}}"}}}}
samples:
  original: {{kind: image, media: {{image: "${{image.images[0].image}}"}}, caption: "${{caption.text}}"}}
  variants:
    kind: image
    for_each: ${{relit.variants}}
    media: {{image: "${{each.image}}"}}
    caption: ${{variant_caption[each_index].text}}
"""


def num_calls(num_sets: int) -> int:
    """Return the number of calls of a run."""
    return num_sets * STEPS_PER_ITEM + -(-num_sets // SETS_PER_BATCH)
