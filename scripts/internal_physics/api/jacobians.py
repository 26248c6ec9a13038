"""`ip.jacobians`: the local linear map of every block at the read position of a prompt."""

from typing import TYPE_CHECKING

from internal_physics.api.checks import in_words, require_model, require_steering
from internal_physics.api.recording import PromptLike, read_prompts
from internal_physics.config.options.text import SpecialTokens, TextOptions
from internal_physics.families.jacobian.local_map import NATS
from internal_physics.families.jacobian.options import MapOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.models.loading import LoadedModel
from internal_physics.steering.intervention import Steering

if TYPE_CHECKING:
    import pandas as pd


@in_words
def jacobians(
    model: LoadedModel,
    prompt: PromptLike,
    *,
    steering: Steering | None = None,
    exact_width: int = MapOptions.exact_width,
    probes: int = MapOptions.probes,
    seed: int = 0,
    special_tokens: SpecialTokens = TextOptions.special_tokens,
    chat_template: bool = TextOptions.chat_template,
) -> "pd.DataFrame":
    """Compute J = ∂residual[l+1] / ∂residual[l] of every block l, at the read position, others held fixed.

    Args:
        model: from `load`.
        prompt: a text, or a mapping as `record` takes it.
        steering: an intervention from `steer`, under which the blocks are linearised.
        exact_width: largest width for which all of J is computed; a wider one is probed at random.
        probes: number of random vectors for wider models, at least 2.
        seed: of the random vectors.
        special_tokens: tokenizer, none or explicit.
        chat_template: put the text into the chat template of the tokenizer.

    Returns:
        A row per block: layer, width, method (exact or probes), n_products, frobenius_norm and its standard error (0
        where it is exact), rms_gain = ‖J‖/√d, the four largest and the smallest singular value, effective_rank,
        log_abs_det_nats and its mean over directions. What is not known is NaN, and has a status.

    Raises:
        ConfigError: for an invalid option.
        PromptError: for a prompt that cannot be run.
        ArchitectureError: for blocks of several modules.
    """
    import pandas as pd  # noqa: PLC0415

    from internal_physics.families.jacobian.measure import map_rows  # noqa: PLC0415
    from internal_physics.recording.encoding import encode_prompts  # noqa: PLC0415

    require_model(model, "jacobians")
    require_steering(steering, "jacobians")
    for name, value, least in (("exact_width", exact_width, 1), ("probes", probes, 2)):
        if not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} is {value!r}", where="jacobians", expected=f"a whole number ≥ {least}")
    text = TextOptions(special_tokens=special_tokens, chat_template=chat_template)
    (encoded,) = encode_prompts(model, read_prompts([prompt]), text)
    found = map_rows(model, encoded, MapOptions(exact_width, probes), seed, steering)
    frame = pd.DataFrame([row for row, _ in found])
    frame.attrs["units"] = dict(NATS)
    return frame
