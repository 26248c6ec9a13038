"""Vision-language checkpoints: prompts without images run through the language model inside, as in transformers."""

from collections import Counter
from pathlib import Path

import internal_physics as ip
import pytest
import torch
import transformers as T
from internal_physics.ground.errors import ModelError
from internal_physics.models.coverage import weight_of
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.options import LoadOptions
from lora_adapters import factors, write_adapter
from tiny_models import build_tokenizer
from tolerances import SAME_PASS

TEXT = {
    **{"vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
}
# As many blocks as the language model has: their number does not tell the two apart.
EYE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
EYE |= {"image_size": 28, "patch_size": 14}
QWEN_EYE = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "patch_size": 14}
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
TOKENS = {"image_token_id": 90, "video_token_id": 91, "vision_start_token_id": 92, "vision_end_token_id": 93}


def llava() -> T.PreTrainedModel:
    eye = {**EYE, "model_type": "clip_vision_model"}
    config = T.LlavaConfig(text_config=T.LlamaConfig(**TEXT).to_dict(), vision_config=eye, image_token_index=90)
    return T.LlavaForConditionalGeneration(config)


def qwen2_5_vl() -> T.PreTrainedModel:
    text = T.Qwen2_5_VLTextConfig(**TEXT, rope_parameters=ROPE).to_dict()
    eye = {**QWEN_EYE, "out_hidden_size": 32}
    return T.Qwen2_5_VLForConditionalGeneration(T.Qwen2_5_VLConfig(text_config=text, vision_config=eye, **TOKENS))


def gemma3() -> T.PreTrainedModel:
    """One that transformers loads as a causal model too."""
    text = T.Gemma3TextConfig(**TEXT, head_dim=8).to_dict()
    eye = {**EYE, "model_type": "siglip_vision_model"}
    tokens = {"image_token_index": 90, "boi_token_index": 91, "eoi_token_index": 92}
    return T.Gemma3ForConditionalGeneration(
        T.Gemma3Config(text_config=text, vision_config=eye, mm_tokens_per_image=4, **tokens)
    )


def mixture() -> T.PreTrainedModel:
    """Experts in the language model."""
    text = T.Qwen3VLMoeTextConfig(
        **TEXT, head_dim=8, moe_intermediate_size=16, num_experts=4, num_experts_per_tok=2, rope_parameters=ROPE
    ).to_dict()
    eye = {**QWEN_EYE, "out_hidden_size": 32, "deepstack_visual_indexes": [0]}
    return T.Qwen3VLMoeForConditionalGeneration(T.Qwen3VLMoeConfig(text_config=text, vision_config=eye, **TOKENS))


MODELS = {"llava": llava, "qwen2_5_vl": qwen2_5_vl, "gemma3": gemma3, "qwen3_vl_moe": mixture}


def save(model: T.PreTrainedModel, folder: Path) -> Path:
    """With weights of usual size everywhere, also where they begin at zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory):
    """Folder and transformers' own model, in float64 so that its rounding does not count."""
    torch.manual_seed(0)
    folder = save(MODELS[request.param](), tmp_path_factory.mktemp("vision") / request.param)
    eager = {"attn_implementation": "eager", "experts_implementation": "eager"}
    reference = T.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float64, **eager)
    return folder, reference.eval()


def test_records_equal_autograd_of_the_whole_model(case):
    folder, reference = case
    model = ip.load(str(folder), dtype="float64")
    trace = ip.record(model, "the cat")
    ids = torch.tensor([trace.info.token_ids])
    loss = reference(input_ids=ids, labels=ids).loss
    loss.backward()
    assert model.anatomy.blocks_path.endswith("language_model.layers")
    assert trace.loss_nats == pytest.approx(loss.item(), rel=SAME_PASS)
    squares: Counter[str] = Counter()  # summed over the experts of a weight
    for matrix in trace.parameters:
        squares[weight_of(matrix)] += trace.gradient_norm(matrix) ** 2
    for name, parameter in reference.named_parameters():
        reached = parameter.grad is not None and parameter.ndim >= 2 and bool(parameter.grad.any())
        assert reached == (name in squares), name
        if reached:
            assert squares[name] ** 0.5 == pytest.approx(parameter.grad.norm().item(), rel=SAME_PASS), name
    assert model.coverage.share == 1
    assert any("vis" in name for name in model.coverage.unreached)


def test_the_readout_without_blocks_gives_the_logits(case):
    folder, reference = case
    trace = ip.record(ip.load(str(folder)), "the cat")
    read = open_readout(folder, LoadOptions(device="cpu")).logits(trace.residual(3))
    logits = reference(input_ids=torch.tensor([trace.info.token_ids])).logits[0]
    assert read.double().numpy() == pytest.approx(logits.detach().numpy(), abs=1e-5)  # float32; logits near 1


def test_an_adapter_of_its_language_model_is_merged(case, tmp_path):
    """The class that builds it for images and text is the one that finds the adapter's modules."""
    folder, reference = case
    target = "model.language_model.layers.1.self_attn.q_proj"
    named = r"model\.language_model\..*\.1\..*q_proj"
    adapter = write_adapter(tmp_path / "lora", folder, factors(reference, target), target_modules=named)
    a, b = factors(reference, target).values()
    weight = reference.get_submodule(target).weight
    ids = torch.tensor([[7, 9, 11, 20, 8, 30]])
    before = weight.detach().clone()
    with torch.no_grad():
        weight += 7 / 3 * (b.double() @ a.double())
        expected = reference(input_ids=ids).logits
        weight.copy_(before)  # other tests have the same model
        assert (reference(input_ids=ids).logits - expected).abs().max() > 1e-3
        found = ip.load(str(adapter), dtype="float64").module(ids).logits
    assert (found - expected).abs().max() < 1e-5  # the merged weight is stored in float32


def test_one_that_reads_in_both_directions_is_refused(tmp_path):
    text = T.GemmaConfig(**TEXT, head_dim=8).to_dict()
    eye = {**EYE, "model_type": "siglip_vision_model", "projection_dim": 32}
    config = T.PaliGemmaConfig(text_config=text, vision_config=eye, image_token_index=90)
    folder = save(T.PaliGemmaForConditionalGeneration(config), tmp_path / "m")
    with pytest.raises(ModelError) as error:
        ip.load(str(folder))
    assert error.value.what == "a paligemma reads its prompt in both directions, so it has no next-token loss on one"
    assert "docs/architectures.md" in error.value.todo


def test_as_a_masked_model_it_is_refused_with_the_right_task(tmp_path):
    torch.manual_seed(0)
    folder = save(llava(), tmp_path / "m")
    with pytest.raises(ModelError) as error:
        ip.load(str(folder), task="masked")
    assert error.value.what == "transformers has no masked language model of type llava"
    assert error.value.todo == "set task: causal"
