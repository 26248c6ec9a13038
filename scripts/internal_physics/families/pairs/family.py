"""What the family of pairs is: every two models on the same prompts."""

from internal_physics.families.family import SEVERAL, Family
from internal_physics.families.pairs.tables import MODEL_PAIRS

FAMILY = Family(name="pairs", title="Models compared", tables={MODEL_PAIRS: ((SEVERAL,),)})
