"""What is known of the weight gradients of many prompts: bergson's index beside our norms and sketches of its size."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import record_batches
from transformers import AutoModelForCausalLM

from benchmarks.subjects import snapshot

SIZE = 16  # a weight's gradient becomes SIZE × SIZE numbers
TOKENS = 2048  # of a batch of bergson, its default
BATCH = 16  # prompts of ours


def contestants(model: LoadedModel, batch: Sequence[Encoded]) -> dict[str, Callable[[], object]]:
    """Name → a run of all prompts in batches."""
    norms = RecordOptions(weight_gradients="norms", batch_size=BATCH)
    sketches = RecordOptions(weight_gradients="sketch", sketch_size=SIZE, batch_size=BATCH)
    return {
        "norms": lambda: [None for _ in record_batches(model, batch, norms)],
        "sketches": lambda: [None for _ in record_batches(model, batch, sketches)],
        "bergson": bergson_index(batch),
    }


def bergson_index(batch: Sequence[Encoded]) -> Callable[[], object]:
    """Its index in memory: random projections of both sides of every gradient of a linear map in the blocks."""
    from bergson import CollectorComputer, GradientProcessor, IndexConfig, InMemoryCollector
    from bergson.data import allocate_batches
    from datasets import Dataset

    module: Any = AutoModelForCausalLM.from_pretrained(snapshot(), dtype=torch.float32).requires_grad_(False)
    module.get_input_embeddings().requires_grad_(True)
    lengths = [len(e.ids) for e in batch]
    data = Dataset.from_dict({"input_ids": [list(e.ids) for e in batch], "length": lengths})

    def run() -> object:
        with tempfile.TemporaryDirectory() as folder:
            config = IndexConfig(run_path=str(Path(folder) / "index"), projection_dim=SIZE, token_batch_size=TOKENS)
            Path(f"{config.run_path}.part").mkdir()
            collector = InMemoryCollector(
                model=module.base_model, data=data, cfg=config, processor=GradientProcessor(projection_dim=SIZE)
            )
            batches = allocate_batches(lengths, TOKENS)
            CollectorComputer(
                model=module, data=data, collector=collector, batches=batches, cfg=config
            ).run_with_collector_hooks(desc="bergson")
            return len(collector.gradients)

    return run
