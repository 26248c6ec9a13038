"""The description of the family run: tables of the models, prompts and conditions that all other tables refer to."""

from internal_physics.families.family import Family
from internal_physics.families.run.tables import CONDITIONS, MODELS, PROMPTS_READ

FAMILY = Family(name="run", title="What was run", tables={MODELS: (), PROMPTS_READ: (), CONDITIONS: ()})
