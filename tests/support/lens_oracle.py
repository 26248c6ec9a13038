"""The readout of each tiny architecture spelled out by name, and the quantities as plain numpy sums in float64."""

import numpy as np
import torch
from torch.nn import functional


def _norm_then_head(path):
    return lambda m, h: m.lm_head(m.get_submodule(path)(h))


def _soft_capped(m, h):
    cap = m.config.final_logit_softcapping
    return cap * torch.tanh(m.lm_head(m.model.norm(h)) / cap)


def _distilbert(m, h):
    return m.vocab_projector(m.vocab_layer_norm(functional.gelu(m.vocab_transform(h))))


READOUTS = {
    "gpt2": _norm_then_head("transformer.ln_f"),
    "llama": _norm_then_head("model.norm"),
    "llama_tied": _norm_then_head("model.norm"),
    "gpt_neox": lambda m, h: m.get_output_embeddings()(m.gpt_neox.final_layer_norm(h)),
    "gpt_neo": _norm_then_head("transformer.ln_f"),
    "gptj": _norm_then_head("transformer.ln_f"),
    "falcon": _norm_then_head("transformer.ln_f"),
    "bloom": _norm_then_head("transformer.ln_f"),
    "opt": _norm_then_head("model.decoder.final_layer_norm"),
    "gemma2": _soft_capped,
    "cohere": lambda m, h: m.config.logit_scale * m.lm_head(m.model.norm(h)),
    "granite": lambda m, h: m.lm_head(m.model.norm(h)) / m.config.logits_scaling,
    "phi3": _norm_then_head("model.norm"),
    "qwen3": _norm_then_head("model.norm"),
    "bert": lambda m, h: m.cls(h),
    "roberta": lambda m, h: m.lm_head(h),
    "distilbert": _distilbert,
}


def oracle_logits(name, model, residual):
    """[t, v] float64, by a float64 copy of the model's own modules."""
    with torch.no_grad():
        return READOUTS[name](model, torch.tensor(np.asarray(residual, np.float64))[None])[0].numpy()


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def quantities(logits, final, targets, t):
    """Quantity → number at position t (and means), from logits [T, v] of one layer and final logits [v]."""
    log_p, log_final = log_softmax(logits), log_softmax(final)
    entropy = -(np.exp(log_p) * log_p).sum(axis=-1)
    surprisal = np.array([-log_p[i, y] if y >= 0 else np.nan for i, y in enumerate(targets)])
    ordered, best = np.sort(logits[t])[::-1], int(final.argmax())
    return {
        "entropy_nats": entropy[t],
        "perplexity": np.exp(entropy[t]),
        "margin": ordered[0] - ordered[1],
        "kl_uniform_nats": (np.exp(log_p[t]) * (log_p[t] + np.log(len(final)))).sum(),
        "surprisal_nats": np.nanmean(surprisal) if np.isnan(surprisal[t]) else surprisal[t],
        "kl_final_nats": (np.exp(log_final) * (log_final - log_p[t])).sum(),
        "final_token_rank": 1 + (logits[t] > logits[t, best]).sum(),
        "final_token_probability": np.exp(log_p[t, best]),
        "mean_entropy_nats": entropy.mean(),
        "mean_surprisal_nats": np.nanmean(surprisal),
    }


def of_token(logits, token):
    """Rank, probability and margin of a token of logits [v], by sorting."""
    log_p = log_softmax(logits)
    others = np.delete(log_p, token)
    return {
        "answer_rank": 1 + sorted(log_p, reverse=True).index(log_p[token]),
        "answer_probability": np.exp(log_p[token]),
        "answer_margin_nats": log_p[token] - others.max(),
    }
