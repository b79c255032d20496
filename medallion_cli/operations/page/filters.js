/* What the page is narrowed to: by filter, [from, to] of a span, one value of a choice, or null for all. */
const chosen = {};
const isActive = filter => Boolean(chosen[filter.id]);
const spanLabel = key => /^\d{4}-\d\d-01$/.test(key) && months ? new Date(key + "T00:00").toLocaleDateString(locale, {month: "short", year: "numeric"}) : key;
let months = true;

/* Every value of a filter in any slice, in order. */
function valuesOf(filter) {
  const found = new Set();
  for (const visual of data.visuals)
    for (const slice of visual.slices || [])
      if (filter.id in slice.by) slice.texts[slice.by[filter.id]].forEach(text => found.add(text));
  return [...found].sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

function passes(filter, text) {
  const value = chosen[filter.id];
  return filter.kind === "choice" ? text === value : value[0] <= text && text <= value[1];
}

/* Sums of a slice's rows that pass the active filters, by the text of x; of a kpi under "". */
function summed(slice, active, isKpi) {
  const passing = active.map(filter => [slice.by[filter.id], slice.texts[slice.by[filter.id]].map(text => passes(filter, text))]);
  const first = slice.texts.length, found = new Map();
  for (const row of slice.rows) {
    if (!passing.every(([place, ok]) => ok[row[place]])) continue;
    const key = isKpi ? "" : slice.texts[0][row[0]];
    const sums = found.get(key) || slice.sums.map(() => 0);
    sums.forEach((sum, k) => { sums[k] = sum + row[first + k]; });
    found.set(key, sums);
  }
  return found;
}

/* A visual under the active filters; as it is, and saying so, when nothing of it can be added up that way. */
function narrowed(visual) {
  const active = data.filters.filter(isActive);
  if (!active.length) return visual;
  const slice = (visual.slices || []).find(each => active.every(filter => filter.id in each.by));
  if (!slice) return {...visual, note: `Not narrowed by ${active.map(filter => filter.title.toLowerCase()).join(" and ")}: it does not add up.`};
  const found = summed(slice, active, visual.kind === "kpi");
  return visual.kind === "kpi" ? kpiOf(visual, slice, found) : chartOf(visual, slice, found, active);
}

function kpiOf(visual, slice, found) {
  const sums = found.get("") || slice.sums.map(() => 0);
  const of = column => slice.sums.includes(column) ? sums[slice.sums.indexOf(column)] / 10 ** slice.scales[slice.sums.indexOf(column)] : null;
  const measures = visual.measures.map(measure => {
    let value = of(measure.column);
    if (measure.ratio) {
      const [above, below] = measure.ratio.map(of);
      value = above === null || !below ? null : above / below;
    }
    return {...measure, value, why: value === null ? "does not add up" : ""};
  });
  return {...visual, measures};
}

function chartOf(visual, slice, found, active) {
  const named = new Map(slice.texts[0].map((text, k) => [text, slice.labels[k]])), unit = 10 ** slice.scales[0];
  const own = active.find(filter => slice.by[filter.id] === 0 && filter.kind === "span");
  let rows = [...found].map(([key, sums]) => [key, named.get(key), sums[0] / unit]);
  if (visual.kind === "line") {
    const values = new Map(rows.map(([key, , value]) => [key, value]));
    rows = visual.keys.map((key, k) => [key, visual.labels[k], values.get(key) || 0]).filter(([key]) => !own || passes(own, key));
  } else {
    const place = visual.order.endsWith("y") ? 2 : 0, sign = visual.order.startsWith("-") ? -1 : 1;
    const compared = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    rows.sort((a, b) => sign * compared(a[place], b[place]) || compared(a[0], b[0]));
    if (visual.limit) rows = rows.slice(0, visual.limit);
  }
  return {...visual, keys: rows.map(row => row[0]), labels: rows.map(row => row[1]), values: rows.map(row => row[2])};
}

function option(select, value, text) { node(select, "option", {value}, text); }

function chooser(parent, name, label, options) {
  const box = node(parent, "div", {class: "chooser"}), id = `filter-${name}`;
  node(box, "label", {for: id}, label);
  const select = node(box, "select", {name, id});
  options.forEach(([value, text]) => option(select, value, text));
  return select;
}

/* The controls; what was chosen stays chosen when the data are drawn again. */
function drawFilters(form, changed) {
  form.replaceChildren();
  const used = data.filters.map(filter => [filter, valuesOf(filter)]).filter(([, values]) => values.length);
  form.hidden = !used.length;
  for (const [filter, values] of used) {
    if (filter.kind === "choice") {
      const select = chooser(form, filter.id, filter.title, [["", "All"], ...values.map(value => [value, value])]);
      select.value = chosen[filter.id] && values.includes(chosen[filter.id]) ? chosen[filter.id] : "";
      select.addEventListener("change", () => { chosen[filter.id] = select.value || null; changed(); });
      continue;
    }
    months = values.every(value => /-01$/.test(value));
    const set = node(form, "fieldset"), options = values.map(value => [value, spanLabel(value)]);
    node(set, "legend", {class: "unseen"}, filter.title);
    const ends = [chooser(set, `${filter.id}-from`, `${filter.title} from`, options), chooser(set, `${filter.id}-to`, `${filter.title} to`, options)];
    const last = values.length - 1, now = chosen[filter.id] || [values[0], values[last]];
    ends.forEach((end, k) => { end.value = values.includes(now[k]) ? now[k] : values[k ? last : 0]; });
    ends.forEach((end, k) => end.addEventListener("change", () => {
      if (ends[0].value > ends[1].value) ends[1 - k].value = end.value;
      const [from, to] = ends.map(each => each.value);
      chosen[filter.id] = from === values[0] && to === values[last] ? null : [from, to];
      changed();
    }));
  }
  const reset = node(form, "button", {type: "button", id: "reset"}, "Reset");
  reset.disabled = !data.filters.some(isActive);
  reset.addEventListener("click", () => {
    for (const filter of data.filters) chosen[filter.id] = null;
    drawFilters(form, changed);
    changed();
    form.querySelector("select").focus();
  });
}

/* The address keeps what is chosen, so that a link shows the same. */
function remember() {
  const said = data.filters.filter(isActive).map(filter => [filter.id, [].concat(chosen[filter.id]).map(encodeURIComponent).join("..")].join("="));
  try { history.replaceState(null, "", said.length ? "#" + said.join("&") : location.pathname + location.search); } catch { /* not of a page in a frame */ }
}

function recall() {
  for (const part of location.hash.slice(1).split("&")) {
    const filter = data.filters.find(each => part.startsWith(each.id + "="));
    if (!filter) continue;
    let values;
    try { values = part.slice(filter.id.length + 1).split("..").map(decodeURIComponent); } catch { continue; }
    const known = valuesOf(filter);
    if (filter.kind === "choice") chosen[filter.id] = known.includes(values[0]) ? values[0] : null;
    else if (values.length === 2 && values.every(value => known.includes(value)) && values[0] <= values[1]) chosen[filter.id] = values;
  }
}

