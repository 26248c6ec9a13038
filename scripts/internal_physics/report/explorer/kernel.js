/* Views of numbers of pairs of prompts: the square itself, the map of prompts, and the nearest prompts of one. */
const nameOfRun = ({ subjects, part }) => [page.models[page.subjects.model[subjects[0]]], page.conditions[page.subjects.condition[subjects[0]]], ...part].join(", ");
/* A run is named as model, condition, and what its numbers are made from. */
const ofChoice = (all, choice) => all.find((one) => nameOfRun(one) === choice.kernel) || ofMostPrompts(all);
const kindOf = (subject) => promptOf(subject).kind || "kind not given";

/* The first of those with most prompts: few prompts say little about each other. */
function ofMostPrompts(all) {
  const most = Math.max(...all.map(({ subjects }) => subjects.length));
  return all.find(({ subjects }) => subjects.length === most);
}

function runControl(all, choice, choose) {
  const names = all.map(nameOfRun);
  return select("kernel", "Model, condition, made from", names.map((name) => [name, name]), nameOfRun(ofChoice(all, choice)), (kernel) => choose({ kernel }));
}

/* The number that is shown of a pair; a cosine where there is one, since it does not depend on the loss's size. */
function pairNumber(square, choice) {
  return square.numbers.find(({ name }) => name === choice.pair) || square.numbers.find(({ name }) => name === "cosine") || square.numbers[0];
}

function pairControls(choice, choose) {
  const square = ofChoice(page.squares, choice);
  return [
    runControl(page.squares, choice, choose),
    select("pair", "Number", square.numbers.map(({ name, label }) => [name, label]), pairNumber(square, choice).name, (pair) => choose({ pair })),
    squarePrompt(square, choice, choose),
  ];
}

function squarePrompt(square, choice, choose) {
  const options = square.subjects.map((s) => [promptId(promptOf(s)), promptOf(s).name, page.prompt_sets[promptOf(s).set]]);
  return select("prompt-choice", "Prompt to read", [["", "none"], ...options], choice.prompt, (prompt) => choose({ prompt }));
}

function pairCell(square, number, p, q) {
  const at = p * square.subjects.length + q, value = arrayAt(number.values)[at];
  const status = square.statuses ? arrayAt(square.statuses)[at] : OK;
  return Number.isFinite(value) ? { value, why: status === OK ? "" : page.statuses[status] } : { value: null, why: status === OK ? "not finite" : page.statuses[status] };
}

/* Places in the square, prompts of one kind together. */
function byKind(square) {
  const kinds = [...new Set(square.subjects.map(kindOf))];
  return square.subjects.map((_, p) => p).sort((a, b) => kinds.indexOf(kindOf(square.subjects[a])) - kinds.indexOf(kindOf(square.subjects[b])) || a - b);
}

function drawSquare(choice, width) {
  const square = ofChoice(page.squares, choice), number = pairNumber(square, choice), absent = new Absent(), order = byKind(square);
  const cells = order.map((p) => order.map((q) => pairCell(square, number, p, q)));
  cells.forEach((row, i) => row.forEach(({ value, why }, j) => { if (value === null && i <= j) absent.add(why, promptId(promptOf(square.subjects[order[i]]))); }));
  const ids = order.map((p) => promptId(promptOf(square.subjects[p])));
  const isCosine = number.name === "cosine";
  return {
    title: number.label + " of every two prompts, " + nameOfRun(square),
    about: sentence(number.meaning) + (number.unit ? " Unit: " + number.unit + "." : ""),
    traces: [{
      type: "heatmap", z: cells.map((row) => row.map(({ value }) => value)), customdata: ids.map((id) => ids.map(() => id)),
      hovertext: order.map((p, i) => order.map((q, j) => inPlot(["row: " + ids[i], wrapped(promptOf(square.subjects[p]).text || "", 56, 3), "column: " + ids[j],
        wrapped(promptOf(square.subjects[q]).text || "", 56, 3), number.label + ": " + (cells[i][j].value === null ? "none, " + cells[i][j].why : withUnit(shown(cells[i][j].value), number.unit))].join("\n")))),
      hovertemplate: "%{hovertext}<extra></extra>", ...(isCosine ? { zmin: -1, zmax: 1, colorscale: [[0, "#D55E00"], [0.5, "#ffffff"], [1, "#0072B2"]] } : { colorscale: "Viridis" }),
      colorbar: width < NARROW ? { thickness: 12, orientation: "h", y: 1.02, yanchor: "bottom" } : { thickness: 12 },
    }],
    layout: squareLayout(square, order, width),
    caption: ["Prompts of one kind stand together. A prompt's own cell lies on the diagonal."],
    absent,
    table: null,
    quantity: null,
  };
}

/* Ticks at the middle of every kind, lines between kinds. */
function squareLayout(square, order, width) {
  const kinds = order.map((p) => kindOf(square.subjects[p])), names = [...new Set(kinds)];
  const middles = names.map((name) => (kinds.indexOf(name) + kinds.lastIndexOf(name)) / 2);
  const edges = names.slice(1).map((name) => kinds.indexOf(name) - 0.5), n = order.length;
  const axis = { tickvals: middles, ticktext: names.map(inPlot), showgrid: false, zeroline: false };
  return {
    height: Math.min(760, width) + 40, margin: { l: 90, r: 10, t: 20, b: 90 }, xaxis: { ...axis, tickangle: width < NARROW ? -90 : -35 }, yaxis: { ...axis, autorange: "reversed", scaleanchor: "x", constrain: "domain" },
    shapes: edges.flatMap((edge) => [{ x0: edge, x1: edge, y0: -0.5, y1: n - 0.5 }, { x0: -0.5, x1: n - 0.5, y0: edge, y1: edge }].map((ends) => ({ type: "line", line: { color: "#57606a", width: 1 }, ...ends }))),
  };
}

function drawMap(choice) {
  const map = ofChoice(page.maps, choice), [xs, ys] = [map.x, map.y].map(arrayAt), kinds = [...new Set(map.subjects.map(kindOf))], absent = new Absent();
  const traces = kinds.map((kind, number) => {
    const members = map.subjects.map((s, i) => ({ s, i })).filter(({ s, i }) => kindOf(s) === kind && Number.isFinite(xs[i]) && Number.isFinite(ys[i]));
    const isPicked = ({ s }) => promptId(promptOf(s)) === choice.prompt;
    return {
      type: "scatter", mode: "markers", name: inPlot(kind), x: members.map(({ i }) => xs[i]), y: members.map(({ i }) => ys[i]), customdata: members.map(({ s }) => promptId(promptOf(s))),
      text: members.map(({ s }) => inPlot([promptId(promptOf(s)) + " (" + kind + ")", wrapped(promptOf(s).text || "")].join("\n"))), hovertemplate: "%{text}<extra></extra>",
      marker: { color: page.colors[number % page.colors.length], symbol: SYMBOLS[number % SYMBOLS.length], size: members.map((one) => (isPicked(one) ? 16 : 9)), line: { color: "#000000", width: members.map((one) => (isPicked(one) ? 2.5 : 0)) }, opacity: 0.85 },
    };
  });
  map.subjects.forEach((s, i) => { if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) absent.add("no place on the map", promptId(promptOf(s))); });
  return {
    title: "Map of prompts, " + nameOfRun(map),
    about: "Prompts that pull the model in the same direction lie close together.",
    traces,
    layout: { height: 620, xaxis: { title: { text: "first axis" } }, yaxis: { title: { text: "second axis" }, scaleanchor: "x" } },
    caption: [(map.share === null ? "A plane shows only part of the distances" : "This plane shows " + Number((100 * map.share).toPrecision(2)) + " % of the squared distances")
      + ": prompts that lie close on it can still differ. The view Nearest prompts uses all of them."],
    absent,
    table: { columns: ["prompt", "kind", "x", "y"], rows: map.subjects.map((s, i) => [promptId(promptOf(s)), kindOf(s), shown(xs[i]), shown(ys[i])]) },
    quantity: null,
  };
}

function mapControls(choice, choose) {
  const map = ofChoice(page.maps, choice);
  return [runControl(page.maps, choice, choose), squarePrompt(map, choice, choose)];
}

const N_NEAREST = 15;

function drawNearest(choice) {
  const square = ofChoice(page.squares, choice), number = pairNumber(square, choice), absent = new Absent();
  const own = Math.max(0, square.subjects.findIndex((s) => promptId(promptOf(s)) === choice.prompt)), prompt = promptOf(square.subjects[own]);
  const others = square.subjects.map((s, q) => ({ s, ...pairCell(square, number, own, q) })).filter(({ s }) => s !== square.subjects[own]);
  for (const { value, why, s } of others) if (value === null) absent.add(why, promptId(promptOf(s)));
  const found = others.filter(({ value }) => value !== null).sort((a, b) => b.value - a.value), nearest = found.slice(0, N_NEAREST).reverse();
  const kinds = [...new Set(square.subjects.map(kindOf))];
  return {
    title: "Prompts nearest to " + promptId(prompt) + ", " + nameOfRun(square),
    about: "The prompts that pull the model most in the same direction as this one. " + sentence(number.label + ": " + number.meaning),
    traces: [{
      type: "bar", orientation: "h", x: nearest.map(({ value }) => value), y: nearest.map(({ s }) => promptId(promptOf(s))), customdata: nearest.map(({ s }) => promptId(promptOf(s))),
      marker: { opacity: 0.85, color: nearest.map(({ s }) => page.colors[kinds.indexOf(kindOf(s)) % page.colors.length]) },
      text: nearest.map(({ s, value }) => shown(value) + " \u00b7 " + inPlot(kindOf(s))), textposition: "auto", hovertext: nearest.map(({ s, value }) => inPlot([promptId(promptOf(s)) + " (" + kindOf(s) + ")", wrapped(promptOf(s).text || ""), number.label + ": " + withUnit(shown(value), number.unit)].join("\n"))),
      hovertemplate: "%{hovertext}<extra></extra>",
    }],
    layout: { height: 130 + 26 * nearest.length, xaxis: { title: { text: inPlot(number.label + (number.unit ? " (" + number.unit + ")" : "")) } }, yaxis: { showgrid: false } },
    caption: ["The " + nearest.length + " nearest of " + plural(others.length, "other prompt") + ", coloured by kind. Select a bar to go to that prompt."],
    absent,
    table: { columns: ["prompt", "kind", number.label, "text"], rows: found.map(({ s, value }) => [promptId(promptOf(s)), kindOf(s), shown(value), (promptOf(s).text || "").slice(0, 80)]) },
    quantity: null,
    prompt: promptId(prompt),
  };
}
