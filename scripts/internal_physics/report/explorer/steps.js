/* View: a number of every prompt along the steps of a training, a panel for each prompt set. */
const WIDE = 30;

/* [{name, models: [{step, model}] by step}]: checkpoints of one parent in one precision, of at least two steps. */
function findTrainings() {
  const found = new Map();
  for (const facts of page.about_models.filter(({ step, model }) => step !== null && page.models.includes(model))) {
    const parent = facts.parent || "parent not named", kind = [facts.dtype, facts.quantization].filter((name) => name && name !== "none").join(" ");
    let key = parent + ", " + kind;
    while (found.has(key) && found.get(key).models.some(({ step }) => step === facts.step)) key += ", again";
    if (!found.has(key)) found.set(key, { parent, key, models: [] });
    found.get(key).models.push({ step: facts.step, model: page.models.indexOf(facts.model) });
  }
  const all = [...found.values()].filter(({ models }) => models.length > 1);
  for (const training of all) training.models.sort((a, b) => a.step - b.step);
  const isAlone = ({ parent }) => all.filter((other) => other.parent === parent).length === 1;
  const named = all.map((training) => ({ name: isAlone(training) ? training.parent : training.key, models: training.models }));
  return named.sort((a, b) => (a.name < b.name ? -1 : 1)); // as the figures of the report order them, for the same colours
}

const trainings = findTrainings();
/* Of each model the colour of the line that it is a point of; none of one that is no checkpoint. */
const trainingColors = page.models.map((_, model) => {
  const number = trainings.findIndex(({ models }) => models.some((one) => one.model === model));
  return number < 0 ? "transparent" : page.colors[number % page.colors.length];
});

/* Scores that only a whole prompt set has, such as ISF: no prompt has a number of its own. */
const setScores = page.scores.metrics.filter(({ name }) => !page.offers.some((offer) => offer.name === name));

/* In place of a quantity of prompts. */
function axisOfScore(metric) {
  const { unit } = page.scores.rows.find((row) => row.metric === metric.name) || { unit: "1" };
  const offer = { unit: unit === "1" ? "dimensionless" : unit, meaning: metric.about.replace(/\.$/, ""), may_be_log: false };
  return { metric, offer, label: metric.label + " (" + metric.name.toUpperCase() + ")" };
}

function drawSteps(choice, width) {
  const score = setScores.find(({ name }) => name === choice.score), axis = score ? axisOfScore(score) : axisOf("y", choice);
  const absent = new Absent(), sets = chosen(choice, "sets"), models = chosenModels(choice), lines = [];
  for (const [panel, set] of sets.entries()) {
    for (const [number, training] of trainings.entries()) {
      for (const condition of chosen(choice, "conditions")) {
        const steps = training.models.filter(({ model }) => models.includes(model));
        const name = training.name + (choice.conditions.length > 1 || condition > 0 ? ", " + page.conditions[condition] : "");
        const at = ({ step, model }) => (score ? scoreAt(step, { model, condition, set }, score, name, absent)
          : stepOf(step, subjectsOf(model, condition, set), axis, name, absent));
        const columns = steps.map(at).filter((column) => column.n || column.cells.length);
        if (columns.length) lines.push({ panel, set, name, columns, look: lookOf(number, condition) });
        else if (steps.length) absent.add("this prompt set was not recorded so", page.prompt_sets[set] + ", " + name);
      }
    }
  }
  const scale = scaleOf(choice, axis.offer.may_be_log && lines.every(({ columns }) => columns.every(({ mean: middle }) => middle === null || middle > 0)));
  const stepscale = choice.stepscale === AUTOMATIC ? automaticStepscale(lines) : choice.stepscale;
  const draw = score || choice.how === "mean" ? (line) => meanTraces(line, axis.label + " at step ", axis.offer.unit) : (line) => stepTraces(line, axis, choice);
  return {
    title: axis.label + " along training",
    about: axis.offer.meaning ? sentence(axis.offer.meaning) : "",
    traces: lines.map((line) => (stepscale === "log" ? { ...line, columns: line.columns.filter(({ at }) => at > 0) } : line)).flatMap(draw),
    layout: stepPanels(sets, axis, scale, width, stepscale),
    caption: captionOfSteps(score ? captionOfScores() : choice.how === "mean" ? captionOfMeans() : "One line for each prompt.", scale, stepscale, lines),
    absent,
    table: tableOfSteps(lines),
    quantity: score ? null : { offer: axis.offer, series: axis.series },
    isOfConditions: true,
  };
}

/* A place on the axis of steps: the numbers of its prompts, and their mean with its interval where every prompt has one. */
function stepOf(step, subjects, axis, name, absent) {
  const cells = subjects.map((s) => ({ prompt: promptOf(s), ...axis.read(s) }));
  for (const { prompt, value, why } of cells) if (value === null) absent.add(why, name + ", " + promptId(prompt) + ", step " + step);
  const values = cells.map(({ value }) => value).filter((value) => value !== null), found = meanInterval(values, page.confidence_level);
  const isWhole = values.length === cells.length;
  return { at: step, cells, n: values.length, mean: found.mean, low: isWhole ? found.low : null, high: isWhole ? found.high : null };
}

/* The same of a score of the whole set, with the interval of table scores. */
function scoreAt(step, { model, condition, set }, metric, name, absent) {
  const isOwn = (row) => row.model === page.models[model] && row.condition === page.conditions[condition] && row.set === page.prompt_sets[set];
  const row = page.scores.rows.find((other) => other.metric === metric.name && isOwn(other));
  if (!row) return { at: step, cells: [], n: 0, mean: null, low: null, high: null };
  if (row.value === null) absent.add(row.status, name + ", " + page.prompt_sets[set] + ", step " + step);
  return { at: step, cells: [], n: row.n, mean: row.value, low: row.low, high: row.high };
}

/* A thin line for each prompt; the chosen prompt thick. */
function stepTraces(line, axis, choice) {
  const { look } = line, place = { xaxis: axisName("x", line.panel), yaxis: axisName("y", line.panel), mode: "lines+markers", legendgroup: line.name };
  const ids = [...new Set(line.columns.flatMap(({ cells }) => cells.map(({ prompt }) => promptId(prompt))))];
  const isPicked = (id) => id === choice.prompt, anyPicked = ids.some(isPicked);
  const ofPrompt = (id) => {
    const points = line.columns.flatMap(({ at, cells }) => cells.filter(({ prompt }) => promptId(prompt) === id).map((found) => ({ at, ...found })));
    const text = points.map(({ at, prompt, value, why }) => inPlot([id, wrapped(prompt.text || ""), line.name,
      axis.label + " at step " + at + ": " + withUnit(shown(value), axis.offer.unit), why].filter((part) => part).join("\n")));
    const color = isPicked(id) ? look.color : transparent(look.color, anyPicked ? 0.25 : 0.5);
    return { ...place, x: points.map(({ at }) => at), y: points.map(({ value }) => value), text, customdata: points.map(() => id), showlegend: false,
      hovertemplate: "%{text}<extra></extra>", line: { ...look, color, width: isPicked(id) ? 3.5 : 1 }, marker: { size: 4, color } };
  };
  const named = { ...place, mode: "lines", x: [null], y: [null], line: look, name: inPlot(line.name), showlegend: line.panel === 0 };
  return [named, ...[...ids].sort((a, b) => isPicked(a) - isPicked(b)).map(ofPrompt)];
}

function stepPanels(sets, axis, scale, width, stepscale) {
  const layout = panels(sets, "training step", axis.label + unitOf(axis.offer), scale, width);
  for (const name of Object.keys(layout)) if (name.startsWith("xaxis")) Object.assign(layout[name], scaled(stepscale));
  return layout;
}

/* Logarithmic where the steps span a factor of WIDE and none is 0. */
function automaticStepscale(lines) {
  const steps = lines.flatMap(({ columns }) => columns.map(({ at }) => at));
  return Math.min(...steps) > 0 && Math.max(...steps) >= WIDE * Math.min(...steps) ? "log" : "linear";
}

const captionOfScores = () => "One number of a whole prompt set. Bands: " + percent(page.confidence_level) + " interval of table scores.";

function captionOfSteps(what, scale, stepscale, lines) {
  const log = scale === "log" ? ["Logarithmic axis: values that are zero or negative have no place on it."] : [];
  const first = stepscale === "log" && lines.some(({ columns }) => columns.some(({ at }) => at === 0)) ? ["Step 0 has no place on a logarithmic axis."] : [];
  return ["A line joins the checkpoints of one training; points are the steps that were recorded.", what, ...log, ...first];
}

function tableOfSteps(lines) {
  const steps = [...new Set(lines.flatMap(({ columns }) => columns.map(({ at }) => at)))].sort((a, b) => a - b);
  const columns = ["step", ...lines.map((line) => line.name + (lines.some((other) => other.set !== line.set) ? ", " + page.prompt_sets[line.set] : ""))];
  return { columns, rows: steps.map((step) => [String(step), ...lines.map((line) => shownMean(line.columns.find(({ at }) => at === step)))]) };
}

function stepControls(choice, choose) {
  return [
    ...(choice.score ? [] : axisControls("y", choice, choose, "Quantity")),
    setScores.length ? select("score", "Score of a whole set", [["", "none: a quantity of prompts"], ...setScores.map(({ name }) => [name, name.toUpperCase()])], choice.score,
      (score) => choose({ score })) : null,
    choice.score ? null : howControl(choice, choose),
    scaleControl(choice, choose),
    select("stepscale", "Axis of steps", [[AUTOMATIC, "automatic"], ["linear", "linear"], ["log", "logarithmic"]], choice.stepscale, (stepscale) => choose({ stepscale })),
    ...runControls(choice, choose, trainingColors),
    promptControl(choice, choose),
  ];
}
