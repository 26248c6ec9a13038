"""Tiny random models of many architectures, from explicit configs: offline, seeded, built in milliseconds."""

import string
import sys
from pathlib import Path

import torch
import transformers as T
from tokenizers import Tokenizer, models, pre_tokenizers, processors

CHARACTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits + " .,;:!?'-"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, *CHARACTERS]
N_VOCABULARY = 97

_SIZES = {"vocab_size": N_VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
_MLP = {**_SIZES, "intermediate_size": 64}
_IDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}

CAUSAL_CONFIGS = {
    "gpt2": lambda: T.GPT2Config(vocab_size=N_VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=64, **_IDS),
    "llama": lambda: T.LlamaConfig(**_MLP, num_key_value_heads=2, **_IDS),
    "llama_tied": lambda: T.LlamaConfig(**_MLP, num_key_value_heads=1, tie_word_embeddings=True, **_IDS),
    "gpt_neox": lambda: T.GPTNeoXConfig(**_MLP, **_IDS),
    "gpt_neo": lambda: T.GPTNeoConfig(
        vocab_size=N_VOCABULARY,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        intermediate_size=64,
        max_position_embeddings=64,
        **_IDS,
    ),
    "gptj": lambda: T.GPTJConfig(vocab_size=N_VOCABULARY, n_embd=32, n_layer=3, n_head=4, rotary_dim=4, **_IDS),
    "falcon": lambda: T.FalconConfig(**_SIZES, **_IDS),
    "bloom": lambda: T.BloomConfig(vocab_size=N_VOCABULARY, hidden_size=32, n_layer=3, n_head=4, **_IDS),
    "opt": lambda: T.OPTConfig(**_SIZES, ffn_dim=64, word_embed_proj_dim=32, **_IDS),
    "gemma2": lambda: T.Gemma2Config(**_MLP, num_key_value_heads=2, head_dim=8, **_IDS),
    "cohere": lambda: T.CohereConfig(**_MLP, logit_scale=0.3, **_IDS),
    "granite": lambda: T.GraniteConfig(**_MLP, logits_scaling=4.0, **_IDS),
    "phi3": lambda: T.Phi3Config(**_MLP, **_IDS),
    "qwen3": lambda: T.Qwen3Config(**_MLP, head_dim=8, num_key_value_heads=2, **_IDS),
}
MASKED_CONFIGS = {
    "bert": lambda: T.BertConfig(**_MLP, pad_token_id=0),
    "roberta": lambda: T.RobertaConfig(**_MLP, pad_token_id=0),
    "distilbert": lambda: T.DistilBertConfig(
        vocab_size=N_VOCABULARY, dim=32, n_layers=3, n_heads=4, hidden_dim=64, pad_token_id=0
    ),
}
ARCHITECTURES = (*CAUSAL_CONFIGS, *MASKED_CONFIGS)
# Their attention computes in float32 whatever the model's type: batching changes its rounding, even in a float64 model.
FLOAT32_INSIDE = ("gpt_neo", "gptj")


def task_of(name: str) -> str:
    """causal or masked."""
    return "masked" if name in MASKED_CONFIGS else "causal"


def build_model(name: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> T.PreTrainedModel:
    """A seeded random model, its weights shaken so that no norm gain is 1 and no bias 0."""
    torch.manual_seed(seed)
    config = (CAUSAL_CONFIGS | MASKED_CONFIGS)[name]()
    auto = T.AutoModelForMaskedLM if task_of(name) == "masked" else T.AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager", dtype=dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


def build_tokenizer(masked: bool = False) -> T.PreTrainedTokenizerFast:
    """One token per character; a masked model's prompts are wrapped in [CLS] … [SEP]."""
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern="", behavior="isolated")
    if masked:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
        )
    return T.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def save_snapshot(folder: str | Path, name: str = "llama", seed: int = 0) -> Path:
    """Save a tiny model with its tokenizer as a folder that transformers (and a path: source) can load."""
    build_model(name, seed=seed).save_pretrained(folder)
    build_tokenizer(task_of(name) == "masked").save_pretrained(folder)
    return Path(folder)


def save_tiny_models(folder: str | Path) -> list[Path]:
    """Save the two models that config/tiny.yaml names: folder/llama and folder/gpt2."""
    return [save_snapshot(Path(folder) / name, name, seed) for seed, name in enumerate(("llama", "gpt2"))]


if __name__ == "__main__":
    for path in save_tiny_models(sys.argv[1] if len(sys.argv) > 1 else "results/tiny_models"):
        print(path)
