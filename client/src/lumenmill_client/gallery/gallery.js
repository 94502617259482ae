"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

function make(tag, attributes = {}, ...children) {
  const element = document.createElementNS(attributes.xmlns || "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes)) if (name !== "xmlns") element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const KINDS = ["requested", "arrived", "measured"];
const signed = (v, digits = 0) => v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
const COLUMNS = [
  ["azimuth_deg", "side", "azimuth from the camera, to its right positive", (v) => `${signed(v)}°`],
  ["elevation_deg", "height", "elevation over the horizon", (v) => `${signed(v)}°`],
  ["hardness", "hard", "hardness: 0 overcast, 1 a point", (v) => v.toFixed(2)],
  ["color_temperature_k", "colour", "colour temperature", (v) => `${v.toFixed(0)} K`],
  ["contrast_ev", "ratio", "contrast in stops", (v) => signed(v, 1)],
  ["intensity_ev", "level", "intensity in stops: at 0 a white surface has radiance 1", (v) => `${v > 0 ? "+" : ""}${signed(v, 1)}`],
];

// One row for each description that is known, and only the columns that one of them has.
function lightTable(item) {
  const rows = KINDS.filter((kind) => kind in item.lights);
  const columns = COLUMNS.filter(([key]) => rows.some((kind) => key in item.lights[kind]));
  if (!columns.length) return "";
  const cell = (kind, [key, , , show]) => make("td", {}, key in item.lights[kind] ? show(item.lights[kind][key]) : "–");
  return make("div", { class: "scroll" }, make("table", { class: "light" },
    make("tr", {}, make("th"), ...columns.map(([, name, title]) => make("th", { scope: "col", title }, name))),
    ...rows.map((kind) => make("tr", { class: kind }, make("th", { scope: "row" }, make("i"), kind), ...columns.map((column) => cell(kind, column))))));
}

// Linear Rec. 709 as a colour of the page, at full brightness.
function css(rgb) {
  if (!rgb) return "var(--dim)";
  const most = Math.max(...rgb, 1e-9);
  const encoded = rgb.map((v) => v / most).map((v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
  return `rgb(${encoded.map((v) => Math.round(255 * v)).join(" ")})`;
}

function sources(item) {
  if (!item.sources.length) return "";
  const row = (source) => {
    const share = Math.round(100 * source.share), free = Math.round(100 * source.unoccluded_fraction);
    const from = "azimuth_deg" in source ? `${signed(source.azimuth_deg)}°, ${signed(source.elevation_deg ?? 0)}° up` : "no one side";
    return make("li", {},
      make("b", {}, source.kinds.join(", ") || "light"), make("em", {}, `${share} %`),
      make("s", { style: `width:${Math.max(share, 1)}%;background:${css(source.rgb)}` }),
      make("span", {}, free < 100 ? `${from} · ${free} % unoccluded` : from));
  };
  return make("ul", { class: "sources", "aria-label": "sources that arrived, with their shares" }, ...item.sources.map(row));
}

// The light seen from above: the subject in the middle, the camera below, a light overhead in the centre.
function dial(item) {
  const xmlns = "http://www.w3.org/2000/svg";
  const svg = (tag, attributes, ...children) => make(tag, { xmlns, ...attributes }, ...children);
  const at = (light) => {
    const radius = 74 * Math.cos((light.elevation_deg ?? 0) * Math.PI / 180);
    const angle = light.azimuth_deg * Math.PI / 180;
    return [100 + radius * Math.sin(angle), 88 + radius * Math.cos(angle)];
  };
  const known = (light) => light && "azimuth_deg" in light;
  const marks = [];
  for (const source of item.sources.filter(known)) {
    const [x, y] = at(source);
    const size = 4 + 9 * Math.sqrt(source.share);
    marks.push(svg("line", { x1: x, y1: y, x2: 100, y2: 88, stroke: css(source.rgb), "stroke-width": 1 + 2 * source.share, opacity: 0.55 }));
    marks.push(svg("circle", { cx: x, cy: y, r: 2 * size, fill: css(source.rgb), opacity: 0.13 }));
    marks.push(svg("circle", { cx: x, cy: y, r: size, fill: css(source.rgb) }));
  }
  for (const [kind, radius, dash] of [["requested", 8, "none"], ["measured", 12, "3 3"]]) {
    if (!known(item.lights[kind])) continue;
    const [x, y] = at(item.lights[kind]);
    marks.push(svg("circle", { cx: x, cy: y, r: radius, fill: "none", stroke: `var(--${kind})`, "stroke-width": 2, "stroke-dasharray": dash }));
  }
  if (!marks.length) return "";
  return svg("svg", { viewBox: "0 0 200 196", class: "dial", role: "img", "aria-label": "directions of the light, seen from above" },
    svg("circle", { cx: 100, cy: 88, r: 74, fill: "none", stroke: "var(--line)" }),
    svg("circle", { cx: 100, cy: 88, r: 37, fill: "none", stroke: "var(--line)" }),
    svg("circle", { cx: 100, cy: 88, r: 3, fill: "var(--dim)" }), ...marks,
    svg("text", { x: 100, y: 192, "text-anchor": "middle", fill: "var(--dim)", "font-size": 12 }, "camera"));
}

function lineage(item) {
  if (!item.lineage.length) return "";
  const row = (step) => make("tr", {},
    make("td", {}, step.step), make("td", {}, step.call), make("td", {}, step.model),
    make("td", {}, step.reused ? "reused" : `${step.duration_s.toFixed(2)} s`),
    make("td", {}, make("code", {}, step.read.join(" ") || "—")), make("td", {}, make("code", {}, step.wrote.join(" ") || "—")));
  return make("details", { class: "lineage" }, make("summary", {}, `Lineage of ${item.id}`),
    make("div", { class: "scroll" }, make("table", {},
      make("tr", {}, ...["step", "call", "model", "time", "read", "wrote"].map((name) => make("th", {}, name))),
      ...item.lineage.map(row))),
    make("p", { class: "note small" }, [item.made_by, item.seed && `seed ${item.seed}`, ...item.licences].filter(Boolean).join(" · ")));
}

function facts(item) {
  return [
    item.instruction ? make("p", { class: "note" }, `From the original: ${item.instruction}`) : "",
    dial(item), lightTable(item), sources(item),
  ];
}

// The headings of all images in one cell, of which one is visible: the page does not move when the light changes.
function headings(images, fallback) {
  const parts = images.map((item) => {
    const split = item.content && item.content !== item.caption;
    return make("div", {}, make("h2", {}, (split ? item.content : item.caption) || fallback), 
      split ? make("p", { class: "lit" }, item.sources.length ? make("i", { style: `background:${css(item.sources[0].rgb)}` }) : "", item.light) : "");
  });
  return [make("div", { class: "headings" }, ...parts), (index) => parts.forEach((part, at) => part.classList.toggle("on", at === index))];
}

function stage(images, fallback = "") {
  const [heading, showHeading] = headings(images, fallback);
  const layers = images.map((item) => make("img", { src: item.src, alt: item.caption }));
  const frame = make("div", { class: "frame" }, ...layers);
  const side = make("aside");
  const foot = make("div");
  const thumbs = images.map((item, index) => {
    const button = make("button", { type: "button", title: item.light || item.caption, "aria-label": `light ${index + 1}` }, make("img", { src: item.src, alt: "" }));
    button.addEventListener("click", () => show(index));
    return button;
  });
  const slider = make("input", { type: "range", min: 0, max: Math.max(images.length - 1, 0), value: 0, "aria-label": "light" });
  let shown = -1;
  function show(index) {
    if (index === shown) return;
    shown = index;
    slider.value = index;
    layers.forEach((layer, at) => layer.classList.toggle("on", at === index));
    thumbs.forEach((thumb, at) => thumb.setAttribute("aria-pressed", at === index));
    showHeading(index);
    side.replaceChildren(...facts(images[index]));
    foot.replaceChildren(lineage(images[index]));
  }
  slider.addEventListener("input", () => show(Number(slider.value)));
  frame.addEventListener("pointermove", (event) => {
    const box = frame.getBoundingClientRect();
    const index = Math.floor((event.clientX - box.left) / box.width * images.length);
    show(Math.min(Math.max(index, 0), images.length - 1));
  });
  show(0);
  const controls = images.length > 1 ? [slider, make("div", { class: "strip" }, ...thumbs)] : [];
  return make("div", {}, heading, make("div", { class: "stage" }, make("div", {}, frame, ...controls), side), foot);
}

function clip(item) {
  const video = make("video", { src: item.src, poster: item.poster, loop: "", muted: "", playsinline: "", controls: "", preload: "metadata" });
  video.muted = true;
  playWhenSeen.observe(video);
  const maps = item.maps.map((map) => {
    const small = make("video", { src: map.src, loop: "", muted: "", playsinline: "", preload: "auto" }); // shows its first frame
    small.muted = true;
    playWhenSeen.observe(small);
    return make("figure", {}, small, make("figcaption", {}, map.name));
  });
  const light = [lightTable(item), sources(item)].filter(Boolean);
  // A sample of a clip has the light of its first frame; the caption says how it moves.
  if (light.length) light.unshift(make("p", { class: "moment" }, "The light at the start of the clip:"));
  return make("figure", {}, video, make("figcaption", {}, item.caption), ...light,
    maps.length ? make("div", { class: "maps" }, ...maps) : "", lineage(item));
}

const playWhenSeen = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.isIntersecting ? entry.target.play().catch(() => {}) : entry.target.pause();
}, { threshold: 0.4 });

// A rejected sample: its picture, where one was made, and what was found wrong with it.
function rejection(item) {
  const picture = item.src ? make("img", { src: item.src, alt: "", loading: "lazy" }) : make("div", { class: "none" }, "not made");
  return make("figure", {}, picture, make("figcaption", {},
    make("p", { class: "reason" }, make("b", {}, item.reason), item.finding ? ` ${item.finding}` : ""),
    item.caption ? make("p", {}, `Its caption: ${item.caption}`) : "", item.instruction ? make("p", {}, `Its instruction: ${item.instruction}`) : "",
    lightTable(item)));
}

function rejections(items) {
  if (!items.length) return [];
  return [make("details", { class: "rejected" }, make("summary", {}, `${items.length} rejected`), make("div", { class: "clips" }, ...items.map(rejection)))];
}

function group(content) {
  const parts = [content.images.length ? stage(content.images, content.prompt) : make("h2", {}, content.prompt)];
  if (content.clips.length) parts.push(make("h3", {}, "Clips"), make("div", { class: "clips" }, ...content.clips.map(clip)));
  if (content.intrinsics.length) {
    parts.push(make("h3", {}, "Intrinsic maps"), make("div", { class: "maps" },
      ...content.intrinsics.map((map) => make("figure", {}, make("img", { src: map.src, alt: map.name }), make("figcaption", {}, map.name.replaceAll("_", " "))))));
  }
  return make("section", {}, ...parts, ...rejections(content.rejected));
}

const minutes = data.duration_s === null ? "—" : data.duration_s >= 60 ? `${Math.floor(data.duration_s / 60)} min ${data.duration_s % 60} s` : `${data.duration_s} s`;
const stat = (value, name) => make("li", {}, make("b", {}, String(value)), make("span", {}, name));
const heading = make("h1");
heading.innerHTML = "One scene, <em>many lights</em>";
document.getElementById("top").append(heading,
  make("p", { class: "sub" }, `Run ${data.run}. Move the pointer over an image, or use its slider, to change only the light; the heading follows it. Requested is the light that was asked for, arrived what reached the surfaces in view, measured what was found in the pixels.`),
  make("ul", { class: "stats" }, stat(data.num_groups, "light groups"), stat(data.num_images, "images"), stat(data.num_clips, "clips"), stat(data.num_rejected, "rejected"), stat(minutes, "from recipe to dataset"), stat(data.models.join(", "), "models")));
const main = document.getElementById("groups");
main.append(...data.groups.map(group));
if (data.groups.length < data.num_groups) main.append(make("p", { class: "sub" }, `The first ${data.groups.length} of ${data.num_groups} groups.`));
if (data.photos.length || data.rejected_photos.length) {
  main.append(make("section", { class: "photos" }, make("h3", {}, "Photographs, measured"), ...data.photos.map((photo) => stage([photo])), ...rejections(data.rejected_photos)));
}
