/* Views, and drawing the present choice. */
const VIEWS = {
  profiles: { title: "Along depth", draw: drawProfiles, controls: profileControls, isThere: () => depthOffers.length > 0 },
  steps: { title: "Along training", draw: drawSteps, controls: stepControls, isThere: () => trainings.length > 0 && page.offers.length > 0 },
  radar: { title: "Scores", draw: drawRadar, controls: radarControls, isThere: () => page.scores.rows.length > 0 },
  scatter: { title: "Two quantities", draw: drawScatter, controls: scatterControls, isThere: () => page.offers.length > 0 },
  lens: { title: "Lens of a prompt", draw: drawLens, controls: lensControls, isThere: () => page.lens.grids.length > 0 },
  map: { title: "Map of prompts", draw: drawMap, controls: mapControls, isThere: () => page.maps.length > 0 },
  kernel: { title: "Kernel", draw: drawSquare, controls: pairControls, isThere: () => page.squares.length > 0 },
  nearest: { title: "Nearest prompts", draw: drawNearest, controls: pairControls, isThere: () => page.squares.length > 0 },
};
const FONT = { family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif', size: 13, color: "#1f2328" };
const AXIS = { gridcolor: "#e6e9ed", zerolinecolor: "#c8ced6", linecolor: "#8c959f", automargin: true, ticks: "outside", tickcolor: "#8c959f" };
const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };

const EMPTY = {
  font: FONT, height: 200, xaxis: { visible: false }, yaxis: { visible: false },
  annotations: [{ text: "Nothing to draw for this choice", showarrow: false, x: 0.5, y: 0.5, xref: "paper", yref: "paper", font: { size: 15 } }],
};

let choice = null;
let unknown = [];

function choose(change) {
  choice = { ...choice, ...change };
  unknown = [];
  history.replaceState(null, "", "#" + toHash(choice));
  draw();
}

function draw() {
  const plot = document.getElementById("plot");
  fill("views", ...Object.entries(VIEWS).filter(([, view]) => view.isThere()).map(([name, view]) =>
    element("button", { type: "button", id: "view-" + name, "aria-pressed": String(name === choice.view), onclick: () => choose({ view: name }) }, view.title)));
  keepFocus(() => fill("controls", ...VIEWS[choice.view].controls(choice, choose)));
  const drawn = VIEWS[choice.view].draw(choice, plot.clientWidth);
  fill("title", drawn.title);
  fill("about", drawn.about || "");
  const steered = drawn.isOfConditions ? page.about_conditions.filter(({ condition }) => choice.conditions.includes(condition)) : [];
  fill("caption", ...[...drawn.caption, ...steered.map(({ about }) => about)].map((text) => element("p", {}, text)));
  fill("absent", ...(unknown.length ? [element("p", {}, "The address names what this run does not have: " + unknown.join(", ") + ".")] : []), ...drawn.absent.describe());
  fill("values-table", drawn.table ? numbersTable(drawn.table.columns, drawn.table.rows) : "");
  document.getElementById("values").hidden = !drawn.table;
  sayPrompt(drawn.prompt || choice.prompt, drawn.quantity);
  return plotInto(plot, drawn).then(() => { document.documentElement.dataset.shown = location.hash; }); // for tests
}

function plotInto(plot, { traces, layout }) {
  const isEmpty = !traces.some((trace) => (trace.y || trace.z || trace.r || []).some((value) => value !== null));
  const whole = { font: FONT, margin: { l: 60, r: 15, t: 35, b: 50 }, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", hovermode: "closest", hoverlabel: { align: "left", bgcolor: "#ffffff", bordercolor: "#57606a", font: { ...FONT, size: 12 } }, ...layout };
  whole.legend = { orientation: "h", x: 0, y: 0, yref: "container", yanchor: "bottom", ...layout.legend };
  for (const name of Object.keys(whole)) if (/^[xy]axis\d*$/.test(name)) whole[name] = { ...AXIS, ...whole[name] };
  if (isEmpty) return Plotly.react(plot, [], EMPTY, { ...CONFIG, displayModeBar: false });
  return Plotly.react(plot, traces, whole, { ...CONFIG, displayModeBar: plot.clientWidth >= NARROW });
}

/* The control that had the focus before the controls were built anew has it after, too. */
function keepFocus(build) {
  const id = document.activeElement && document.activeElement.id;
  build();
  if (id && document.getElementById(id)) document.getElementById(id).focus();
}

function readAddress() {
  ({ choice, unknown } = fromHash(location.hash.slice(1)));
  return draw();
}

async function start() {
  await unpack();
  const isNarrow = matchMedia("(max-width: 900px)");
  document.getElementById("choices").open = !isNarrow.matches;
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  await readAddress();
  document.getElementById("plot").on("plotly_click", ({ points }) => {
    const id = points[0].customdata;
    if (typeof id === "string" && id) choose({ prompt: id });
  });
  addEventListener("hashchange", readAddress);
  document.documentElement.dataset.ready = "yes";
}

start();
