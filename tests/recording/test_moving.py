"""What a GPU would have to wait for: reads by the host and copies to it, counted on the CPU.

`ToHost` is made to treat the CPU as a GPU: it copies what it is given, and only its copies may be read. A torch
function mode sees each read of another tensor, whether by the recorder or by the model; a dispatch mode sees reads of
single numbers from C++.
"""

from collections.abc import Sequence

import pytest
import torch
from cases import case, record, relative, worst_difference
from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel
from internal_physics.recording import arrays, attention, factors, norms
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.packing import Packing
from internal_physics.recording.recorder import record_batch
from internal_physics.records.trace import Trace
from tolerances import EXACT, GRADIENT
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

MOST_READS = 4
MOST_COPIES_OF_A_MAP = 2
MOST_OTHER_COPIES_OF_A_LAYER = 3  # residual, its gradient, attention rows
OF_THE_PASS = 8  # losses, four of the prediction, norms, and the last residual with its gradient
READS = {"tolist", "numpy", "cpu", "__array__"}


class Host:
    """The tensors that are on the host: copies, and what is computed from them alone."""

    def __init__(self) -> None:
        self.n_copies = 0
        self._alive: list[torch.Tensor] = []  # so that no other tensor gets their place
        self._places: set[int] = set()

    def add(self, tensor: torch.Tensor) -> None:
        self._alive.append(tensor)
        self._places.add(tensor.untyped_storage().data_ptr())

    def holds(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._places


class WholeReads(TorchFunctionMode):
    """Notes reads of whole tensors that are not on the host."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host, self.reads = host, []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        to_host = name == "to" and any(isinstance(a, str) and a == "cpu" for a in args[1:])
        if (name in READS or to_host) and not self.host.holds(args[0]):
            self.reads.append(name)
        return function(*args, **(kwargs or {}))


class ScalarReads(TorchDispatchMode):
    """Notes reads of single numbers of tensors that are not on the host."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host, self.reads = host, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [a for a in args if isinstance(a, torch.Tensor)]
        of_host = bool(given) and all(self.host.holds(tensor) for tensor in given)
        if function is torch.ops.aten._local_scalar_dense.default and not of_host:
            self.reads.append(str(function))
        output = function(*args, **(kwargs or {}))
        if of_host:
            for tensor in output if isinstance(output, tuple | list) else (output,):
                if isinstance(tensor, torch.Tensor):
                    self.host.add(tensor)
        return output


@pytest.fixture
def host(monkeypatch) -> Host:
    """Filled while ToHost copies from the CPU as it would from a GPU."""
    own = Host()

    def start(self: arrays.ToHost, tensor: torch.Tensor) -> torch.Tensor:
        copy = tensor.detach().clone()
        own.add(copy)
        own.n_copies += 1
        return copy

    for module in (factors, attention):
        monkeypatch.setattr(module, "is_on_host", own.holds)
    monkeypatch.setattr(arrays.ToHost, "start", start)
    return own


def counted(model: LoadedModel, encoded: Sequence[Encoded], host: Host, kept: str) -> tuple[dict[str, Trace], list]:
    """Traces by prompt, and what was read before it was on the host."""
    options = RecordOptions(weight_gradients=kept, batch_size=16)
    attention.learn_attention_rows(model)
    host.n_copies = 0
    with ScalarReads(host) as scalars, WholeReads(host) as whole:
        traces = record_batch(model, sorted(encoded, key=lambda e: len(e.ids)), options)
    return {trace.info.prompt: trace for trace in traces}, scalars.reads + whole.reads


@pytest.mark.parametrize("kept", ["factors", "norms", "none"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "bert", "gpt_neox"])
def test_a_pass_is_read_back_at_its_end_only(name, kept, host):
    """Batches of five prompts: one read for each prompt would be seen."""
    tiny = case(name)
    _, reads = counted(tiny.model, tiny.encoded, host, kept)
    assert len(reads) <= MOST_READS, reads
    n_maps = len(tiny.model.anatomy.maps) if kept == "factors" else 0
    n_layers = tiny.model.anatomy.n_layers
    most = MOST_COPIES_OF_A_MAP * n_maps + MOST_OTHER_COPIES_OF_A_LAYER * n_layers + OF_THE_PASS
    assert 0 < host.n_copies <= most


@pytest.mark.parametrize("kept", ["factors", "norms"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "gemma2"])
def test_what_was_copied_is_what_was_computed(name, kept, host):
    tiny = case(name, "float64")
    found, _ = counted(tiny.model, tiny.encoded, host, kept)
    with pytest.MonkeyPatch.context() as undone:
        undone.setattr(arrays.ToHost, "start", lambda self, tensor: tensor.detach())
        expected = record(tiny.model, tiny.encoded, weight_gradients=kept)
    for prompt, trace in found.items():
        assert trace.info.parameters == expected[prompt].info.parameters
        assert worst_difference(trace, expected[prompt])[0] <= EXACT


def test_an_input_that_maps_share_is_copied_once(host):
    tiny = case("llama")
    counted(tiny.model, tiny.encoded[:1], host, "factors")
    n_layers = tiny.model.anatomy.n_layers
    n_inputs = 4 * n_layers + 1  # of q, k, v; o; gate, up; down; and the head
    n_of_factors = (7 * n_layers + 1) + n_inputs + 2  # gradients, inputs, the embedding's ids and gradient
    assert host.n_copies == n_of_factors + MOST_OTHER_COPIES_OF_A_LAYER * n_layers + OF_THE_PASS - 1  # no norms


# --- norms with products in float32, as on GPUs that are slow in float64 ----------------------------


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "gemma2"])
def test_norms_with_products_in_float32_are_exact_to_a_millionth(name, monkeypatch):
    tiny = case(name)
    exact = record(tiny.model, tiny.encoded, weight_gradients="norms")
    monkeypatch.setattr(norms, "product_dtype", lambda _: torch.float32)
    found = record(tiny.model, tiny.encoded, weight_gradients="norms")
    for prompt, trace in found.items():
        for info in trace.info.parameters:
            expected = exact[prompt].gradient_norm(info.name)
            assert trace.gradient_norm(info.name) == pytest.approx(expected, rel=norms.MOST_ERROR)


def test_a_pass_whose_terms_cancel_is_repeated_in_float64(monkeypatch):
    """A bound that no pass can meet stands for terms that cancel: the numbers are then those of float64."""
    tiny = case("llama")
    exact = record(tiny.model, tiny.encoded, weight_gradients="norms")
    monkeypatch.setattr(norms, "product_dtype", lambda _: torch.float32)
    monkeypatch.setattr("internal_physics.recording.recorder.MOST_ERROR", 0.0)
    found = record(tiny.model, tiny.encoded, weight_gradients="norms")
    for prompt, trace in found.items():
        for info in trace.info.parameters:
            assert trace.gradient_norm(info.name) == exact[prompt].gradient_norm(info.name)


@pytest.mark.parametrize("cancelled", [0.0, 0.5, 0.9, 0.999])
def test_the_stated_error_is_no_smaller_than_the_error(cancelled):
    """Two tokens with nearly the same input and opposite gradients: their terms cancel."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 300, generator=draw).repeat(2, 1) + 0.01 * torch.randn(2, 300, generator=draw)
    delta = torch.randn(1, 400, generator=draw) * torch.tensor([[1.0], [-cancelled]])
    packing = Packing([2], 2)
    (exact,), _ = norms.outer_squared(packing, x, delta)
    (found,), (size,) = norms.outer_squared(packing, x, delta, products=torch.float32)
    stated = norms.stated_error(float(size / found))
    error = abs(float((found / exact).sqrt()) - 1)
    assert error <= stated
    assert (stated > norms.MOST_ERROR) == (cancelled >= 0.9)


@pytest.mark.parametrize("most_padding", [1.0, 1.25, float("inf")])
@pytest.mark.parametrize("lengths", [[4], [3, 3, 3], [1, 2, 2, 7, 8], [2, 30, 3]])
@pytest.mark.parametrize("products", [torch.float32, torch.float64])
def test_norms_of_a_batch_equal_dense_ones_however_prompts_are_grouped(lengths, most_padding, products):
    draw = torch.Generator().manual_seed(1)
    packing = Packing(lengths, max(lengths))
    x, delta = (torch.randn(sum(lengths), width, generator=draw) for width in (20, 30))
    found, _ = norms.outer_squared(packing, x, delta, products=products, most_padding=most_padding)
    cut = zip(x.double().split(lengths), delta.double().split(lengths), strict=True)
    expected = torch.stack([(own.T @ given).square().sum() for given, own in cut])
    assert relative(found.numpy(), expected.numpy()) <= GRADIENT["float32" if products == torch.float32 else "float64"]


def test_groups_hold_neighbours_and_pad_no_more_than_allowed():
    packing = Packing([5, 6, 6, 9, 10, 20], 20)
    assert [(g.first, g.end, g.n_tokens) for g in packing.groups(1.25)] == [(0, 3, 6), (3, 5, 10), (5, 6, 20)]
    assert [(g.first, g.end) for g in packing.groups(1.0)] == [(0, 1), (1, 3), (3, 4), (4, 5), (5, 6)]
    assert [(g.first, g.end) for g in packing.groups(float("inf"))] == [(0, 6)]


def test_attention_can_be_left_out_after_it_was_recorded():
    """The blocks that attention rows come from are known then, and there are no rows."""
    tiny = case("llama")
    with_rows = record(tiny.model, tiny.encoded[:1])
    without = record(tiny.model, tiny.encoded[:1], attention_entropy=False)
    for prompt, trace in without.items():
        gone = {key for key in with_rows[prompt].tensors if key.site == "attention"}
        assert gone and gone.isdisjoint(trace.tensors)
