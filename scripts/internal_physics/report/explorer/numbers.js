/* Numbers as text, and the statistics that the page computes itself. Pure. */
const N_RESAMPLES = 1000;

/* Four significant digits. */
function shown(value) {
  if (value === null || !Number.isFinite(value)) return "n/a";
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(3).replace("-", "\u2212").replace("e\u2212", "e-");
  return String(Number(value.toPrecision(4))).replace("-", "\u2212");
}

const withUnit = (text, unit) => (unit && unit !== "dimensionless" ? text + " " + unit : text);
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/* Seeded numbers in [0, 1), so that a page always shows the same interval (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/* How often each of n prompts is drawn in every resample: [resample][prompt]. */
const drawn = new Map();
function resamples(n) {
  if (!drawn.has(n)) {
    const next = seeded(n);
    drawn.set(n, Array.from({ length: N_RESAMPLES }, () => {
      const counts = new Uint16Array(n);
      for (let i = 0; i < n; i++) counts[Math.floor(next() * n)]++;
      return counts;
    }));
  }
  return drawn.get(n);
}

function quantile(sorted, share) {
  const place = (sorted.length - 1) * share, below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/* Mean with its percentile bootstrap interval; no interval for fewer than two values. */
function meanInterval(values, level) {
  const n = values.length;
  if (n === 0) return { mean: null, low: null, high: null };
  const middle = mean(values);
  if (n < 2) return { mean: middle, low: null, high: null };
  const means = resamples(n).map((counts) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += counts[i] * (values[i] - middle);
    return middle + sum / n;
  }).sort((a, b) => a - b);
  return { mean: middle, low: quantile(means, (1 - level) / 2), high: quantile(means, (1 + level) / 2) };
}

/* Pearson's r; null for fewer than three pairs, or where one side does not vary. */
function pearson(x, y) {
  if (x.length < 3) return null;
  const mx = mean(x), my = mean(y);
  let xy = 0, xx = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mx) * (y[i] - my); xx += (x[i] - mx) ** 2; yy += (y[i] - my) ** 2;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
}

/* Ranks from 1; equal values share the mean of their places. */
function ranks(values) {
  const order = values.map((value, i) => [value, i]).sort((a, b) => a[0] - b[0]);
  const result = new Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end + 1 < order.length && order[end + 1][0] === order[start][0]) end++;
    for (let i = start; i <= end; i++) result[order[i][1]] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return result;
}

const spearman = (x, y) => pearson(ranks(x), ranks(y));
