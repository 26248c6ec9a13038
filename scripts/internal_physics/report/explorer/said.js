/* Words around the plot: what is drawn, what is absent and why, the numbers as a table, and one prompt to read. */
function wrapped(text, width = 56, most = 5) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    if ((lines.at(-1) + " " + word).length > width && lines.at(-1)) lines.push("");
    lines[lines.length - 1] = (lines.at(-1) + " " + word).trim();
  }
  const cut = lines.slice(0, most).map((line) => (line.length > 2 * width ? line.slice(0, 2 * width) + "\u2026" : line));
  return cut.join("\n") + (lines.length > most ? " \u2026" : "");
}

/* For plotly, whose texts are a small part of HTML. */
const inPlot = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\n", "<br>");

/* Counts what has no number, by reason. */
class Absent {
  constructor() { this.found = new Map(); }

  add(why, where) {
    const known = this.found.get(why) || { n: 0, where };
    known.n += 1;
    this.found.set(why, known);
  }

  describe() {
    const notes = [...this.found].map(([why, { n, where }]) => plural(n, "value") + ": " + why + (where ? " (first: " + where + ")" : ""));
    const cut = Object.entries(page.n_left_out).map(([set, n]) => plural(n, "prompt") + " of " + set
      + ": this page has no room for them; the tables have them");
    const all = [...notes, ...cut];
    if (!all.length) return [];
    return [element("p", {}, "Not shown, because there is no number:"), element("ul", {}, ...all.map((note) => element("li", {}, note)))];
  }
}

/* columns: texts; rows: arrays of texts, the first of which names the row. */
function numbersTable(columns, rows) {
  const head = element("tr", {}, ...columns.map((text, i) => element("th", { scope: "col", class: i ? "number" : null }, text)));
  const body = rows.map((row) => element("tr", {}, ...row.map((text, i) =>
    (i ? element("td", { class: "number" }, text) : element("th", { scope: "row" }, text)))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function sayPrompt(id, quantity) {
  const index = page.prompts.findIndex((prompt) => promptId(prompt) === id);
  if (index < 0) return fill("prompt", element("p", { class: "soft" }, "Select a point, or a prompt among the choices, to read it here."));
  const prompt = page.prompts[index];
  const notes = ["kind", "difficulty", "answer"].filter((name) => name in prompt).map((name) => name + ": " + prompt[name]);
  const subjects = page.subjects.prompt.map((p, s) => (p === index ? s : -1)).filter((s) => s >= 0);
  return fill("prompt",
    element("h3", {}, "Prompt " + promptId(prompt)),
    element("blockquote", {}, prompt.text || "no text"),
    notes.length ? element("p", { class: "soft" }, notes.join(" \u00b7 ")) : null,
    ...tokensOf(subjects),
    ...targetsOf(subjects),
    quantity ? element("div", { class: "wide" }, valuesOf(subjects, quantity)) : null);
}

/* [what, who]: for every different number that subjects have in a list, " of" those models; "" where all have the same. */
function readersOf(subjects, numbers) {
  const readers = new Map();
  for (const s of subjects) {
    const names = readers.get(numbers[s]) || new Set();
    readers.set(numbers[s], names.add(page.models[page.subjects.model[s]]));
  }
  return [...readers].map(([number, names]) => [number, readers.size > 1 ? " of " + [...names].join(", ") : ""]);
}

/* What the gradients are of. */
function targetsOf(subjects) {
  return readersOf(subjects, page.subjects.target).map(([target, who]) =>
    element("p", { class: "soft" }, "Gradients" + who + ": those of the " + page.targets[target] + "."));
}

/* The tokens as the models read them; once where all read the same. */
function tokensOf(subjects) {
  return readersOf(subjects, page.subjects.tokens).map(([tokens, who]) => {
    if (tokens < 0) return element("p", { class: "soft" }, "Tokens" + who + ": not known.");
    const parts = page.tokens[tokens].split("|").map((token) => element("span", {}, token || " "));
    return element("div", {}, element("p", { class: "soft" }, plural(parts.length, "token") + who + ":"), element("div", { class: "tokens" }, ...parts));
  });
}

/* The numbers of one prompt: a row for every model and condition. quantity: {offer, series}. */
function valuesOf(subjects, { offer, series }) {
  const layers = hasDepth(series) ? Array.from({ length: series.n_layers }, (_, i) => "l = " + (series.first + i)) : ["value"];
  const rows = subjects.map((s) => {
    const name = page.models[page.subjects.model[s]] + (page.conditions.length > 1 ? ", " + page.conditions[page.subjects.condition[s]] : "");
    const cells = layers.map((_, i) => cell(series, s, i));
    const isEmpty = cells.every(({ value, why }) => value === null && why === cells[0].why);
    return [name, ...(isEmpty ? ["\u2013 " + cells[0].why] : cells.map(({ value, why }) => (value === null ? "\u2013 " + why : shown(value) + (why ? " (" + why + ")" : ""))))];
  });
  return numbersTable([offer.label + unitOf(offer), ...layers], rows);
}

const unitOf = (offer) => (offer.unit ? " (" + offer.unit + ")" : "");
