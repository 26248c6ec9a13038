"""Rule generate: the sentences made from a template -> a prompt file that says how they were made."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.config.generate import to_yaml
from internal_physics.config.prompts import parse_prompts
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        prompts = parse_prompts(snakemake.params.prompts, where=snakemake.wildcards.prompt_set)
        write_text(snakemake.output.prompts, to_yaml(prompts, snakemake.params.made_from))
