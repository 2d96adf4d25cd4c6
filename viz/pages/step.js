"use strict";
(async () => {
const $ = id => document.getElementById(id), svgns = "http://www.w3.org/2000/svg";
async function load() {
  const element = $("data"), text = element.textContent;
  if (element.dataset.kind === "plain") return JSON.parse(text);
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(element.dataset.kind));
  return JSON.parse(await new Response(stream).text());
}
const data = await load();
let view = 0, step = 0, shape = null, cards = [], edges = [];
const el = (tag, text, cls) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text;
  if (cls) e.className = cls; return e; };
const maths = inner => { const e = el("span"); e.innerHTML = "<math>" + inner + "</math>"; return e; };  // our own printer's
const fraction = (a, b) => "<mfrac><mrow><mi>∂</mi>" + a + "</mrow><mrow><mi>∂</mi>" + b + "</mrow></mfrac>";
const here = () => data.views[view];
const isLoss = k => view === 0 && k === shape.cards.length - 1;
const isNorm = k => shape.cards[k].shape !== "scalar" && !/^(1×)*1$/.test(shape.cards[k].shape);
const word = (k, name) => isNorm(k) ? "‖" + name + "‖" : name;
const incoming = k => shape.edges.map((e, j) => [e, j]).filter(([e, j]) => e.a === k && here().e[j]);

function open(next, at) {
  view = next; shape = data.structures[here().s];
  $("picture").innerHTML = shape.svg;
  const svg = $("picture").firstElementChild; svg.style.minWidth = .72 * svg.getAttribute("width") + "px";  // wide ones scroll
  cards = shape.cards.map((_, k) => $("picture").querySelector("#n" + k));
  edges = shape.edges.map((_, j) => $("picture").querySelector("#e" + j));
  cards.forEach((g, k) => prepare(g, "card", k, () => tellCard(k)));
  edges.forEach((g, j) => { if (here().e[j] || shape.edges[j].label) prepare(g, "edge", j, () => tellEdge(j)); else g.classList.add("edge"); });
  cards.forEach((g, k) => fill(g, here().n[k]));
  shape.cards.forEach((card, k) => { if (card.open) { const enter = () => go(here().c[k], 0);
    cards[k].addEventListener("click", enter);
    cards[k].addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); e.stopPropagation(); enter(); } }); } });
  where(); show(at);
}
function prepare(g, kind, k, tell) {
  g.classList.add(kind); g.setAttribute("tabindex", "0");
  g.setAttribute("role", kind === "card" && shape.cards[k].open ? "button" : "img");
  for (const event of ["mouseenter", "focus"]) g.addEventListener(event, tell);
}
function fill(g, [value, grad]) {
  for (const [name, text] of [["value", value], ["grad", grad]])
    for (const t of g.querySelectorAll("text." + name)) {
      t.replaceChildren(); const span = document.createElementNS(svgns, "tspan");
      span.setAttribute("font-weight", "bold"); span.textContent = text; t.append(span);
      if (text.length > 8) { t.setAttribute("textLength", "62"); t.setAttribute("lengthAdjust", "spacingAndGlyphs"); }
    }
}
function where() {
  const path = []; for (let v = view; v >= 0; v = data.views[v].p) path.unshift(v);
  $("where").replaceChildren(...path.flatMap((v, n) => {
    const title = v ? data.views[v].t.at(-1) : "Network";
    if (v === view) { const b = el("b", title); b.setAttribute("aria-current", "page"); return [b]; }
    const b = el("button", title); b.type = "button"; b.addEventListener("click", () => go(v, 0)); return [b, document.createTextNode(" ▸ ")];
  }));
  if (here().k) $("where").append(el("span", "  " + here().k, "muted"));
  if (view) { const b = el("button", "↩ Back out"); b.type = "button"; b.id = "out"; b.addEventListener("click", out); $("where").append(document.createTextNode("  "), b); }
}
function out() { const from = view; if (here().p >= 0) { go(here().p, 0);
  const k = Object.keys(here().c).find(k => here().c[k] === from); if (k) cards[k].focus(); } }

function reached(upto) {
  const value = new Set(), grad = new Set(), back = new Set(), sums = new Map(), left = new Map();
  for (const [t, k] of shape.steps) if (t === "b") left.set(shape.edges[k].a, (left.get(shape.edges[k].a) || 0) + 1);
  for (const [t, k] of shape.steps.slice(0, upto)) {
    if (t === "f") value.add(k);
    else if (t === "s") { if (!left.get(k)) grad.add(k); }
    else { const a = shape.edges[k].a; back.add(k); sums.set(a, here().e[k][1]); left.set(a, left.get(a) - 1); if (!left.get(a)) grad.add(a); }
  }
  return { value, grad, back, sums };
}
function show(at) {
  step = Math.max(0, Math.min(at, shape.steps.length));
  const now = reached(step), current = step ? shape.steps[step - 1] : null;
  cards.forEach((g, k) => {
    g.classList.toggle("has-value", now.value.has(k)); g.classList.toggle("has-grad", now.grad.has(k) || (now.value.has(k) && here().n[k][1] === "—"));
    g.classList.toggle("waiting", !now.value.has(k)); g.classList.toggle("now", !!current && current[0] !== "b" && current[1] === k);
    const partial = now.sums.has(k) && !now.grad.has(k);
    if (partial || g.dataset.partial) { const t = g.querySelector("text.grad tspan"); if (t) t.textContent = partial ? now.sums.get(k) + " …" : here().n[k][1]; g.dataset.partial = partial ? "1" : ""; }
    if (partial) g.classList.add("has-grad");
    g.setAttribute("aria-label", label(k, now));
  });
  edges.forEach((g, j) => {
    const e = shape.edges[j]; g.classList.toggle("has-value", now.value.has(e.b)); g.classList.toggle("has-grad", now.back.has(j));
    g.classList.toggle("now", !!current && current[0] === "b" && current[1] === j);
    if (g.hasAttribute("tabindex")) g.setAttribute("aria-label", "from " + shape.cards[e.a].name + " to " + shape.cards[e.b].name + (now.back.has(j) ? ", sends back " + here().e[j][0] : ""));
  });
  $("count").textContent = step + " / " + shape.steps.length;
  $("done").style.width = 100 * step / Math.max(shape.steps.length, 1) + "%";
  $("done").classList.toggle("back", !!current && current[0] !== "f");
  $("back").disabled = $("first").disabled = step === 0; $("next").disabled = $("last").disabled = step === shape.steps.length;
  if (current) keepInSight(current[0] === "b" ? edges[current[1]] : cards[current[1]]);
  tellStep(current);
  const address = "#" + [...here().t.map(encodeURIComponent), step].join("/");
  if (location.hash !== address) history.replaceState(null, "", address);
}
function keepInSight(g) {
  const box = $("picture"), a = box.getBoundingClientRect(), b = g.getBoundingClientRect();
  if (b.left < a.left || b.right > a.right) box.scrollLeft += (b.left + b.right - a.left - a.right) / 2;
  if (b.top < a.top || b.bottom > a.bottom) box.scrollTop += (b.top + b.bottom - a.top - a.bottom) / 2;
}
function label(k, now) {
  const c = shape.cards[k], [value, grad] = here().n[k];
  return c.said + ", " + c.shape + (now.value.has(k) && value ? ", " + word(k, "value") + " " + value : "") +
    (now.grad.has(k) ? ", " + word(k, "gradient") + " " + grad : "") + (c.open ? ", Enter opens it" : "");
}
function tellStep(current) {
  const lines = []; let title = ["Backpropagation, step by step"];
  if (current) {
    const [t, k] = current, loss = "<mi>L</mi>";
    if (t === "f") {
      const c = shape.cards[k];
      title = [step + ". " + (c.formula ? "Forward: compute " : c.open ? "Forward: run " : "Forward: take "), named(c)];
      if (c.formula) lines.push(maths(c.math + "<mo>=</mo>" + c.formula));
      if (here().n[k][0]) lines.push(line(word(k, "value"), here().n[k][0], "value-word"));
      if (c.rule >= 0) lines.push(link(c.rule));
    } else if (t === "s") {
      const c = shape.cards[k];
      title = isLoss(k) ? [step + ". Backward: start with 1"] : [step + ". Backward: the gradient of ", named(c), " arrives from outside"];
      lines.push(maths(fraction(loss, c.math) + (isLoss(k) ? "<mo>=</mo><mn>1</mn>" : "")));
      if (!isLoss(k)) lines.push(line(word(k, "grad"), here().n[k][1], "grad-word"));
    } else {
      const e = shape.edges[k], a = shape.cards[e.a], b = shape.cards[e.b], [part, sum, number] = here().e[k];
      title = [step + ". Backward: ", named(b), " sends to ", named(a)];
      lines.push(maths(fraction(loss, a.math) + "<mo>+=</mo>" + fraction(loss, b.math) + "<mo>·</mo>" + fraction(b.math, a.math)));
      if (e.label) lines.push(maths(e.label));
      if (number) lines.push(el("div", here().n[e.b][1] + " · " + number + " = " + part));
      else lines.push(line(word(e.a, "sent"), part, "grad-word"));
      const all = incoming(e.a), nth = shape.steps.slice(0, step).filter(([u, j]) => u === "b" && shape.edges[j].a === e.a).length;
      if (all.length > 1 || sum !== part) lines.push(line(word(e.a, "sum so far") + " (" + nth + " of " + all.length + ")", sum, "grad-word"));
      if (e.rule >= 0) lines.push(link(e.rule));
    }
  }
  $("what").replaceChildren(...title.map(part => typeof part === "string" ? document.createTextNode(part) : part)); $("formula").replaceChildren(...lines.map(l => { if (l.tagName === "DIV") return l; const d = el("div"); d.append(l); return d; }));
}
const named = c => c.name.startsWith("▸") ? document.createTextNode(c.name.slice(2)) : maths(c.math);
function link(rule) { const a = el("a", data.rules[rule].link); a.href = "#rule-" + rule;
  a.addEventListener("click", event => { event.preventDefault(); const d = $("rule-" + rule); d.open = true; d.scrollIntoView(); d.firstElementChild.focus(); }); return a; }
function line(name, text, cls) { const d = el("div"); d.append(el("span", name + " ", "muted"), el("b", text, cls)); return d; }
function list(rows) { const d = el("dl"); for (const [a, b] of rows) { d.append(el("dt", a)); const dd = el("dd"); dd.append(b); d.append(dd); } return d; }
function tellCard(k) {
  const c = shape.cards[k], now = reached(step), rows = [["shape", c.shape]];
  if (c.formula) rows.push(["formula", maths(c.math + "<mo>=</mo>" + c.formula)]);
  rows.push([word(k, "value"), now.value.has(k) ? here().n[k][0] : "not reached yet"]);
  rows.push([word(k, "gradient"), now.grad.has(k) ? here().n[k][1] : now.sums.has(k) ? now.sums.get(k) + " so far" : here().n[k][1] === "—" ? "none flows here" : "not reached yet"]);
  for (const note of c.notes) rows.push(["", note]);
  $("detail").replaceChildren(el("h2", c.name), list(rows), ...c.rule >= 0 ? [link(c.rule)] : []);
}
function tellEdge(j) {
  const e = shape.edges[j], a = shape.cards[e.a], b = shape.cards[e.b], flow = here().e[j], now = reached(step);
  const rows = [["from, to", a.name + " → " + b.name], ["shapes", a.shape + " → " + b.shape]];
  if (e.label) rows.push(["local derivative", maths(e.label)]);
  if (flow) rows.push([word(e.a, "sends back"), now.back.has(j) ? flow[0] : "not reached yet"]);
  const parts = [el("h2", b.name + " by " + a.name), list(rows)];
  if (flow && flow[3]) parts.push(heat(flow[3], b.name, a.name));
  if (e.rule >= 0) parts.push(link(e.rule));
  $("detail").replaceChildren(...parts);
}
function heat(matrix, top, bottom) {
  const rows = matrix.length, columns = matrix[0].length, size = Math.max(7, Math.min(26, 250 / Math.max(rows, columns)));
  const svg = document.createElementNS(svgns, "svg"), most = Math.max(...matrix.flat().map(x => Math.abs(x ?? 0))) || 1;
  svg.setAttribute("width", columns * size + 2); svg.setAttribute("height", rows * size + 2); svg.setAttribute("class", "heat"); svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Jacobian of " + top + " by " + bottom + ", " + rows + " by " + columns);
  matrix.forEach((row, i) => row.forEach((x, k) => {
    const r = document.createElementNS(svgns, "rect"), t = document.createElementNS(svgns, "title"), s = Math.abs(x ?? 0) / most;
    const [red, green, blue] = x === null ? [128, 128, 128] : x > 0 ? [213, 94, 0] : [0, 114, 178], mix = c => Math.round(255 + (c - 255) * s);
    r.setAttribute("x", k * size + 1); r.setAttribute("y", i * size + 1); r.setAttribute("width", size - 1); r.setAttribute("height", size - 1);
    r.setAttribute("fill", "rgb(" + [mix(red), mix(green), mix(blue)] + ")"); r.setAttribute("stroke", "#CBD2D9"); r.setAttribute("stroke-width", ".5");
    t.textContent = "[" + (i + 1) + ", " + (k + 1) + "] = " + x; r.append(t); svg.append(r);
    if (size >= 24 && x) { const text = document.createElementNS(svgns, "text"); text.setAttribute("x", k * size + size / 2); text.setAttribute("y", i * size + size / 2 + 4);
      text.setAttribute("text-anchor", "middle"); text.textContent = String(Math.round(x * 100) / 100).replace("-", "−").replace("0.", "."); if (s > .6) text.setAttribute("fill", "#fff"); svg.append(text); }
  }));
  const box = el("div"); box.append(el("p", "Local Jacobian, " + rows + "×" + columns + " (orange +, blue −)", "muted"), svg); return box;
}
function derivations() {
  if (!data.rules.length) return;
  $("derivations").append(el("h2", "Local derivatives"));
  data.rules.forEach((rule, k) => {
    const s = el("details"); s.id = "rule-" + k; s.append(el("summary", rule.name));
    for (const part of rule.parts) { const p = el("p"); p.innerHTML = part; s.append(p); }
    s.append(el("p", rule.verdict, "muted")); $("derivations").append(s);
  });
}
function go(next, at) { if (next !== view || !shape) open(next, at); else show(at); }
function fromAddress() {
  const parts = location.hash.slice(1).split("/"), at = Number(parts.at(-1)), names = parts.slice(0, -1).map(decodeURIComponent);
  const found = data.views.findIndex(v => v.t.length === names.length && v.t.every((t, n) => t === names[n]));
  go(found < 0 ? 0 : found, Number.isInteger(at) ? at : 0);
}
function frames() {
  const keep = step, all = [];
  if (shape.steps.length > 200) { const f = el("figure"); f.append($("picture").firstElementChild.cloneNode(true)); $("frames").replaceChildren(f); return; }
  for (let k = 1; k <= shape.steps.length; k++) { show(k); const f = el("figure"); f.append($("picture").firstElementChild.cloneNode(true), el("figcaption", $("what").textContent)); all.push(f); }
  show(keep); $("frames").replaceChildren(...all);
}
$("next").addEventListener("click", () => show(step + 1)); $("back").addEventListener("click", () => show(step - 1));
$("first").addEventListener("click", () => show(0)); $("last").addEventListener("click", () => show(shape.steps.length));
addEventListener("keydown", e => {
  if (e.altKey || e.ctrlKey || e.metaKey) return;
  const moves = { ArrowRight: step + 1, ArrowDown: step + 1, PageDown: step + 1, ArrowLeft: step - 1, ArrowUp: step - 1, PageUp: step - 1, Home: 0, End: shape.steps.length };
  if (e.key in moves) { e.preventDefault(); show(moves[e.key]); } else if (e.key === "Escape") out();
});
addEventListener("hashchange", fromAddress); addEventListener("beforeprint", frames); addEventListener("afterprint", () => $("frames").replaceChildren());
derivations(); fromAddress(); document.documentElement.dataset.ready = "1";
})();
