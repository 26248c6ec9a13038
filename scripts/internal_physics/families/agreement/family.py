"""The description of the family agreement."""

from internal_physics.families.agreement.tables import AGREEMENT, AGREEMENT_MEANS
from internal_physics.families.family import CONDITIONS, FACTORS, SEVERAL, Family, Figure, Metric, Needs, Per

OF_MODELS: Needs = (("agreement",), (SEVERAL,))
OF_CONDITIONS: Needs = (("agreement",), (CONDITIONS,))
ASKED: Needs = (("agreement",), (SEVERAL, CONDITIONS))

FAMILY = Family(
    name="agreement",
    title="Agreement with a reference",
    findings_tables=("agreement_means", "models"),
    metrics=(Metric("agreement", "Agreement", rule="agreement", in_layers=False, between_conditions=False),),
    tables=dict.fromkeys((AGREEMENT, AGREEMENT_MEANS), ASKED),
    figures=(
        Figure(
            "agreement_profile",
            Per.PROMPT_SET,
            tables=("agreement_means",),
            params=("models", "prompt_sets"),
            options={"between": "models"},
            needs=OF_MODELS,
        ),
        Figure(
            "agreement_weights",
            Per.RUN,
            tables=("agreement_means",),
            params=("models", "prompt_sets"),
            needs=(*OF_MODELS, (FACTORS,)),
        ),
        Figure(
            "agreement_conditions",
            Per.STEERED_SET,
            tables=("agreement_means",),
            params=("models", "prompt_sets"),
            options={"between": "conditions"},
            module="agreement_profile",
            needs=OF_CONDITIONS,
        ),
    ),
)
