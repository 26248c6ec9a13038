"""What the family of the information per layer is."""

from internal_physics.families.family import Family, Figure, Metric, Per

ASKED = (("information",),)
BY_SET = ("models", "prompt_sets")
QUANTITIES = {
    "information_entropy": "entropy_nats",
    "information_perplexity": "perplexity",
    "information_margin": "margin",
    "information_kl_uniform": "kl_uniform_nats",
    "information_attention": "attention_entropy_nats",
    "information_surprisal": "surprisal_nats",
}

FAMILY = Family(
    name="information",
    title="Information along depth",
    metrics=(Metric("information", "Information", rule="information", in_layers=False),),
    tables={"information": ASKED, "predictions": ASKED},
    figures=(
        Figure(
            "information_profiles", Per.PROMPT_SET, tables=("information",), params=BY_SET, needs=ASKED, mem_mb=2000
        ),
        Figure(
            "lens_heatmap",
            Per.MODEL,
            files={"positions": "results/lens/{model}/baseline/positions.parquet"},
            params=("lens_prompts",),
            needs=ASKED,
        ),
        Figure(
            "token_trajectories",
            Per.RUN,
            files={"tokens": "results/lens/{model}/baseline/tokens.parquet"},
            params=("lens_prompts",),
            needs=ASKED,
        ),
        *(
            Figure(
                name,
                Per.RUN,
                tables=("information",),
                params=BY_SET,
                options={"quantity": quantity},
                module="information_metric",
                needs=ASKED,
                mem_mb=2000,
            )
            for name, quantity in QUANTITIES.items()
        ),
    ),
)
