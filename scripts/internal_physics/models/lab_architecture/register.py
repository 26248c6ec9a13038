"""Makes lab models known to transformers' Auto classes; importing this module is enough."""

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

from internal_physics.models.lab_architecture.configuration import MODEL_TYPE, LabConfig
from internal_physics.models.lab_architecture.modeling import LabForCausalLM, LabForMaskedLM

AutoConfig.register(MODEL_TYPE, LabConfig, exist_ok=True)
AutoModelForCausalLM.register(LabConfig, LabForCausalLM, exist_ok=True)
AutoModelForMaskedLM.register(LabConfig, LabForMaskedLM, exist_ok=True)

HEADS_OF_LAB_MODELS = {"causal": LabForCausalLM, "masked": LabForMaskedLM}
