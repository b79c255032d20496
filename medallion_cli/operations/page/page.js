const named = column => column[0].toUpperCase() + column.slice(1).replaceAll("_", " ");
const draws = {line, bar, donut, kpi}, wide = visual => visual.kind === "line" || visual.kind === "kpi";
const sections = new Map(); /* id → its elements, which stay when the data change */
const form = document.getElementById("filters"), said = document.getElementById("said");

function table(body, visual) {
  body.replaceChildren();
  visual.labels.forEach((label, k) => {
    const row = node(body, "tr");
    node(row, "td", {}, label);
    node(row, "td", {class: "number"}, shown(visual.values[k], visual.format));
  });
}

/* A field of CSV (RFC 4180). */
const field = value => /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? "");

function csv(visual) {
  const rows = visual.kind === "kpi"
    ? [["measure", "value"], ...visual.measures.map(measure => [measure.title, measure.value])]
    : [[visual.x, visual.y], ...visual.keys.map((key, k) => [visual.grain === "other" ? visual.labels[k] : key, visual.values[k]])];
  return rows.map(row => row.map(field).join(",") + "\r\n").join("");
}

function download(visual) {
  const address = URL.createObjectURL(new Blob([csv(visual)], {type: "text/csv;charset=utf-8"}));
  const link = fill(document.createElement("a"), {href: address, download: `${visual.id}.csv`}, null);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function section(visual, alone) {
  const box = node(main, "section", {class: alone ? "wide" : "half", "aria-labelledby": visual.id});
  const made = {visual};
  node(box, "h2", {id: visual.id}, visual.title);
  made.note = node(box, "p", {class: "note", hidden: ""});
  made.chart = node(box, "div", {class: "chart"});
  const under = node(box, "div", {class: "under"}), details = node(under, "details");
  made.summary = node(details, "summary");
  const place = node(details, "div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `${visual.title}: table`});
  const grid = node(place, "table"), head = node(node(grid, "thead"), "tr");
  made.body = node(grid, "tbody");
  made.details = details;
  if (visual.kind !== "kpi") {
    node(head, "th", {scope: "col"}, named(visual.x));
    node(head, "th", {scope: "col", class: "number"}, named(visual.y));
  }
  const button = node(under, "button", {type: "button", class: "csv", "aria-label": `CSV of ${visual.title}`}, "CSV");
  button.addEventListener("click", () => download(made.visual));
  return made;
}

function show(made, visual) {
  const had = made.chart.contains(document.activeElement), count = visual.labels ? visual.labels.length : 0;
  made.visual = visual;
  made.note.textContent = visual.note || "";
  made.note.hidden = !visual.note;
  made.chart.replaceChildren();
  made.details.hidden = visual.kind === "kpi" || !count;
  if (visual.kind !== "kpi" && !count) {
    node(made.chart, "p", {class: "quiet"}, "No rows yet.");
    return;
  }
  draws[visual.kind](made.chart, visual);
  if (visual.kind !== "kpi") {
    made.summary.textContent = `As a table (${count} ${count === 1 ? "row" : "rows"})`;
    table(made.body, visual);
  }
  if (had) made.chart.querySelector("[tabindex]")?.focus();
}

function layout() {
  main.replaceChildren();
  sections.clear();
  let halves = 0;
  data.visuals.forEach((visual, k) => {
    const next = data.visuals[k + 1], alone = wide(visual) || (halves % 2 === 0 && (!next || wide(next)));
    halves = alone ? 0 : halves + 1;
    sections.set(visual.id, section(visual, alone));
  });
}

function draw() {
  for (const visual of data.visuals) show(sections.get(visual.id), narrowed(visual));
}

function changed() {
  draw();
  remember();
  const active = data.filters.filter(isActive), reset = document.getElementById("reset");
  if (reset) reset.disabled = !active.length;
  said.textContent = active.length
    ? "Shown: " + active.map(filter => filter.title + " " + [].concat(chosen[filter.id]).map(spanLabel).join(" to ")).join(", ")
    : "Everything is shown";
}

/* New data: the same visuals are drawn anew in their places, under the same filters. */
function renewed(document_) {
  const same = document_.visuals.map(visual => visual.id).join() === data.visuals.map(visual => visual.id).join();
  const before = JSON.stringify([data.filters, data.visuals]);
  data = document_;
  document.getElementById("subtitle").textContent = data.subtitle;
  if (!same) layout();
  if (same && before === JSON.stringify([data.filters, data.visuals])) return;
  if (!form.contains(document.activeElement)) drawFilters(form, changed);
  draw();
}

function theme() {
  const select = document.getElementById("theme"), kept = "medallion-theme";
  const set = value => value ? document.documentElement.setAttribute("data-theme", value) : document.documentElement.removeAttribute("data-theme");
  try { select.value = localStorage.getItem(kept) || ""; } catch { /* storage is refused */ }
  set(select.value);
  select.addEventListener("change", () => {
    set(select.value);
    try { localStorage.setItem(kept, select.value); } catch { /* storage is refused */ }
  });
}

theme();
recall();
drawFilters(form, changed);
layout();
draw();
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => { for (const made of sections.values()) if (made.visual.kind === "line" && made.visual.labels.length) show(made, made.visual); });
});
