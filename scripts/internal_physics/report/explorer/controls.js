/* Native controls, built anew at every choice; the one that has the focus keeps it. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children.filter((child) => child !== null));
}

/* options: [value, text] or [value, text, group]. */
function select(id, label, options, value, onchange) {
  const groups = new Map();
  for (const [name, text, group = ""] of options) {
    if (!groups.has(group)) groups.set(group, group ? element("optgroup", { label: group }) : document.createDocumentFragment());
    groups.get(group).append(element("option", { value: name, selected: name === value }, text));
  }
  const box = element("select", { id, onchange: (event) => onchange(event.target.value) }, ...groups.values());
  return element("div", { class: "field" }, element("label", { for: id }, label), box);
}

function checks(id, label, names, values, onchange, colors = null, about = () => null) {
  const boxes = names.map((name, i) => element("label", { title: about(name) },
    element("input", {
      type: "checkbox", id: id + "-" + i, checked: values.includes(name),
      onchange: (event) => onchange(names.filter((other) => (other === name ? event.target.checked : values.includes(other)))),
    }),
    colors ? element("span", { class: "swatch", style: "background:" + colors[i] }) : null, name));
  const all = names.length < 3 ? null : element("div", { class: "all" },
    element("button", { type: "button", id: id + "-all", onclick: () => onchange([...names]) }, "all"),
    element("button", { type: "button", id: id + "-none", onclick: () => onchange([]) }, "none"));
  return element("fieldset", {}, element("legend", {}, label), element("div", { class: "checks" }, ...boxes), all);
}

const familyTitle = new Map(page.families.map((family) => [family.name, family.title]));
const modelColors = page.models.map((_, i) => page.colors[i % page.colors.length]);
/* Which dash or symbol: of the condition, and other ones for each further round of the colours. */
const variantOf = (model, condition) => condition + page.conditions.length * Math.floor(model / page.colors.length);

/* Family, then its quantities, then the part of the quantity. */
function quantityControls(choice, choose) {
  const offer = offerOf.get(choice.quantity), families = new Set(depthOffers.map((other) => other.family));
  const inFamily = (family) => depthOffers.filter((other) => other.family === family);
  return [
    select("family", "Family", [...families].map((name) => [name, familyTitle.get(name)]), offer.family,
      (name) => choose({ quantity: idOf(inFamily(name)[0]), part: "" })),
    select("quantity", "Quantity", inFamily(offer.family).map((other) => [idOf(other), other.label]), choice.quantity,
      (quantity) => choose({ quantity, part: "" })),
    partControl("part", offer, choice.part, (part) => choose({ part }), true),
  ];
}

function partControl(id, offer, part, onchange, isAlongDepth = false) {
  const parts = offer.series.filter((series) => !isAlongDepth || hasDepth(series)).map(partName);
  if (parts.length < 2) return null;
  const current = partName(seriesFor(offer, part, isAlongDepth));
  return select(id, "Of", parts.map((name) => [name, name || "all"]), current, onchange);
}

/* One axis of a scatter: any quantity; of one along depth a layer, or the mean over layers. */
function axisControls(axis, choice, choose, label) {
  const offer = offerOf.get(choice[axis]), series = seriesFor(offer, choice[axis + "part"]);
  const options = page.offers.map((other) => [idOf(other), other.label, familyTitle.get(other.family)]);
  const layers = hasDepth(series) ? Array.from({ length: series.n_layers }, (_, i) => String(series.first + i)) : [];
  const own = (name) => (value) => choose({ [axis + name]: value });
  return [
    select(axis, label, options, choice[axis],
      (value) => choose({ [axis]: value, [axis + "part"]: "", [axis + "layer"]: AVERAGE })),
    partControl(axis + "part", offer, choice[axis + "part"], own("part")),
    layers.length ? select(axis + "layer", "Layer", [[AVERAGE, "mean over layers"], ...layers.map((l) => [l, "layer " + l])],
      choice[axis + "layer"], own("layer")) : null,
  ];
}

/* What a model is, shown where the pointer rests on its name. */
function aboutModel(name) {
  const facts = modelFacts.get(name) || {}, told = (key, words) => (facts[key] === null || facts[key] === undefined ? "" : words(facts[key]));
  return [told("dtype", (dtype) => dtype), told("quantization", (kind) => (kind === "none" ? "" : kind)), told("n_blocks", (n) => plural(n, "block")),
    told("n_parameters", (n) => shown(n) + " parameters"), told("step", (step) => "step " + step), told("parent", (parent) => "checkpoint of " + parent)]
    .filter((part) => part).join(", ");
}

const howControl = (choice, choose) =>
  select("how", "Show", [["mean", "mean over prompts, with interval"], ["prompts", "every prompt"]], choice.how, (how) => choose({ how }));

function runControls(choice, choose, colorsOfModels = modelColors) {
  const list = (name, label, colors) => checks(name, label, LISTS[name], choice[name], (value) => choose({ [name]: value }), colors);
  return [
    checks("models", "Models", LISTS.models, choice.models, (models) => choose({ models }), colorsOfModels, aboutModel),
    LISTS.steps.length ? list("steps", "Training steps", null) : null,
    list("sets", "Prompt sets", null),
    page.conditions.length > 1 ? list("conditions", "Conditions", null) : null,
  ];
}

function promptControl(choice, choose) {
  const sets = chosen(choice, "sets");
  const options = page.prompts.filter((prompt) => sets.includes(prompt.set) || promptId(prompt) === choice.prompt)
    .map((prompt) => [promptId(prompt), prompt.name, page.prompt_sets[prompt.set]]);
  return select("prompt-choice", "Prompt to read", [["", "none"], ...options], choice.prompt, (prompt) => choose({ prompt }));
}
