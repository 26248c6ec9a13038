/* View: normalised scores of the models on every prompt set. */
function drawRadar(choice, width) {
  const absent = new Absent(), sets = chosen(choice, "sets"), traces = [], rows = [];
  const { metrics, rows: scores } = page.scores;
  for (const [panel, set] of sets.entries()) {
    for (const model of chosenModels(choice)) {
      for (const condition of chosen(choice, "conditions")) {
        const own = scores.filter((row) => row.model === page.models[model] && row.condition === page.conditions[condition] && row.set === page.prompt_sets[set]);
        const name = runName(model, condition, choice);
        if (!own.length) {
          absent.add("no scores of this model, condition and prompt set", page.prompt_sets[set] + ", " + name);
          continue;
        }
        const axes = metrics.map((metric) => ({ metric, row: own.find((row) => row.metric === metric.name) }));
        for (const { metric, row } of axes) {
          if (!row || row.score === null) absent.add(row ? row.status : "not computed", metric.label + ", " + name + ", " + page.prompt_sets[set]);
        }
        traces.push(radarTrace({ axes, name, panel, look: lookOf(model, condition), set: page.prompt_sets[set] }));
        rows.push([name + ", " + page.prompt_sets[set], ...axes.map(({ row }) => (row ? sayScore(row) : "\u2013"))]);
      }
    }
  }
  return {
    title: "Scores of the models, normalised",
    about: "By the benchmark's convention smaller values are called better: 1 is the best and 0 the worst of these models, however little they differ. "
      + "The report says which models are told apart.",
    traces, layout: radarLayout(sets.map((set) => page.prompt_sets[set] + ", " + plural(countPrompts(set), "prompt")), width),
    caption: metrics.map((metric) => metric.label + " (" + metric.name.toUpperCase() + "): " + metric.about),
    absent,
    table: { columns: ["value [interval]", ...metrics.map((metric) => metric.label)], rows },
    quantity: null,
    isOfConditions: true,
  };
}

const sayScore = (row) => (row.value === null ? "\u2013 " + row.status : withUnit(shown(row.value), row.unit === "1" ? "" : row.unit)
  + (row.low === null ? "" : " [" + shown(row.low) + ", " + shown(row.high) + "]"));

/* A closed line; a score that is missing leaves a gap. */
function radarTrace({ axes, name, panel, look, set }) {
  const ring = [...axes, axes[0]];
  return {
    type: "scatterpolar", subplot: axisName("polar", panel), mode: "lines+markers", name: inPlot(name), legendgroup: name, showlegend: panel === 0,
    theta: ring.map(({ metric }) => inPlot(wrapped(metric.label, 9))), r: ring.map(({ row }) => (row ? row.score : null)), line: { ...look, width: 2 }, marker: { size: 6 },
    text: ring.map(({ metric, row }) => inPlot([name + " on " + set, metric.label + ": " + (row ? sayScore(row) : "not computed"),
      row ? "normalised " + shown(row.score) + ", " + plural(row.n, "prompt") : "", row && row.status !== "ok" ? row.status : ""].filter((part) => part).join("\n"))),
    hovertemplate: "%{text}<extra></extra>",
  };
}

function radarLayout(titles, width) {
  const columns = width < NARROW || titles.length < 2 ? 1 : 2, rows = Math.max(1, Math.ceil(titles.length / columns));
  const layout = { height: 400 * rows + 60, annotations: [], margin: { l: 30, r: 30, t: 30, b: 40 } };
  const beside = width < NARROW ? 0.24 : 0.16; // of a panel: room for the labels
  titles.forEach((title, i) => {
    const left = (i % columns) / columns, top = 1 - Math.floor(i / columns) / rows, span = 1 / rows;
    layout["polar" + (i ? i + 1 : "")] = {
      domain: { x: [left + beside / columns, left + (1 - beside) / columns], y: [top - span * 0.86, top - span * 0.16] },
      radialaxis: { range: [0, 1.02], tickvals: [0, 0.5, 1], angle: 90, tickangle: 90, gridcolor: "#d5dae0" }, angularaxis: { gridcolor: "#d5dae0", rotation: 90, direction: "clockwise" },
    };
    layout.annotations.push({ text: inPlot(title), x: left + 0.5 / columns, y: top, xref: "paper", yref: "paper", xanchor: "center", yanchor: "top", showarrow: false, font: { size: 13 } });
  });
  return layout;
}

const radarControls = (choice, choose) => runControls(choice, choose);
