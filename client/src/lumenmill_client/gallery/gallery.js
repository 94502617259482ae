"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

function make(tag, attributes = {}, ...children) {
  const element = document.createElementNS(attributes.xmlns || "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes)) if (name !== "xmlns") element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ROWS = [
  ["azimuth_deg", "azimuth", (v) => `${v.toFixed(0)}°`],
  ["elevation_deg", "elevation", (v) => `${v.toFixed(0)}°`],
  ["hardness", "hardness", (v) => v.toFixed(2)],
  ["contrast_ev", "contrast", (v) => `${v.toFixed(1)} EV`],
  ["color_temperature_k", "colour", (v) => `${v.toFixed(0)} K`],
  ["intensity_ev", "brightness", (v) => `${v >= 0 ? "+" : ""}${v.toFixed(1)} EV`],
];

function lightTable(item) {
  const rows = ROWS.filter(([key]) => key in item.requested || key in item.measured);
  if (!rows.length) return "";
  const cell = (light, key, show, kind) => make("td", { class: kind }, key in light ? show(light[key]) : "—");
  return make("table", {},
    make("tr", {}, make("th", {}, "light"), make("th", { class: "requested" }, "requested"), make("th", { class: "measured" }, "measured")),
    ...rows.map(([key, name, show]) => make("tr", {}, make("td", {}, name), cell(item.requested, key, show, "requested"), cell(item.measured, key, show, "measured"))));
}

// The light seen from above: the subject in the middle, the camera below, a light overhead in the centre.
function dial(item) {
  const xmlns = "http://www.w3.org/2000/svg";
  const svg = (tag, attributes, ...children) => make(tag, { xmlns, ...attributes }, ...children);
  const place = (light) => {
    const radius = 74 * Math.cos((light.elevation_deg ?? 0) * Math.PI / 180);
    const angle = light.azimuth_deg * Math.PI / 180;
    return [100 + radius * Math.sin(angle), 96 + radius * Math.cos(angle)];
  };
  const marks = [];
  const ray = (light, kind, colour) => {
    if (!("azimuth_deg" in light)) return;
    const [x, y] = place(light);
    marks.push(svg("line", { x1: x, y1: y, x2: 100, y2: 96, stroke: colour, "stroke-width": 1.5, "stroke-dasharray": kind === "measured" ? "3 3" : "none" }));
    marks.push(svg("circle", { cx: x, cy: y, r: kind === "measured" ? 8 : 6, fill: kind === "measured" ? "none" : colour, stroke: colour, "stroke-width": 2 }));
  };
  ray(item.requested, "requested", "var(--glow)");
  ray(item.measured, "measured", "var(--cool)");
  if (!marks.length) return "";
  return svg("svg", { viewBox: "0 0 200 206", class: "dial", role: "img", "aria-label": "direction of the light, seen from above" },
    svg("circle", { cx: 100, cy: 96, r: 74, fill: "none", stroke: "var(--line)" }),
    svg("circle", { cx: 100, cy: 96, r: 37, fill: "none", stroke: "var(--line)" }),
    svg("circle", { cx: 100, cy: 96, r: 3, fill: "var(--dim)" }), ...marks,
    svg("text", { x: 100, y: 200, "text-anchor": "middle", fill: "var(--dim)", "font-size": 12 }, "camera"));
}

function lineage(item) {
  if (!item.lineage.length) return "";
  const row = (step) => make("tr", {},
    make("td", {}, step.step), make("td", {}, step.call), make("td", {}, step.model),
    make("td", {}, step.reused ? "reused" : `${step.duration_s.toFixed(2)} s`),
    make("td", {}, make("code", {}, step.read.join(" ") || "—")), make("td", {}, make("code", {}, step.wrote.join(" ") || "—")));
  return make("details", {}, make("summary", {}, `Lineage of ${item.id}`),
    make("div", { class: "scroll" }, make("table", {},
      make("tr", {}, ...["step", "call", "model", "time", "read", "wrote"].map((name) => make("th", {}, name))),
      ...item.lineage.map(row))),
    make("p", { class: "note small" }, [item.made_by, item.seed && `seed ${item.seed}`, ...item.licences].filter(Boolean).join(" · ")));
}

function facts(item) {
  return [
    make("p", { class: "note" }, item.caption),
    item.instruction ? make("p", { class: "note small" }, `From the first image: ${item.instruction}`) : "",
    dial(item), lightTable(item),
  ];
}

function stage(images) {
  const layers = images.map((item) => make("img", { src: item.src, alt: item.caption }));
  const frame = make("div", { class: "frame" }, ...layers);
  const side = make("aside");
  const foot = make("div");
  const thumbs = images.map((item, index) => {
    const button = make("button", { type: "button", title: item.light, "aria-label": `light ${index + 1}` }, make("img", { src: item.src, alt: "" }));
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
  return make("div", {}, make("div", { class: "stage" }, make("div", {}, frame, ...controls), side), foot);
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
  return make("figure", {}, video, make("figcaption", {}, item.caption),
    maps.length ? make("div", { class: "maps" }, ...maps) : "", lineage(item));
}

const playWhenSeen = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.isIntersecting ? entry.target.play().catch(() => {}) : entry.target.pause();
}, { threshold: 0.4 });

function group(content) {
  const parts = [make("h2", {}, content.prompt || content.images[0]?.caption || "")];
  if (content.images.length) parts.push(stage(content.images));
  if (content.clips.length) parts.push(make("h3", {}, "Clips"), make("div", { class: "clips" }, ...content.clips.map(clip)));
  if (content.intrinsics.length) {
    parts.push(make("h3", {}, "Intrinsic maps"), make("div", { class: "maps" },
      ...content.intrinsics.map((map) => make("figure", {}, make("img", { src: map.src, alt: map.name }), make("figcaption", {}, map.name.replaceAll("_", " "))))));
  }
  return make("section", {}, ...parts);
}

const minutes = data.duration_s === null ? "—" : data.duration_s >= 60 ? `${Math.floor(data.duration_s / 60)} min ${data.duration_s % 60} s` : `${data.duration_s} s`;
const stat = (value, name) => make("li", {}, make("b", {}, String(value)), make("span", {}, name));
const heading = make("h1");
heading.innerHTML = "One scene, <em>many lights</em>";
document.getElementById("top").append(heading,
  make("p", { class: "sub" }, `Run ${data.run}. Move the pointer over an image, or use its slider, to change only the light. The amber dot is the requested light, the blue ring the light measured in the image.`),
  make("ul", { class: "stats" }, stat(data.num_groups, "light groups"), stat(data.num_images, "images"), stat(data.num_clips, "clips"), stat(minutes, "from recipe to dataset"), stat(data.models.join(", "), "models")));
const main = document.getElementById("groups");
main.append(...data.groups.map(group));
if (data.groups.length < data.num_groups) main.append(make("p", { class: "sub" }, `The first ${data.groups.length} of ${data.num_groups} groups.`));
if (data.photos.length) {
  main.append(make("section", { class: "photos" }, make("h2", {}, "Photographs, measured"), ...data.photos.map((photo) => stage([photo]))));
}
