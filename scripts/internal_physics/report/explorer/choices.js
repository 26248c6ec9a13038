/* What the reader has chosen, and the address that keeps it. */
const LISTS = { models: page.models, sets: page.prompt_sets, conditions: page.conditions, steps: stepNames() };
const depthOffers = page.offers.filter((offer) => offer.series.some(hasDepth));
const AVERAGE = "mean"; // in place of a layer
const AUTOMATIC = "automatic"; // in place of a scale

function stepNames() {
  const steps = page.about_models.map((facts) => facts.step).filter((step) => step !== null);
  return [...new Set(steps)].sort((a, b) => a - b).map(String);
}

/* The set with most prompts: means of few prompts say little. */
function largestSet() {
  const counts = page.prompt_sets.map((_, set) => page.prompts.filter((prompt) => prompt.set === set).length);
  return page.prompt_sets[counts.indexOf(Math.max(...counts))];
}

function defaults() {
  const quantity = depthOffers.length ? idOf(depthOffers[0]) : "";
  const alone = page.offers.filter((offer) => !offer.series.some(hasDepth)).map(idOf);
  return {
    view: Object.keys(VIEWS).find((name) => VIEWS[name].isThere()), quantity, part: "", how: "mean", scale: AUTOMATIC,
    x: alone[1] || quantity, xpart: "", xlayer: AVERAGE, y: alone[2] || quantity, ypart: "", ylayer: AVERAGE, color: "model", score: "", stepscale: AUTOMATIC,
    prompt: "", lens: "", heat: "probability", kernel: "", pair: "",
    models: [...LISTS.models], sets: [largestSet()], conditions: [page.conditions[0]], steps: [...LISTS.steps],
  };
}

/* The choice as it stands in an address; only what differs from the default. */
function toHash(choice) {
  const usual = defaults(), parts = new URLSearchParams();
  for (const [name, value] of Object.entries(choice)) {
    if (name in LISTS) {
      if (value.join() === usual[name].join()) continue;
      for (const item of value.length ? value : [""]) parts.append(name, item);
    } else if (value !== usual[name]) parts.set(name, value);
  }
  return parts.toString();
}

/* {choice, unknown}: names in the address that this run does not have are listed, and left out. */
function fromHash(hash) {
  const choice = defaults(), unknown = [], parts = new URLSearchParams(hash);
  for (const name of new Set(parts.keys())) {
    if (name in LISTS) {
      const given = parts.getAll(name).filter((item) => item !== "");
      unknown.push(...given.filter((item) => !LISTS[name].includes(item)));
      choice[name] = LISTS[name].filter((item) => given.includes(item));
    } else if (name in choice && allowed(name, parts.get(name))) choice[name] = parts.get(name);
    else unknown.push(parts.get(name) || name);
  }
  return { choice, unknown };
}

function allowed(name, value) {
  if (name === "view") return value in VIEWS && VIEWS[value].isThere();
  if (["quantity", "x", "y"].includes(name)) return offerOf.has(value);
  if (name === "score") return setScores.some((metric) => metric.name === value);
  if (name === "prompt") return page.prompts.some((prompt) => promptId(prompt) === value);
  return true;
}

/* Numbers of the chosen models: of checkpoints, those of the chosen steps. */
function chosenModels(choice) {
  return page.models.map((name, model) => model).filter((model) => {
    const facts = modelFacts.get(page.models[model]) || { step: null };
    const isStep = facts.step === null || choice.steps.includes(String(facts.step));
    return choice.models.includes(page.models[model]) && isStep;
  });
}

const chosen = (choice, name) => LISTS[name].map((item, i) => i).filter((i) => choice[name].includes(LISTS[name][i]));

/* The series of an offer that a part names; the first one where it names none. */
function seriesFor(offer, part, isAlongDepth = false) {
  const there = offer.series.filter((series) => !isAlongDepth || hasDepth(series));
  return there.find((series) => partName(series) === part) || there[0];
}
