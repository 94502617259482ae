"""Recipes that tests run against the tiny mesh."""

SMALL = """\
lumenmill: 1
name: small
description: Images under two lights with captions.
parameters:
  seed: {type: int, default: 7}
  num_sets: {type: int, default: 3, min: 0, max: 100000}
  num_lights: {type: int, default: 2, min: 0, max: 32}
  largest_error_deg: {type: float, default: 40.0}
source:
  call: prompter.GeneratePromptSets
  model: tiny
  count: ${params.num_sets}
  batch_size: 4
  with:
    seed: ${params.seed}
    brief:
      num_img_sets: ${batch.count}
      first_set_index: ${batch.first}
      num_relight_variants: ${params.num_lights}
      num_video_variants: 1
  items: ${result.prompt_sets}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    with:
      prompt: ${item.image_prompt}
      scene: ${item.scene}
      light: ${item.light}
  relit:
    call: relighter.Relight
    model: tiny
    when: {value: "${params.num_lights}", above: 0}
    with:
      image: ${image.images[0].image}
      scene: ${image.images[0].scene}
      variants:
        for_each: ${item.relight_prompts}
        value: {light: "${each.light}", edit_prompt: "${each.text}"}
  maps:
    call: relighter.Decompose
    model: tiny
    with:
      scene: ${image.images[0].scene}
      kinds: [INTRINSIC_KIND_ALBEDO, INTRINSIC_KIND_DEPTH]
  caption:
    call: captioner.Caption
    model: tiny
    with:
      subject:
        media: ${image.images[0].image}
        requested_light: ${image.images[0].light}
        intrinsics: ${maps.maps}
    gates:
      - reason: direction_off
        reject_when: {value: "${result.error.direction_deg}", above: "${params.largest_error_deg}"}
  variant_caption:
    call: captioner.Caption
    model: tiny
    for_each: ${relit.variants}
    at_most: ${params.num_lights}
    with:
      subject: {media: "${each.image}", requested_light: "${each.light}"}
  change:
    call: captioner.CompareLight
    model: tiny
    for_each: ${relit.variants}
    at_most: ${params.num_lights}
    optional: true
    with:
      before: {media: "${image.images[0].image}"}
      after: {media: "${each.image}"}
samples:
  original:
    kind: image
    group: ${image.images[0].scene}
    media: {image: "${image.images[0].image}", scene: "${image.images[0].scene}"}
    intrinsics: ${maps.maps}
    prompt: ${item.image_prompt}
    caption: ${caption.text}
    light_caption: ${caption.light_text}
    requested_light: ${image.images[0].light}
    measured_light: ${caption.measurement.attributes}
    scores: {sharpness: "${caption.scores.sharpness}"}
    light_error: ${caption.error}
    record: ${image.images[0].record}
  variants:
    for_each: ${relit.variants}
    kind: image
    group: ${image.images[0].scene}
    media: {image: "${each.image}"}
    caption: ${variant_caption[each_index].text}
    instruction: ${change[each_index].instruction}
    requested_light: ${each.light}
    record: ${each.record}
"""

ONE_IMAGE = """\
lumenmill: 1
name: one-image
parameters:
  prompt: {type: string, default: a kettle}
  tags: {type: "list[string]", default: [one]}
source: {items: "${params.tags}"}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    with: {prompt: "${params.prompt} ${item}"}
  caption:
    call: captioner.Caption
    model: tiny
    with: {subject: {media: "${image.images[0].image}"}}
samples:
  image:
    kind: image
    media: {image: "${image.images[0].image}"}
    caption: ${caption.text}
"""

RELIT_STEP = """\
  relit:
    call: relighter.Relight
    model: tiny
    with:
      image: ${image.images[0].image}
      variants: VARIANTS
"""
"""A step for the end of ONE_IMAGE's, before `samples:`."""
