"""Checkpoints of other methods than bitsandbytes: FP8 and MXFP4 are de-quantised while loading, others refused."""

import tomllib
from pathlib import Path

import internal_physics as ip
import pytest
import torch
import transformers as T
from edited_checkpoints import copy, edit_config, edit_tensors, refusal
from internal_physics.models import loading
from safetensors.torch import load_file
from tiny_models import build_tokenizer
from tolerances import SAME_PASS

ROOT = Path(__file__).parents[2]
SIZES = {"vocab_size": 97, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
IDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
LLAMA = T.LlamaConfig(**SIZES, **IDS, intermediate_size=128, num_key_value_heads=4)
MIXTURE = {"num_local_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2, "head_dim": 16}
GPT_OSS = T.GptOssConfig(**SIZES, **IDS, **MIXTURE, intermediate_size=32)
TEXT = "the cat sat."
TILE = 64  # of FP8: 64 × 64 weights share a scale
GROUP = 32  # of MXFP4: 32 weights share a power of two
LEVELS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of FP4; codes from 8 on are negative


def save(config: T.PreTrainedConfig, folder: Path) -> Path:
    torch.manual_seed(0)
    T.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return save(LLAMA, tmp_path_factory.mktemp("plain") / "m")


def tiles(weight: torch.Tensor) -> torch.Tensor:
    """[row of tiles, row, column of tiles, column] of a matrix."""
    return weight.unflatten(0, (-1, TILE)).unflatten(2, (-1, TILE))


def save_fp8(folder: Path) -> Path:
    """As published: a scale for each tile, and the rest in bfloat16."""
    save(LLAMA, folder)

    def quantise(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            if "proj" not in name:
                tensors[name] = tensors[name].bfloat16()
                continue
            tiled = tiles(tensors[name])
            scales = tiled.abs().amax(dim=(1, 3)) / 448
            codes = (tiled / scales[:, None, :, None]).reshape(tensors[name].shape)
            tensors[name.replace("weight", "weight_scale_inv")] = scales
            tensors[name] = codes.to(torch.float8_e4m3fn)

    settings = {"quant_method": "fp8", "weight_block_size": [TILE, TILE], "activation_scheme": "dynamic"}
    return edit_tensors(edit_config(folder, quantization_config=settings), quantise)


def fp8_by_hand(folder: Path) -> dict[str, torch.Tensor]:
    """Codes times the scales of their tiles."""
    stored = load_file(folder / "model.safetensors")
    found = {}
    for name, values in stored.items():
        scales = stored.get(name.replace("weight", "weight_scale_inv"))
        if values.dtype == torch.float8_e4m3fn:
            found[name] = (tiles(values.float()) * scales[:, None, :, None]).reshape(values.shape)
        elif "scale_inv" not in name:
            found[name] = values.float()
    return found


def save_mxfp4(folder: Path) -> Path:
    """As gpt-oss is published: experts as two codes to a byte, the low half first, with an exponent for 32 of them."""
    save(GPT_OSS, folder)

    def quantise(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
            generator = torch.Generator().manual_seed(len(name))
            n_experts, n_in, n_out = tensors.pop(name).shape
            shape = (n_experts, n_out, n_in // GROUP)
            tensors[f"{name}_blocks"] = torch.randint(0, 256, (*shape, GROUP // 2), generator=generator).byte()
            tensors[f"{name}_scales"] = torch.randint(118, 124, shape, generator=generator).byte()  # 2^-9 … 2^-4

    return edit_tensors(edit_config(folder, quantization_config={"quant_method": "mxfp4"}), quantise)


def mxfp4_by_hand(folder: Path) -> dict[str, torch.Tensor]:
    """Level of each code times 2 to the power of (scale - 127); [experts, in, out], as the model keeps them."""
    stored = load_file(folder / "model.safetensors")
    levels = torch.tensor([*LEVELS, *(-level for level in LEVELS)])
    found = {}
    for name in [name for name in stored if name.endswith("_blocks")]:
        codes = stored[name].long()
        pairs = torch.stack([codes % 16, codes // 16], dim=-1).flatten(-2)  # [experts, out, groups, 32]
        powers = 2.0 ** (stored[name.replace("_blocks", "_scales")].float() - 127)
        found[name.removesuffix("_blocks")] = (levels[pairs] * powers[..., None]).flatten(-2).mT
    return found


MADE = {"fp8": (save_fp8, fp8_by_hand, LLAMA), "mxfp4": (save_mxfp4, mxfp4_by_hand, GPT_OSS)}


@pytest.mark.parametrize("method", MADE)
def test_weights_equal_those_dequantised_by_hand(tmp_path, method):
    make, by_hand, config = MADE[method]
    folder = make(tmp_path / method)
    model = ip.load(str(folder))
    found, expected = dict(model.module.named_parameters()), by_hand(folder)
    assert len(expected) >= 4
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name
    reference = T.AutoModelForCausalLM.from_config(config).eval()
    reference.load_state_dict({name: p.detach().clone() for name, p in found.items()} | expected)
    trace = ip.record(model, TEXT)
    ids = torch.tensor([trace.info.token_ids])
    assert trace.loss_nats == pytest.approx(reference(ids, labels=ids).loss.item(), rel=SAME_PASS)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", MADE)
def test_the_formats_that_ran_are_reported(tmp_path, method, dtype):
    model = ip.load(str(MADE[method][0](tmp_path / method)), dtype=dtype)
    assert {p.dtype for p in model.module.parameters()} == {getattr(torch, dtype)}
    assert model.labels["quantization"] == f"{method}, de-quantised"
    assert model.labels["quantization_method"] == method
    assert (model.labels["bits"], model.labels["compute_dtype"]) == (32 if dtype == "float32" else 16, dtype)
    assert model.labels["quantized_share"] == 0
    assert torch.isfinite(torch.tensor(ip.record(model, TEXT).loss_nats))


def test_formats_whose_kernels_have_no_backward_pass_are_dequantised_on_every_device(tmp_path, monkeypatch):
    """transformers does this by itself on a CPU; on a GPU it has to be requested."""
    asked = {}

    def load(*_: object, quantization_config: object = None, **__: object) -> None:
        asked["dequantize"] = quantization_config.dequantize
        raise OSError("not loaded")

    folder = save_fp8(tmp_path / "fp8")
    monkeypatch.setattr(T.AutoModelForCausalLM, "from_pretrained", load)
    assert "transformers cannot load that here: not loaded" in refusal(folder).what
    assert asked == {"dequantize": True}


@pytest.mark.parametrize("method", ["gptq", "awq", "hqq", "quanto", "compressed-tensors", "aqlm"])
def test_a_method_that_cannot_be_loaded_here_is_refused(plain, tmp_path, method):
    settings = {"quant_method": method, "bits": 4, "config_groups": {}, "group_size": 64}
    folder = edit_config(copy(plain, tmp_path), quantization_config=settings)
    assert refusal(folder).what.startswith(f"it is quantised by {method}, and transformers cannot load that here: ")
    asked = refusal(folder, quantization="nf4")
    assert asked.what == f"quantization: nf4 was asked for, and the checkpoint is already quantised: {method}"


def test_a_method_that_transformers_does_not_know_is_refused(plain, tmp_path):
    """transformers would warn, ignore the setting, and read the codes as weights."""
    folder = edit_config(copy(plain, tmp_path), quantization_config={"quant_method": "of-tomorrow"})
    error = refusal(folder)
    assert error.what == "it is quantised by of-tomorrow, which transformers does not know"
    assert "set `quantization` if it has to be small" in error.todo


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_a_method_with_kernels_of_its_own_is_refused_with_what_to_do(plain, tmp_path, method):
    settings = {"quant_method": method, "bits": 4, "group_size": 64}
    error = refusal(edit_config(copy(plain, tmp_path), quantization_config=settings))
    assert error.expected == "a checkpoint that is not quantised, or by bitsandbytes, FP8 or MXFP4"
    assert error.todo == "use a checkpoint that is not quantised, and set `quantization` if it has to be small"


def test_a_method_that_only_lacks_a_package_names_it(plain, tmp_path, monkeypatch):
    """Whatever is installed here: transformers is made to say what it says without the package."""
    said = "compressed-tensors>=0.15.0 is required. Please install it with `pip install compressed-tensors>=0.15.0`."

    def without_package(*_: object, **__: object) -> None:
        raise ImportError(said)

    settings = {"quant_method": "compressed-tensors", "config_groups": {}}
    folder = edit_config(copy(plain, tmp_path), quantization_config=settings)
    monkeypatch.setattr(loading, "dequantizing", without_package)
    error = refusal(folder)
    assert error.what.endswith(f"transformers cannot load that here: {said}")
    assert error.todo.startswith(
        "pip install compressed-tensors, with which it is de-quantised while it is loaded; or "
    )


def test_the_package_that_the_message_names_is_an_extra():
    """With it, int-, float- and pack-quantized checkpoints loaded with the weights computed by hand."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["compressed-tensors"] == ["compressed-tensors>=0.15"]
