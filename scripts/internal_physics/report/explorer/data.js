/* The data of the page: unpacking, and reading one cell of a series. */
const page = JSON.parse(document.getElementById("data").textContent);
const TYPES = { f4: Float32Array, u2: Uint16Array, u1: Uint8Array };
const OK = 0, ABSENT = 1; // numbers of statuses; see series.py
const unpackedArrays = new Map();
let unpackedBytes = null;

async function unpack() {
  const packed = Uint8Array.from(atob(page.packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  unpackedBytes = new Uint8Array(await new Response(stream).arrayBuffer());
  delete page.packed;
}

/* The array at a place of the pack (see pack.py): its bytes lie in planes, all first bytes before all second ones. */
function arrayAt(place) {
  if (!unpackedArrays.has(place.start)) {
    const type = TYPES[place.type], size = type.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(place.count * size);
    for (let plane = 0; plane < size; plane++) {
      const start = place.start + plane * place.count;
      for (let i = 0; i < place.count; i++) bytes[i * size + plane] = unpackedBytes[start + i];
    }
    unpackedArrays.set(place.start, new type(bytes.buffer));
  }
  return unpackedArrays.get(place.start);
}

const nSubjects = page.subjects.model.length;
const offerOf = new Map(page.offers.map((offer) => [offer.table + "." + offer.name, offer]));
const idOf = (offer) => offer.table + "." + offer.name;
const hasDepth = (series) => series.first !== null;
/* Which of several numbers of one name: "kind: query", "token: ' happy'"; "" where there is one. */
const partName = (series) => Object.entries(series.part)
  .map(([column, text]) => column.replaceAll("_", " ") + ": " + (text.trim() === text ? text : "'" + text.replaceAll("\n", "\\n") + "'")).join(", ");
const modelFacts = new Map(page.about_models.map((facts) => [facts.model, facts]));

/* {value, why}: value is null where there is no number, and why says the reason, or how the number is to be read. */
function cell(series, subject, column) {
  const index = subject * series.n_layers + column;
  const value = arrayAt(series.values)[index];
  const status = series.statuses ? arrayAt(series.statuses)[index] : OK;
  const why = status === OK ? "" : page.statuses[status];
  return Number.isFinite(value) ? { value, why } : { value: null, why: why || "not finite" };
}

/* Subjects of one model and condition on one prompt set, by numbers; in the order of the prompts. */
function subjectsOf(model, condition, set) {
  const found = [];
  for (let s = 0; s < nSubjects; s++) {
    const of = page.subjects;
    if (of.model[s] === model && of.condition[s] === condition && page.prompts[of.prompt[s]].set === set) found.push(s);
  }
  return found;
}

const promptOf = (subject) => page.prompts[page.subjects.prompt[subject]];
const promptId = (prompt) => page.prompt_sets[prompt.set] + "/" + prompt.name;
