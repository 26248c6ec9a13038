"""Tables as the workflow makes them, drawn at random but with the shape of real ones; for figures and report."""

from itertools import combinations

import numpy as np
import pandas as pd
from internal_physics.families.pairs.model_pairs import pair_models
from internal_physics.families.registry import score_units
from internal_physics.tables.units import with_units
from synthetic_agreement import agreement_tables

MODELS = (
    "smollm2-fp32",
    "smollm2-bf16",
    "smollm2-int8",
    "smollm2-nf4",
    "smollm2-fp4-double-quantized",
    "gpt2-fp32",
    "pythia-160m-fp32",
    "qwen3-0.6b-bf16",
)
VARIANTS = ("whole", "last_position", "excluding_first")
METRICS = ("ec", "isc", "isg", "isa", "isf")
SICK_STATUS = "loss is not finite"
NOTES = {"text": "A text, with a comma", "kind": "factual", "difficulty": None, "answer": None}
TARGETS = {"target": "loss", "target_token": None}


def make_tables(
    n_models: int = 4,
    n_prompts: int = 20,
    n_layers: int = 30,
    prompt_sets: tuple[str, ...] = ("factual",),
    *,
    flawed: bool = True,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """All tables. Flawed: the third model has one prompt that is not ok, the last model no ISF."""
    rng = np.random.default_rng(seed)
    models = MODELS[:n_models]
    layers, prompts, spectra, scores = [], [], [], []
    for prompt_set in prompt_sets:
        for index, model in enumerate(models):
            depth = n_layers if index < 5 else max(2, n_layers * 2 // 5)
            keys = {"model": model, "condition": "baseline", "prompt_set": prompt_set}
            sick = f"{prompt_set}_02" if flawed and index == 2 else None
            model_layers, model_prompts = _runs(rng, keys, n_prompts=n_prompts, depth=depth, index=index, sick=sick)
            layers.append(model_layers)
            prompts.append(model_prompts)
            spectrum = _spectrum(rng, keys, n_prompts, without=flawed and index == n_models - 1)
            spectra.append(spectrum)
            scores.append(_scores(rng, keys, model_prompts, spectrum))
    tables = {
        "scores": pd.concat(scores, ignore_index=True),
        "prompts": pd.concat(prompts, ignore_index=True),
        "layers": pd.concat(layers, ignore_index=True),
        "isf_spectra": pd.concat(spectra, ignore_index=True),
    }
    tables["scores_normalized"] = normalize(tables["scores"])
    tables["model_pairs"] = _model_pairs(tables["prompts"], tables["scores"])
    for name in ("scores", "scores_normalized", "model_pairs"):
        tables[name] = with_units(tables[name], score_units(METRICS))
    tables["correlations"] = _correlations(tables["prompts"], tables["scores"])
    tables["comparisons"] = _comparisons(tables["prompts"])
    tables["gains"] = _gains(rng, tables["prompts"])
    tables["hypotheses"] = _hypotheses(rng, models, prompt_sets, n_prompts)
    tables |= agreement_tables(tables["prompts"], n_layers)
    return _of_run(tables["prompts"], n_layers) | tables | _information(rng, tables["prompts"], n_layers)


def _of_run(prompts, n_layers):
    """Tables models, prompts_read and conditions of these prompts."""
    models = [
        {"model": model, "source": "pypi:made-up==1", "revision": "v1", "sha256": f"{number:x}".rjust(64, "f"),
         "stored_as": "F32", "dtype": "float32", "quantization": "none", "quantization_method": "none", "bits": 32,
         "compute_dtype": "float32", "task": "causal", "adapter": None, "quantized_share": 0.0,
         "weights_covered_share": 1.0, "weights_not_covered": None,
         "step": None, "parent": None, "n_blocks": n_layers, "width": 8, "n_parameters": 1000, "status": "ok"}
        for number, model in enumerate(prompts["model"].unique())
    ]  # fmt: skip
    read = prompts[["model", "prompt_set", "prompt", "n_tokens", *NOTES, *TARGETS]].assign(
        tokens="⟨<s>⟩|A| text|,", status="ok"
    )
    condition = {
        "condition": "baseline", "adds": "nothing", "layers": "nowhere", "scale": np.nan, "status": "ok",
        "models": ", ".join(prompts["model"].unique()), "prompt_sets": ", ".join(prompts["prompt_set"].unique()),
    }  # fmt: skip
    models = pd.DataFrame(models).astype({"step": "Int64"})
    return {"models": models, "prompts_read": read, "conditions": pd.DataFrame([condition])}


def _comparisons(prompts):
    """Of one condition on the first model: EC against the baseline, in all measures."""
    first = prompts.iloc[0]
    keys = {"model": first.model, "condition": "push", "prompt_set": first.prompt_set, "metric": "ec", "quantity": "ec"}
    keys["token"] = None
    numbers = {
        "baseline": 1.0,
        "steered": 1.5,
        "value": 0.5,
        "ci_low": 0.25,
        "ci_high": 0.75,
        "p": 0.001,
        "n_prompts": 20,
    }
    measures = ("difference", "absolute_difference", "percent_change")
    rows = [{**keys, "layer": None, "measure": m, **numbers, "interval_status": "ok", "status": "ok"} for m in measures]
    return pd.DataFrame(rows).astype({"layer": "Int64"})


def _runs(rng, keys, *, n_prompts, depth, index, sick):
    """Layer rows and prompt rows of one model on one set."""
    layer_rows, prompt_rows = [], []
    block = np.arange(depth)
    for number in range(1, n_prompts + 1):
        prompt = f"{keys['prompt_set']}_{number:02d}"
        is_sick = prompt == sick
        e = (0.12 + 0.02 * index + 3.0 * np.exp(-block / 1.5) + 0.5 * np.exp((block - depth + 1) / 1.2)) * np.exp(
            rng.normal(0, 0.18, depth)
        )
        c = np.clip(1 - 0.1 * e + rng.normal(0, 0.01, depth), -1, 1)
        norm = np.exp(np.linspace(2.0, -1.5, depth + 1) + rng.normal(0, 0.2, depth + 1) + 0.1 * index)
        series = {"relative_gradient_change": e, "gradient_cosine": c, "gradient_norm": norm}
        status = SICK_STATUS if is_sick else "ok"
        for quantity, values in series.items():
            shown = np.full(len(values), np.nan) if is_sick else values
            layer_rows += [
                {
                    **keys,
                    "prompt": prompt,
                    "layer": layer,
                    "quantity": quantity,
                    "value": value,
                    "status": status,
                }
                for layer, value in enumerate(shown)
            ]
        loss = float(rng.gamma(8, 0.5))
        metrics = {
            "loss_nats": loss,
            "ec": e.mean(),
            "isc": norm[:-1].sum() / loss,
            "isg": e.std() / e.mean(),
            "isa": c.std(),
        }
        shown = dict.fromkeys(metrics, np.nan) if is_sick else metrics
        n_tokens = int(rng.integers(5, 25))
        prompt_rows.append(
            {**keys, "prompt": prompt, "n_tokens": n_tokens, **NOTES, **TARGETS, **shown, "status": status}
        )
    return pd.DataFrame(layer_rows), pd.DataFrame(prompt_rows)


def _information(rng, prompts, n_layers):
    """Tables information and predictions; prompts that are not ok are not ok here either."""
    read, predicted = [], []
    for row in prompts.itertuples():
        keys = {"model": row.model, "condition": row.condition, "prompt_set": row.prompt_set, "prompt": row.prompt}
        is_sick = row.status != "ok"
        for quantity in ("entropy_nats", "perplexity", "surprisal_nats"):
            values = np.full(n_layers + 1, np.nan) if is_sick else 1 + rng.gamma(2, 1, n_layers + 1)
            lines = {**keys, "layer": range(n_layers + 1), "quantity": quantity, "value": values, "status": row.status}
            read.append(pd.DataFrame(lines | {"token": None}))
        told = {"text": "A text, with a comma", "status": row.status}
        for rank, token in enumerate((" the", " a", "é"), start=1):
            p = np.nan if is_sick else 0.5**rank
            predicted.append({**keys, **told, "token": token, "probability": p, "rank": rank})
    return {"information": pd.concat(read, ignore_index=True), "predictions": pd.DataFrame(predicted)}


def _spectrum(rng, keys, n_prompts, *, without):
    rank = np.arange(1, n_prompts + 1)
    exponent = rng.uniform(0.7, 1.4)
    fitted = 40.0 * rank**-exponent
    eigenvalue = np.sort(fitted * np.exp(rng.normal(0, 0.12, n_prompts)))[::-1].copy()
    eigenvalue[-1] = 1e-15
    status = "fit did not converge" if without else "ok"
    if without:
        fitted = np.full(n_prompts, np.nan)
    return pd.DataFrame({**keys, "rank": rank, "eigenvalue": eigenvalue, "fitted": fitted, "status": status})


def _scores(rng, keys, prompts, spectrum):
    rows = []
    usable = prompts[prompts["status"] == "ok"]
    for metric in METRICS:
        value, spread, status = float("nan"), float("nan"), "ok"
        if metric != "isf":
            bad = prompts[prompts["status"] != "ok"]
            if len(bad):
                status = f"{len(bad)} of {len(prompts)} prompts left out (first: {bad.prompt.iloc[0]}, {SICK_STATUS})"
            value = usable[metric].mean()
            spread = 1.96 * usable[metric].std() / np.sqrt(len(usable))
        elif (spectrum["status"] == "ok").all():
            residual = spectrum["eigenvalue"] - spectrum["fitted"]
            value = float(np.sqrt(np.mean(residual**2)) / np.ptp(spectrum["eigenvalue"]))
            spread = 0.2 * value
        else:
            status = spectrum["status"].iloc[0]
        interval = {"ci_low": value - spread, "ci_high": value + spread}
        row = {
            **keys,
            "metric": metric,
            "value": value,
            **interval,
            "n_prompts": len(usable),
            "target": "loss",
            "status": status,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def normalize(scores: pd.DataFrame) -> pd.DataFrame:
    """1/(x + 1e-9), then min-max over the models of each prompt set and metric; 0.5 where all are equal."""
    parts = []
    for _, group in scores.groupby(["prompt_set", "metric"], sort=False):
        inverse = 1 / (group["value"] + 1e-9)
        reach = inverse.max() - inverse.min()
        score = (inverse - inverse.min()) / reach if reach > 0 else inverse * 0 + 0.5
        keys = ["model", "condition", "prompt_set", "metric"]
        ends = {"value_at_0": group["value"].max(), "value_at_1": group["value"].min()}
        parts.append(group[keys].assign(score=score, **ends, n_prompts=group["n_prompts"], status=group["status"]))
    return pd.concat(parts, ignore_index=True)


def _model_pairs(prompts, scores):
    """Every two models on each set, by the workflow's own function, from rows that the tables give back."""
    prompt_rows = [
        prompts.assign(metric=metric, quantity=metric, value=prompts[metric], layer=pd.NA, rank=pd.NA)
        for metric in METRICS[:4]
    ]
    of_sets = scores[scores["metric"] == "isf"].assign(quantity="isf", layer=pd.NA, rank=pd.NA, prompt=None)
    rows = pd.concat([*prompt_rows, of_sets.assign(loss_nats=np.nan, n_tokens=0)], ignore_index=True)
    rows = rows.astype({"layer": "Int64", "rank": "Int64"})
    texts = prompts.assign(text=prompts["prompt_set"] + prompts["prompt"], answer="")
    texts = texts[["prompt_set", "prompt", "text", "answer"]]
    settings = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}
    return pair_models(rows, texts.drop_duplicates(), list(prompts["model"].unique()), **settings)


def _correlations(prompts: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    wide = scores.pivot_table(index="model", columns="metric", values="value")
    sources = {
        "prompt": (
            prompts.groupby("prompt")[[*METRICS[:4], "loss_nats"]].mean(),
            (*METRICS[:4], "loss_nats"),
        ),
        "model": (wide, METRICS),
    }
    rows = []
    for level, (table, variables) in sources.items():
        for x, y in combinations(variables, 2):
            if not {x, y} <= set(table.columns):
                continue
            both = table[[x, y]].dropna()
            r = both[x].corr(both[y])
            r = r if len(both) > 2 else np.nan
            p = float(np.clip(2 * np.exp(-abs(r) * np.sqrt(len(both))), 0, 1)) if np.isfinite(r) else np.nan
            rows.append({
                "x": x, "y": y, "level": level, "n": len(both), "pearson_r": r, "pearson_p": p,
                "spearman_rho": r, "spearman_p": p, "p_adjusted": np.minimum(1.0, 2 * p),
                "status": "ok" if np.isfinite(r) else "fewer than 3 pairs",
            })  # fmt: skip
    return pd.DataFrame(rows)


def _gains(rng, prompts: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for variant in VARIANTS:
        gain = rng.gamma(20, 0.05, len(prompts))
        part = prompts[["model", "condition", "prompt_set", "prompt"]].assign(
            kind=np.where(np.arange(len(prompts)) % 2, "factual", "syntactic"),
            difficulty="easy",
            variant=variant,
            last_gain=gain,
            log_cumulative_gain=rng.normal(5, 1, len(prompts)),
            expands=pd.array(gain > 1, dtype="boolean"),
            entropy_nats=rng.gamma(8, 0.4, len(prompts)),
            top_token=" a",
            top_token_probability=0.5,
            status="ok",
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _hypotheses(rng, models, prompt_sets, n_prompts) -> pd.DataFrame:
    """Rows of every hypothesis, their numbers drawn and their verdicts fitting."""
    correlation = ("entropy_gain", "entropy_nats", "last_gain")
    tests = [(name, *correlation, s) for name in ("all sets", *prompt_sets) for s in ("pearson_r", "spearman_rho")]
    tests += [("all sets", "contraction", kind, "neutral", "mean_last_gain") for kind in ("factual", "syntactic")]
    tests.append(("all sets", "nested_grammar", "syntactic", "factual", "ratio_of_means"))
    tests.append(("all sets", "contrast", "factual", "syntactic", "cliffs_delta"))
    rows = []
    for model in models:
        for variant in VARIANTS:
            for prompt_set, hypothesis, x, y, statistic in tests:
                value, p = rng.uniform(0.3, 0.9), np.nan if hypothesis == "contraction" else rng.uniform(0, 0.04)
                rows.append({
                    "model": model, "condition": "baseline", "prompt_set": prompt_set, "variant": variant,
                    "hypothesis": hypothesis, "x": x, "y": y, "statistic": statistic, "value": value,
                    "ci_low": value - 0.1, "ci_high": value + 0.1, "n": n_prompts, "n_x": n_prompts, "n_y": n_prompts,
                    "p": p, "p_adjusted": p, "p_parametric": p, "verdict_published": "inconclusive",
                    "verdict": "contracts" if hypothesis == "contraction" else "supported", "status": "ok",
                })  # fmt: skip
    return pd.DataFrame(rows)
