"""Time and space that a large study would take, computed for docs/scale.md from the shape of its models and from
measured rates.

Nothing of this size has been run. Every number follows from STUDY, ASSUMED and docs/measured/scale.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from internal_physics.docs.markdown import table
from internal_physics.docs.measured import duration, size

_BYTES = 4  # of a number in a record, before compression
_HOUR = 3600


@dataclass(frozen=True)
class Shape:
    """The dimensions of a Llama-like model that determine its cost."""

    blocks: int
    width: int
    feed_forward: int
    key_value: int
    vocabulary: int
    is_tied: bool = False

    @property
    def weights(self) -> int:
        """Number of 2-D weights."""
        return 7 * self.blocks + (1 if self.is_tied else 2)

    @property
    def residual_numbers(self) -> int:
        """Numbers per token of residuals and their gradients."""
        return 2 * (self.blocks + 1) * self.width

    @property
    def factor_numbers(self) -> int:
        """Numbers per token of the factors of all weights; query, key, value share an input, gate and up another."""
        inputs = 3 * self.width + self.feed_forward
        outputs = 3 * self.width + 2 * self.key_value + 2 * self.feed_forward
        return self.blocks * (inputs + outputs) + (1 + self.width) + (self.width + self.vocabulary)

    @property
    def spectrum_operations(self) -> float:
        """Operations of all singular value decompositions, up to a factor: smaller side squared, times the larger."""
        sides = [(self.width, self.width)] * 2 + [(self.key_value, self.width)] * 2
        sides += [(self.width, self.feed_forward)] * 3
        readouts = 1 if self.is_tied else 2
        return self.blocks * sum(a * a * b for a, b in sides) + readouts * self.width**2 * self.vocabulary


@dataclass(frozen=True)
class Study:
    """How much is recorded."""

    shape: Shape
    parameters: float
    models: int
    prompts: int
    tokens: int
    prompt_sets: int


@dataclass(frozen=True)
class Rates:
    """Assumed speed of a GPU and its disk, per second."""

    operations: float
    bytes_read: float
    bytes_written: float
    gpus: int


STUDY = Study(Shape(80, 8192, 28672, 1024, 128256), 70e9, models=100, prompts=10_000, tokens=20, prompt_sets=40)
SMOLLM2 = Shape(30, 576, 1536, 192, 49152, is_tied=True)
ASSUMED = Rates(operations=400e12, bytes_read=2e9, bytes_written=0.5e9, gpus=2)
_SNAPSHOT_BYTES = 141e9
_LARGE_JOB, _DEFAULT_JOB = 1000, 250  # prompts of a record job


def estimates(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Every estimate that is used within a sentence of docs/scale.md, by name."""
    return _assumptions() | _storage(measured) | _recording() | _readings(measured) | _planning(measured["planning"])


def _assumptions() -> dict[str, Any]:
    return {
        "sets": f"{STUDY.prompt_sets} sets",
        "prompts_of_a_set": f"{STUDY.prompts // STUDY.prompt_sets} prompts",
        "gpu": f"{ASSUMED.operations / 1e12:.0f} TFLOP/s",
        "read": f"{size(ASSUMED.bytes_read)}/s",
        "written": f"{size(ASSUMED.bytes_written)}/s",
    }


def _storage(measured: Mapping[str, Any]) -> dict[str, Any]:
    shape, per_row = STUDY.shape, measured["table_bytes_per_row"]
    rows = {"layers": layer_rows(shape), "thermodynamics": shape.weights}
    sizes = {
        f"{name}_{kind}_bytes": n_rows * STUDY.models * STUDY.prompts * per_row[name][kind]
        for name, n_rows in rows.items()
        for kind in ("parquet", "csv")
    }
    return sizes | {
        "weights": shape.weights,
        "residual_numbers": f"{shape.residual_numbers / 1e6:.2f} million",
        "factor_numbers": f"{shape.factor_numbers / 1e6:.1f} million",
        "layer_rows": rows["layers"],
        "factors_of_100_prompts_bytes": 100 * record_bytes(measured, "factors", "bfloat16"),
    }


def _recording() -> dict[str, Any]:
    raw = _BYTES * STUDY.shape.residual_numbers * STUDY.tokens * STUDY.prompts
    work = 4 * STUDY.parameters * STUDY.tokens * STUDY.prompts
    load = _SNAPSHOT_BYTES / ASSUMED.bytes_read * STUDY.prompts
    write = raw / ASSUMED.bytes_written
    large, small = (load / prompts + write for prompts in (_LARGE_JOB, _DEFAULT_JOB))
    return {
        "operations": f"{work:.1e}",
        "raw_bytes": raw,
        "pass_seconds": work / ASSUMED.operations,
        "load_seconds": load / _LARGE_JOB,
        "load_small_jobs_seconds": load / _DEFAULT_JOB,
        "write_seconds": write,
        "recording_seconds": large,
        "gpu_hours_of_a_model": f"{ASSUMED.gpus * large / _HOUR:.1f}",
        "gpu_hours": _two_digits(STUDY.models * ASSUMED.gpus * large / _HOUR),
        "gpu_hours_small_jobs": _two_digits(STUDY.models * ASSUMED.gpus * small / _HOUR),
    }


def _readings(measured: Mapping[str, Any]) -> dict[str, Any]:
    shape = STUDY.shape
    readout = 2 * (shape.blocks + 1) * STUDY.tokens * STUDY.prompts * shape.width * shape.vocabulary
    ratio = shape.spectrum_operations / SMOLLM2.spectrum_operations
    return {
        "readout_operations": f"{readout:.1e}",
        "readout_hours": _two_digits(readout / (measured["readout_gigaflops"] * 1e9) / _HOUR),
        "spectra_ratio": _two_digits(ratio),
        "spectra_hours": round(ratio * measured["spectra_of_smollm2_seconds"] / _HOUR),
    }


def _planning(measured: Mapping[str, Any]) -> dict[str, Any]:
    records = STUDY.models * STUDY.prompts
    return {
        "plan_new_seconds": records * measured["per_record_milliseconds"] / 1000,
        "plan_finished_seconds": records * measured["per_finished_record_milliseconds"] / 1000,
        "notes_bytes": records * measured["note_bytes_per_record"],
    }


def layer_rows(shape: Shape) -> int:
    """Rows of table `layers` per prompt: e and cosine per block, gradient norm per residual, three norms and gains."""
    return 2 * shape.blocks + (shape.blocks + 1) + 3 * (shape.blocks + 1 + shape.blocks)


def record_bytes(measured: Mapping[str, Any], kept: str, dtype: str) -> float:
    """Size of the record of one prompt of the study."""
    shape = STUDY.shape
    per_token = shape.residual_numbers + (shape.factor_numbers if kept == "factors" else 0)
    numbers = per_token * STUDY.tokens + shape.vocabulary
    return measured["share_of_raw"][kept][dtype] * _BYTES * numbers + measured["footer_bytes"]


def storage(measured: Mapping[str, Any]) -> str:
    """Table of the sizes of all records."""
    rows = []
    for kept, dtypes in sorted(measured["share_of_raw"].items()):
        for dtype in dtypes:
            one = record_bytes(measured, kept, dtype)
            model = one * STUDY.prompts
            rows.append((f"`{kept}`", dtype, size(one), size(model), size(model * STUDY.models)))
    head = ("kept", "computed in", "per prompt", "per model", f"{STUDY.models} models")
    return table(head, rows)


def hours() -> str:
    """Table of the time of recording one model."""
    found = _recording()
    small, large = (f"{STUDY.prompts // prompts} jobs of {prompts:,} prompts" for prompts in (_DEFAULT_JOB, _LARGE_JOB))
    raw = size(found["raw_bytes"])
    rows = (
        ("forward and backward with frozen weights", f"{found['operations']} operations", "pass_seconds"),
        (f"loading {size(_SNAPSHOT_BYTES)}, {small}", "from disk", "load_small_jobs_seconds"),
        (f"loading, {large}", "from disk", "load_seconds"),
        (f"writing {raw} of raw numbers (`norms`)", "during the passes, but takes longer", "write_seconds"),
    )
    head = ("part, per model in bfloat16", "how", "time")
    return table(head, [(part, how, duration(found[key])) for part, how, key in rows])


def _two_digits(number: float) -> int:
    """Rounded to two significant digits: an estimate has no more."""
    return int(float(f"{number:.2g}"))
