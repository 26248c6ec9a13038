/* View: two numbers of every prompt against each other, with their correlation. */
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];

function axisOf(axis, choice) {
  const offer = offerOf.get(choice[axis]), series = seriesFor(offer, choice[axis + "part"]), layer = choice[axis + "layer"];
  const isAverage = hasDepth(series) && layer === AVERAGE;
  const place = !hasDepth(series) ? "" : isAverage ? ", mean over layers" : ", layer " + layer;
  const label = offer.label + (partName(series) ? ", " + partName(series) : "") + place;
  const column = hasDepth(series) && !isAverage ? Number(layer) - series.first : 0;
  return { offer, series, label, read: (s) => (isAverage ? averageOf(series, s) : cell(series, s, column)) };
}

/* Mean over the layers that have a number; the reason of the first one where none has. */
function averageOf(series, subject) {
  const cells = Array.from({ length: series.n_layers }, (_, i) => cell(series, subject, i));
  const values = cells.map((found) => found.value).filter((value) => value !== null);
  return values.length ? { value: mean(values), why: "" } : { value: null, why: cells[0].why };
}

function drawScatter(choice) {
  const x = axisOf("x", choice), y = axisOf("y", choice), absent = new Absent(), points = [], runs = [];
  for (const model of chosenModels(choice)) {
    for (const condition of chosen(choice, "conditions")) {
      const name = runName(model, condition, choice);
      const found = chosen(choice, "sets").flatMap((set) => subjectsOf(model, condition, set))
        .map((s) => ({ s, model, condition, name, x: x.read(s), y: y.read(s) }));
      const usable = found.filter((point) => point.x.value !== null && point.y.value !== null);
      for (const point of found) {
        for (const [axis, at] of [[x, point.x], [y, point.y]]) if (at.value === null) absent.add(axis.label + ": " + at.why, name + ", " + promptId(promptOf(point.s)));
      }
      if (!found.length) continue;
      points.push(...usable);
      const [xs, ys] = [usable.map((point) => point.x.value), usable.map((point) => point.y.value)];
      runs.push({ name, n: usable.length, r: pearson(xs, ys), rho: spearman(xs, ys) });
    }
  }
  return {
    title: y.label + " against " + x.label,
    about: "Each point is a prompt as a model reads it.",
    traces: groupsOf(points, choice).map((group) => scatterTrace(group, x, y, choice, runs)),
    layout: {
      height: 560, xaxis: { title: { text: inPlot(wrapped(x.label + unitOf(x.offer), 60)) }, ...scaled(scaleOf(choice, false)) },
      yaxis: { title: { text: inPlot(wrapped(y.label + unitOf(y.offer), 40)) }, ...scaled(scaleOf(choice, false)) },
    },
    caption: [...(choice.color === "model" ? [] : [runs.map(sayRun).join("; ") + "."]), "r is Pearson's correlation, \u03c1 Spearman's of ranks. They are not tested here, and whoever tries many pairs finds high ones by chance; "
      + "the tables correlations and hypotheses have tests with p-values adjusted for their number."],
    absent,
    table: { columns: ["run", "prompts", "r", "\u03c1"], rows: runs.map((run) => [run.name, String(run.n), correlation(run.r), correlation(run.rho)]) },
    quantity: { offer: y.offer, series: y.series },
    isOfConditions: true,
  };
}

/* Two decimals: a correlation over some prompts has no more. */
const correlation = (r) => (r === null ? "none (fewer than 3 prompts, or no variation)" : r.toFixed(2).replace("-", "\u2212"));
const sayRun = ({ name, n, r }) => name + ": r = " + correlation(r) + ", n = " + n;

/* Points of one color: of a model and condition, a kind of prompt, or a prompt set. */
function groupsOf(points, choice) {
  const groups = new Map();
  const key = {
    model: (point) => point.name,
    kind: (point) => promptOf(point.s).kind || "kind not given",
    set: (point) => page.prompt_sets[promptOf(point.s).set],
  }[choice.color];
  for (const point of points) {
    const name = key(point);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(point);
  }
  return [...groups].map(([name, members], number) => ({ name, members, number }));
}

function scatterTrace({ name, members, number }, x, y, choice, runs) {
  const isModel = choice.color === "model", color = isModel ? modelColors[members[0].model] : page.colors[number % page.colors.length];
  const isPicked = (point) => promptId(promptOf(point.s)) === choice.prompt;
  return {
    type: "scatter", mode: "markers", name: inPlot(isModel ? sayRun(runs.find((run) => run.name === name)) : name), x: members.map((point) => point.x.value), y: members.map((point) => point.y.value),
    customdata: members.map((point) => promptId(promptOf(point.s))), hovertemplate: "%{text}<extra></extra>",
    text: members.map((point) => inPlot([promptId(promptOf(point.s)), wrapped(promptOf(point.s).text || ""), point.name,
      x.label + ": " + withUnit(shown(point.x.value), x.offer.unit) + remark(point.x), y.label + ": " + withUnit(shown(point.y.value), y.offer.unit) + remark(point.y)].join("\n"))),
    marker: {
      color, opacity: 0.8, symbol: members.map((point) => SYMBOLS[(isModel ? variantOf(point.model, point.condition) : point.model) % SYMBOLS.length]),
      size: members.map((point) => (isPicked(point) ? 15 : 8)), line: { width: members.map((point) => (isPicked(point) ? 2.5 : 0)), color: "#000000" },
    },
  };
}

const remark = ({ why }) => (why ? " (" + why + ")" : "");

function scatterControls(choice, choose) {
  return [
    ...axisControls("y", choice, choose, "Up"),
    ...axisControls("x", choice, choose, "Across"),
    select("color", "Colour by", [["model", "model and condition"], ["kind", "kind of prompt"], ["set", "prompt set"]], choice.color, (color) => choose({ color })),
    scaleControl(choice, choose),
    ...runControls(choice, choose),
    promptControl(choice, choose),
  ];
}
