/* View: what every residual of a prompt predicts at every position. */
const CELL_WIDTH = 78, CELL_HEIGHT = 20;
const LENS_COLORS = { probability: "probability of the token", entropy: "entropy (nats)" };

/* Runs that have grids: [model, condition] as numbers, in the order of the models. */
function lensRuns() {
  const runs = new Set(page.lens.grids.map(({ subject }) => page.subjects.model[subject] + "," + page.subjects.condition[subject]));
  return [...runs].map((run) => run.split(",").map(Number)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/* The grid of the chosen prompt and run; else the first one of a chosen prompt set, else the first one. */
function chosenGrid(choice) {
  const name = ([model, condition]) => page.models[model] + ", " + page.conditions[condition];
  const runs = lensRuns(), run = runs.find((other) => name(other) === choice.lens) || runs[0];
  const grids = page.lens.grids.filter(({ subject }) => page.subjects.model[subject] === run[0] && page.subjects.condition[subject] === run[1]);
  const isChosen = ({ subject }) => promptId(promptOf(subject)) === choice.prompt;
  const isOfSet = ({ subject }) => choice.sets.includes(page.prompt_sets[promptOf(subject).set]);
  return { runs: runs.map(name), run: name(run), grids, grid: grids.find(isChosen) || grids.find(isOfSet) || grids[0] };
}

function drawLens(choice, width) {
  const { grid, run } = chosenGrid(choice), absent = new Absent(), texts = page.lens.texts;
  const { n_layers: nLayers, n_positions: nPositions } = grid, prompt = promptOf(grid.subject);
  const [top, probability, entropy] = [grid.top, grid.probability, grid.entropy].map(arrayAt);
  const colors = choice.heat === "entropy" ? entropy : probability;
  const z = [], text = [], hover = [], hits = [];
  for (let l = 0; l < nLayers; l++) {
    const row = { z: [], text: [], hover: [] };
    for (let t = 0; t < nPositions; t++) {
      const i = l * nPositions + t, isThere = Number.isFinite(probability[i]), token = texts[top[i]], target = texts[grid.targets[t]];
      if (!isThere) absent.add("the logits are not finite", "layer " + l + ", position " + t);
      if (isThere && target && token === target) hits.push([l, t]);
      row.z.push(isThere ? colors[i] : null);
      row.text.push(isThere ? inPlot(inCell(token)) : "");
      row.hover.push(inPlot(["layer " + l + ", position " + t + (t === grid.read ? " (read position)" : "") + ", after " + quoted(texts[grid.tokens[t]]),
        isThere ? "predicts " + quoted(token) + ", probability " + shown(probability[i]) : "no prediction: the logits are not finite",
        "expected " + (target ? quoted(target) : "nothing: no token follows"), isThere ? "entropy " + shown(entropy[i]) + " nats" : ""].filter((part) => part).join("\n")));
    }
    z.push(row.z); text.push(row.text); hover.push(row.hover);
  }
  return {
    title: "Lens of " + promptId(prompt) + " in " + run,
    about: "In each cell the token that the readout of this residual finds most probable. The top row is what the model itself predicts.",
    traces: [{
      type: "heatmap", z, text, hovertext: hover, texttemplate: "%{text}", textfont: { size: 12 }, hovertemplate: "%{hovertext}<extra></extra>",
      colorscale: choice.heat === "entropy" ? "Viridis" : [[0, "#ffffff"], [1, "#0072B2"]], zmin: 0, zmax: choice.heat === "entropy" ? undefined : 1, xgap: 1, ygap: 1,
      colorbar: { thickness: 12 },
    }],
    layout: lensLayout(grid, hits, width),
    caption: ["Colour: " + LENS_COLORS[choice.heat] + ". Framed: the token is the expected one, which follows in the text; at the end of a text that has an answer, its first token. A space before a word is not shown."],
    absent,
    table: { columns: ["layer", ...grid.tokens.map((token, t) => t + " " + quoted(texts[token]))], rows: text.map((row, l) => [String(l), ...row.map((_, t) =>
      (Number.isFinite(probability[l * nPositions + t]) ? quoted(texts[top[l * nPositions + t]]) + " " + shown(probability[l * nPositions + t]) : "\u2013"))]) },
    quantity: null,
    prompt: promptId(prompt),
  };
}

const quoted = (token) => JSON.stringify(token);
const inCell = (token) => { const bare = token.trim() || JSON.stringify(token).slice(1, -1).replaceAll(" ", "\u2423"); return bare.length > 9 ? bare.slice(0, 8) + "\u2026" : bare; };

function lensLayout(grid, hits, width) {
  const tokens = grid.tokens.map((token) => inPlot(inCell(page.lens.texts[token])));
  return {
    height: grid.n_layers * CELL_HEIGHT + 150, width: Math.max(width, grid.n_positions * CELL_WIDTH + 140), margin: { l: 55, r: 70, t: 20, b: 70 },
    xaxis: { title: { text: "token of the prompt at this position" }, tickvals: tokens.map((_, t) => t), ticktext: tokens, showgrid: false, tickangle: 0 },
    yaxis: { title: { text: "residual (0 = embedding)" }, showgrid: false },
    shapes: hits.map(([l, t]) => ({ type: "rect", x0: t - 0.49, x1: t + 0.49, y0: l - 0.46, y1: l + 0.46, line: { color: "#D55E00", width: 2 } })),
  };
}

function lensControls(choice, choose) {
  const { runs, run, grids, grid } = chosenGrid(choice);
  const options = grids.map(({ subject }) => [promptId(promptOf(subject)), promptOf(subject).name, page.prompt_sets[promptOf(subject).set]]);
  return [
    select("prompt-choice", "Prompt", options, promptId(promptOf(grid.subject)), (prompt) => choose({ prompt })),
    select("lens", "Model and condition", runs.map((name) => [name, name]), run, (lens) => choose({ lens })),
    select("heat", "Colour", Object.entries(LENS_COLORS), choice.heat, (heat) => choose({ heat })),
  ];
}
