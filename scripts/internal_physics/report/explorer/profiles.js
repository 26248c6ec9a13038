/* View: a quantity along depth, a panel for each prompt set. */
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const PANEL_HEIGHT = 340, NARROW = 700, FEW_LAYERS = 12;

function transparent(color, alpha) {
  const part = (start) => parseInt(color.slice(start, start + 2), 16);
  return "rgba(" + part(1) + "," + part(3) + "," + part(5) + "," + alpha + ")";
}

function drawProfiles(choice, width) {
  const offer = offerOf.get(choice.quantity), series = seriesFor(offer, choice.part, true);
  const absent = new Absent(), lines = [];
  const sets = chosen(choice, "sets");
  for (const [panel, set] of sets.entries()) {
    for (const model of chosenModels(choice)) {
      for (const condition of chosen(choice, "conditions")) {
        const subjects = subjectsOf(model, condition, set);
        const name = runName(model, condition, choice);
        if (subjects.length) lines.push({ panel, set, subjects, name, look: lookOf(model, condition) });
        else absent.add("this prompt set was not recorded so", page.prompt_sets[set] + ", " + name);
      }
    }
  }
  for (const line of lines) line.columns = meansOf(line, series, absent);
  const scale = scaleOf(choice, offer.may_be_log && lines.every(({ columns }) => columns.every(({ mean: middle }) => middle === null || middle > 0)));
  const draw = choice.how === "mean" ? (line) => meanTraces(line, offer.label + " at layer ", offer.unit) : promptTraces;
  return {
    title: offer.label + (partName(series) ? ", " + partName(series) : "") + " along depth",
    about: [offer.meaning, "layer: " + offer.layers].filter((part) => part).map(sentence).join(" "),
    traces: lines.flatMap((line) => draw(line, offer, series, choice)),
    layout: panels(sets, "layer", offer.label + unitOf(offer), scale, width, series.n_layers <= FEW_LAYERS ? { dtick: 1 } : {}),
    caption: captionOfProfiles(choice, series, scale),
    absent,
    table: tableOfProfiles(lines, series),
    quantity: { offer, series },
    isOfConditions: true,
  };
}

/* A model's name, and where several are chosen the condition. */
function runName(model, condition, choice) {
  return page.models[model] + (choice.conditions.length > 1 || condition > 0 ? ", " + page.conditions[condition] : "");
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + ".";
const countPrompts = (set) => page.prompts.filter((prompt) => prompt.set === set).length;

/* Of every layer the mean over prompts with its interval; no interval where a prompt has no number. */
function meansOf({ subjects, name }, series, absent) {
  const columns = [];
  for (let i = 0; i < series.n_layers; i++) {
    const values = [];
    let isWhole = true;
    for (const s of subjects) {
      const { value, why } = cell(series, s, i);
      if (value !== null) values.push(value);
      else {
        isWhole = false;
        if (why !== page.statuses[ABSENT]) absent.add(why, name + ", " + promptId(promptOf(s)) + ", layer " + (series.first + i));
      }
    }
    const found = meanInterval(values, page.confidence_level);
    columns.push({ at: series.first + i, n: values.length, mean: found.mean, low: isWhole ? found.low : null, high: isWhole ? found.high : null });
  }
  if (columns.every((column) => column.mean === null)) absent.add(page.statuses[ABSENT], name);
  return columns;
}

const axisName = (letter, panel) => letter + (panel ? String(panel + 1) : "");

/* How the lines of a model (or training) in a condition look. */
function lookOf(model, condition) {
  return { color: page.colors[model % page.colors.length], dash: DASHES[variantOf(model, condition) % DASHES.length] };
}

/* A line of means with its band; columns: {at, n, mean, low, high} for each place on the axis below; words: before the place. */
function meanTraces(line, words, unit) {
  const at = line.columns.map((column) => column.at), place = { xaxis: axisName("x", line.panel), yaxis: axisName("y", line.panel) };
  const { look } = line, edge = { ...place, x: at, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: line.name };
  const texts = line.columns.map((column) => inPlot(
    [line.name, words + column.at + ": " + withUnit(shown(column.mean), unit),
      column.low === null ? "no interval" : percent(page.confidence_level) + " interval " + shown(column.low) + " to " + shown(column.high),
      plural(column.n, "prompt")].join("\n")));
  return [
    { ...edge, y: line.columns.map((column) => column.low) },
    { ...edge, y: line.columns.map((column) => column.high), fill: "tonexty", fillcolor: transparent(look.color, 0.16) },
    {
      ...place, x: at, y: line.columns.map((column) => column.mean), name: inPlot(line.name), legendgroup: line.name, showlegend: line.panel === 0,
      mode: "lines+markers", line: { ...look, width: 2 }, marker: { size: 4 }, text: texts, hovertemplate: "%{text}<extra></extra>",
    },
  ];
}

const percent = (share) => Number((100 * share).toPrecision(4)) + " %";

/* All prompts of a line as one trace with gaps; the chosen prompt once more, thick. */
function promptTraces(line, offer, series, choice) {
  const place = { xaxis: axisName("x", line.panel), yaxis: axisName("y", line.panel) }, { look } = line;
  const trace = (subjects, extra) => {
    const x = [], y = [], text = [], customdata = [];
    for (const s of subjects) {
      for (let i = 0; i < series.n_layers; i++) {
        const { value, why } = cell(series, s, i), layer = series.first + i;
        x.push(layer); y.push(value); customdata.push(promptId(promptOf(s)));
        text.push(inPlot([promptId(promptOf(s)), wrapped(promptOf(s).text || ""), line.name,
          offer.label + " at layer " + layer + ": " + withUnit(shown(value), offer.unit), why].filter((part) => part).join("\n")));
      }
      x.push(null); y.push(null); text.push(""); customdata.push("");
    }
    return { ...place, x, y, text, customdata, mode: "lines", hovertemplate: "%{text}<extra></extra>", legendgroup: line.name, ...extra };
  };
  const picked = line.subjects.filter((s) => promptId(promptOf(s)) === choice.prompt);
  return [
    { ...place, x: [null], y: [null], mode: "lines", line: look, name: inPlot(line.name), showlegend: line.panel === 0, legendgroup: line.name },
    trace(line.subjects, { showlegend: false, line: { ...look, width: 1, color: transparent(look.color, picked.length ? 0.25 : 0.5) } }),
    ...(picked.length ? [trace(picked, { showlegend: false, line: { ...look, width: 3.5 } })] : []),
  ];
}

/* A panel for each prompt set, with the same axes; xticks: where their ticks are, if not where plotly puts them. */
function panels(sets, below, beside, scale, width, xticks = {}) {
  const titles = sets.map((set) => page.prompt_sets[set] + ", " + plural(countPrompts(set), "prompt"));
  const columns = width < NARROW || titles.length < 2 ? 1 : 2, rows = Math.max(1, Math.ceil(titles.length / columns));
  const height = PANEL_HEIGHT * rows, gapX = 0.1, gapY = 110 / height;
  const layout = { height: height + 90, annotations: [] };
  titles.forEach((title, i) => {
    const left = (i % columns) * (1 / columns) + (i % columns ? gapX / 2 : 0), right = (i % columns + 1) * (1 / columns) - (i % columns < columns - 1 ? gapX / 2 : 0);
    const row = Math.floor(i / columns), top = 1 - row / rows - (row ? gapY / 2 : 0), bottom = 1 - (row + 1) / rows + (row < rows - 1 ? gapY / 2 : 0);
    const tag = i ? String(i + 1) : "";
    layout["xaxis" + tag] = { domain: [left, right], anchor: "y" + tag, title: { text: below }, matches: i ? "x" : undefined, ...xticks };
    layout["yaxis" + tag] = { domain: [bottom, top], anchor: "x" + tag, ...scaled(scale), matches: i ? "y" : undefined,
      title: { text: i % columns ? "" : inPlot(wrapped(beside, 34)) } };
    layout.annotations.push({ text: inPlot(title), x: left, y: top, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 13 } });
  });
  return layout;
}

function captionOfProfiles(choice, series, scale) {
  const merged = series.merged > 1 ? ["A layer has several weights of this kind: the mean of up to " + series.merged + " is shown."] : [];
  const log = scale === "log" ? ["Logarithmic axis: values that are zero or negative have no place on it."] : [];
  if (choice.how !== "mean") return ["One line for each prompt.", ...merged, ...log];
  return [captionOfMeans(), ...merged, ...log];
}

const captionOfMeans = () => "Mean over the prompts of a set. Bands: " + percent(page.confidence_level) + " bootstrap interval over prompts (percentiles of "
  + N_RESAMPLES + " seeded resamples, computed by this page); none where a prompt has no number.";

/* A mean with its interval as text; a dash where there is none. */
function shownMean(column) {
  if (!column || column.mean === null) return "\u2013";
  return shown(column.mean) + (column.low === null ? "" : " [" + shown(column.low) + ", " + shown(column.high) + "]");
}

function tableOfProfiles(lines, series) {
  const columns = ["layer", ...lines.map((line) => line.name + (lines.some((other) => other.set !== line.set) ? ", " + page.prompt_sets[line.set] : ""))];
  const rows = Array.from({ length: series.n_layers }, (_, i) => [String(series.first + i), ...lines.map(({ columns: of }) => shownMean(of[i]))]);
  return { columns, rows };
}

function profileControls(choice, choose) {
  return [
    ...quantityControls(choice, choose),
    howControl(choice, choose),
    scaleControl(choice, choose),
    ...runControls(choice, choose),
    promptControl(choice, choose),
  ];
}

function scaleControl(choice, choose) {
  return select("scale", "Scale", [[AUTOMATIC, "automatic"], ["linear", "linear"], ["log", "logarithmic"]], choice.scale, (scale) => choose({ scale }));
}

const scaleOf = (choice, isLog) => (choice.scale === AUTOMATIC ? (isLog ? "log" : "linear") : choice.scale);

/* A logarithmic axis has its own labels: plotly's between the decades are too small to read. */
function scaled(scale) {
  if (scale !== "log") return { type: "linear" };
  const decades = Array.from({ length: 41 }, (_, i) => 10 ** (i - 20));
  return { type: "log", tickmode: "array", tickvals: decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]),
    ticktext: decades.flatMap((decade) => [shown(decade), shown(2 * decade), shown(5 * decade)]) };
}
