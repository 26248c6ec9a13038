"""Rule generate: the sentences made from a template -> a prompt file that says how they were made."""

from internal_physics.files import write_text
from internal_physics.generate import to_yaml
from internal_physics.joblog import job
from internal_physics.prompts import parse_prompts

if __name__ == "__main__":
    with job(snakemake):
        prompts = parse_prompts(snakemake.params.prompts, where=snakemake.wildcards.prompt_set)
        write_text(snakemake.output.prompts, to_yaml(prompts, snakemake.params.made_from))
