"""Made-up tables `decided` and `decided_means`."""

import numpy as np
import pandas as pd
from internal_physics.families.information.decided import decided_means, decided_table

STATISTICS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}


def make_decided(models=("m0", "m1"), n=6) -> dict[str, pd.DataFrame]:
    """n prompts of two kinds on each model: every second answer is right, and settles at residual 0, 2, 4, …"""
    right = np.arange(n) % 2 == 0
    of_prompt = {
        **{"condition": "baseline", "prompt_set": "s", "prompt": [f"p{i}" for i in range(n)]},
        **{"answer": "a, b", "followed": "answer", "token": " é", "n_answer_tokens": 2},
        "settled_layer": np.where(right, np.arange(n), np.nan),
        "settled_depth": np.where(right, np.arange(n) / n, np.nan),
        "final_rank": np.where(right, 1.0, 3.0),
        "final_probability": np.linspace(0.1, 0.8, n),
        "final_margin_nats": np.where(right, 1.0, -1.0),
        "is_correct": right.astype(float),
        **{"best_token": " b", "best_settled_layer": 9.0, "status": "ok"},
    }
    followed = pd.concat([pd.DataFrame({"model": model, **of_prompt}) for model in models], ignore_index=True)
    prompts = followed[["model", "prompt_set", "prompt"]].assign(kind=["x", "y"] * (len(followed) // 2))
    decided = decided_table(followed, prompts)
    return {"decided": decided, "decided_means": decided_means(decided, **STATISTICS)}
