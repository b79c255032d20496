"use strict";
let data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("visuals");
const svgNamespace = document.getElementById("svg").namespaceURI;
const tone = k => `var(--${"abcdef"[k % 6]})`;
const fade = k => 1 - .4 * Math.min(1, Math.floor(k / 6));
const number = value => value === null ? 0 : Number(value);
const locale = "en", letter = 7; /* px, about: the width of a letter of an axis */

/* A number in full; – when there is none. */
function shown(value, format) {
  if (value === null || value === undefined) return "–";
  if (format === "currency") return number(value).toLocaleString(locale, {style: "currency", currency: data.currency});
  if (format === "percent") return (100 * number(value)).toFixed(1) + "%";
  if (format === "integer") return number(value).toLocaleString(locale, {maximumFractionDigits: 0});
  return number(value).toLocaleString(locale, {maximumFractionDigits: 6});
}

/* A number for an axis. */
function short(value, format) {
  if (format === "percent") return +(100 * value).toPrecision(3) + "%";
  const options = {notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1};
  if (format === "currency") Object.assign(options, {style: "currency", currency: data.currency});
  return value.toLocaleString(locale, options);
}

function fill(made, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}
const node = (parent, name, attributes = {}, text = null) =>
  parent.appendChild(fill(document.createElement(name), attributes, text));
const mark = (parent, name, attributes = {}, text = null) =>
  parent.appendChild(fill(document.createElementNS(svgNamespace, name), attributes, text));

/* Round values from low or below to high or above. */
function ticks(low, high) {
  const raw = (high - low) / 5 || 1, scale = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(k => k * scale).find(k => k >= raw * .999);
  const first = Math.floor(low / step + 1e-9), last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({length: last - first + 1}, (_, k) => (first + k) * step);
}

/* The indexes that get a label: as many as fit; months at round ones. */
function labelled(visual, width) {
  const longest = Math.max(...visual.labels.map(label => label.length));
  const least = visual.labels.length * (letter * longest + 16) / width;
  if (visual.grain !== "month") {
    const every = Math.max(1, Math.ceil(least));
    return visual.labels.map((_, k) => k).filter(k => k % every === 0);
  }
  const every = [1, 2, 3, 6, 12, 24, 60, 120].find(step => step >= least) || 120;
  const months = visual.labels.map(label => new Date("1 " + label).getMonth() + 12 * Number(label.slice(-4)));
  return months.map((_, k) => k).filter(k => months[k] % every === 0);
}

/* What a reader who does not see the chart is told; the table below it holds every number. */
function described(visual) {
  const kind = {line: "Line chart", bar: "Bar chart", donut: "Donut chart"}[visual.kind], values = visual.values.map(number);
  const top = values.indexOf(Math.max(...values)), count = values.length;
  return `${kind}: ${visual.title}. ${count} ${count === 1 ? "value" : "values"} from ${visual.labels[0]} to ` +
    `${visual.labels[count - 1]}; largest: ${visual.labels[top]}, ${shown(visual.values[top], visual.format)}.`;
}

function line(chart, visual) {
  const width = Math.max(240, Math.floor(chart.clientWidth)), height = width < 500 ? 220 : 280, top = 10, bottom = 26;
  const values = visual.values.map(number), count = values.length;
  const marks = ticks(Math.min(0, ...values), Math.max(0, ...values)), low = marks[0], high = marks[marks.length - 1];
  const left = 10 + letter * Math.max(...marks.map(tick => short(tick, visual.format).length)), right = 14;
  const svg = mark(chart, "svg", {width, height, viewBox: `0 0 ${width} ${height}`,
    role: "slider", tabindex: 0, "aria-label": described(visual), "aria-valuemin": 0, "aria-valuemax": count - 1});
  const x = k => left + (width - left - right) * (count > 1 ? k / (count - 1) : .5);
  const y = value => top + (height - bottom - top) * (high - value) / (high - low);
  for (const tick of marks) {
    mark(svg, "line", {x1: left, x2: width, y1: y(tick), y2: y(tick), class: "grid"});
    mark(svg, "text", {x: left - 8, y: y(tick) + 4, "text-anchor": "end"}, short(tick, visual.format));
  }
  let free = left - 12;
  for (const k of labelled(visual, width - left - right)) {
    const room = letter * visual.labels[k].length, from = Math.min(width - room, Math.max(x(k) - room / 2, left - 12));
    if (from < free) continue;
    mark(svg, "text", {x: from + room / 2, y: height - 6, "text-anchor": "middle"}, visual.labels[k]);
    free = from + room + 10;
  }
  const path = values.map((value, k) => `${k ? "L" : "M"}${x(k).toFixed(1)},${y(value).toFixed(1)}`).join("");
  mark(svg, "path", {d: `${path}L${x(count - 1)},${y(0)}L${x(0)},${y(0)}Z`, fill: tone(0), opacity: .14});
  mark(svg, "path", {d: path, fill: "none", stroke: tone(0), "stroke-width": 2, "stroke-linejoin": "round", "stroke-linecap": "round"});
  if (count <= 60) values.forEach((value, k) => mark(svg, "circle", {cx: x(k), cy: y(value), r: 2.5, fill: tone(0)}));
  pointed(chart, svg, visual, {x, y, values, width, height: height - bottom});
}

/* The value under the pointer, or where the arrow keys are. */
function pointed(chart, svg, visual, {x, y, values, width, height}) {
  const rule = mark(svg, "line", {y1: 0, y2: height, stroke: "var(--quiet)", "stroke-dasharray": "3 3", visibility: "hidden"});
  const dot = mark(svg, "circle", {r: 5, fill: tone(0), stroke: "var(--card)", "stroke-width": 2, visibility: "hidden"});
  const tip = node(chart, "div", {class: "tip", hidden: "", "aria-hidden": "true"}), last = values.length - 1;
  const told = k => `${visual.labels[k]}: ${shown(visual.values[k], visual.format)}`;
  const at = k => fill(svg, {"aria-valuenow": k, "aria-valuetext": told(k)}, null);
  const show = visible => { for (const each of [rule, dot]) each.setAttribute("visibility", visible ? "visible" : "hidden"); tip.hidden = !visible; };
  const point = k => {
    show(true);
    fill(rule, {x1: x(k), x2: x(k)}, null);
    fill(dot, {cx: x(k), cy: y(values[k])}, null);
    tip.textContent = told(k);
    tip.style.left = `${Math.max(0, Math.min(width - tip.offsetWidth, x(k) - tip.offsetWidth / 2))}px`;
  };
  at(last);
  svg.addEventListener("pointermove", event => {
    const there = event.clientX - svg.getBoundingClientRect().left;
    point(last ? Math.max(0, Math.min(last, Math.round((there - x(0)) / (x(last) - x(0)) * last))) : 0);
  });
  svg.addEventListener("pointerleave", () => show(false));
  svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) point(+svg.getAttribute("aria-valuenow")); });
  svg.addEventListener("blur", () => show(false));
  svg.addEventListener("keydown", event => {
    const now = +svg.getAttribute("aria-valuenow"), year = visual.grain === "month" ? 12 : 7;
    const to = {ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last,
      PageDown: now - year, PageUp: now + year}[event.key];
    if (event.key === "Escape") show(false);
    if (to === undefined) return;
    event.preventDefault();
    const k = Math.max(0, Math.min(last, to));
    at(k);
    point(k);
  });
}

function bar(chart, visual) {
  const grid = node(chart, "div", {class: "bars", role: "img", "aria-label": described(visual)});
  const peak = Math.max(...visual.values.map(number), 0) || 1;
  visual.labels.forEach((label, k) => {
    const share = Math.max(0, number(visual.values[k]) / peak);
    node(grid, "span", {class: "name", title: label}, label);
    const track = node(grid, "span", {class: "track"});
    node(track, "i", {class: share ? "some" : "none", style: `width: ${(100 * share).toFixed(2)}%`});
    node(grid, "span", {class: "number"}, shown(visual.values[k], visual.format));
  });
}

function donut(chart, visual) {
  const box = node(chart, "div", {class: "donut"}), values = visual.values.map(value => Math.max(0, number(value)));
  const svg = mark(box, "svg", {viewBox: "0 0 220 220", role: "img", "aria-label": described(visual)});
  const total = values.reduce((sum, value) => sum + value, 0), outer = 104, inner = 68;
  const legend = node(box, "div", {class: "legend", "aria-hidden": "true"});
  const at = (radius, angle) => `${(110 + radius * Math.cos(angle)).toFixed(2)},${(110 + radius * Math.sin(angle)).toFixed(2)}`;
  let angle = -Math.PI / 2;
  const whole = values.findIndex(value => total && value === total);
  if (!total || whole >= 0) mark(svg, "circle", {cx: 110, cy: 110, r: (outer + inner) / 2, fill: "none",
    stroke: total ? tone(whole) : "var(--track)", "stroke-width": outer - inner});
  values.forEach((value, k) => {
    const share = total ? value / total : 0, end = angle + share * 2 * Math.PI, big = share > .5 ? 1 : 0;
    if (share && whole < 0) {
      const slice = mark(svg, "path", {fill: tone(k), opacity: fade(k), stroke: "var(--card)", "stroke-width": 1.5,
        d: `M${at(outer, angle)}A${outer},${outer} 0 ${big} 1 ${at(outer, end)}L${at(inner, end)}A${inner},${inner} 0 ${big} 0 ${at(inner, angle)}Z`});
      mark(slice, "title", {}, `${visual.labels[k]}: ${shown(visual.values[k], visual.format)}`);
    }
    angle = end;
    node(legend, "i", {style: `background: ${tone(k)}; opacity: ${fade(k)}`});
    node(legend, "span", {}, visual.labels[k]);
    node(legend, "span", {class: "number"}, shown(visual.values[k], visual.format));
    node(legend, "span", {class: "number quiet"}, (100 * share).toFixed(1) + "%");
  });
  mark(svg, "text", {x: 110, y: 112, "text-anchor": "middle", class: "total"}, total < 100000 ? shown(total, visual.format) : short(total, visual.format));
  mark(svg, "text", {x: 110, y: 132, "text-anchor": "middle"}, named(visual.y));
}

function kpi(chart, visual) {
  const list = node(chart, "dl", {class: "kpis"});
  for (const measure of visual.measures) {
    const cell = node(list, "div");
    node(cell, "dt", {}, measure.title);
    node(cell, "dd", {}, shown(measure.value, measure.format));
    if (measure.why) node(cell, "dd", {class: "why"}, measure.why);
  }
}

