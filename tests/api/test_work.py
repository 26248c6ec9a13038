"""Working with runs, comparisons and steered texts in Python."""

import json

import internal_physics as ip
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from internal_physics.ground.errors import ConfigError, ModelError, PromptError, StoreError
from tiny_models import save_snapshot

TEXT = "hello world."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_snapshot(tmp_path_factory.mktemp("work") / "llama", "llama_tied")


@pytest.fixture(scope="module")
def model(folder):
    return ip.load(str(folder))


@pytest.fixture
def run(model, tmp_path):
    schema = pa.schema([("model", pa.string()), pa.field("value", pa.float64(), metadata={"unit": "nats"})])
    (tmp_path / "tables").mkdir()
    for name in ("scores", "models"):
        pq.write_table(
            pa.table({"model": ["z", "a"], "value": [1.0, 2.0]}, schema), tmp_path / f"tables/{name}.parquet"
        )
    ip.record(model, TEXT).save(tmp_path / "tensors/z/baseline/plain/hello.parquet")
    return ip.read_run(tmp_path)


class TestRun:
    def test_tables_have_units_and_the_order_of_the_models(self, run):
        table = run.table("scores")
        assert (run.tables, run.models) == (("models", "scores"), ("z", "a"))
        assert table.attrs == {
            "table": "scores",
            "units": {"value": "nats"},
            "where": {},
            "models": ["z", "a"],
        }
        assert repr(run).endswith("2 tables, models z, a)")

    def test_rows_are_asked_for_by_their_values(self, run):
        found = run.table("scores", model="a")
        assert list(found.columns) == ["value"]
        assert list(found["value"]) == [2.0]
        assert found.attrs["where"] == {"model": "a"}
        assert found.attrs["units"] == {"value": "nats"}
        several = run.table("scores", model=["a", "z"], value=1.0)
        assert several.to_dict("list") == {"model": ["z"]}

    def test_traces_are_found_by_name(self, run):
        assert run.trace("z", "plain", "hello").text == TEXT

    @pytest.mark.parametrize(
        ("call", "what", "todo"),
        [
            (lambda run: run.table("score"), "there is no table 'score'", "did you mean 'scores'?"),
            (lambda run: run.table("scores", modle="a"), "there is no column 'modle'", "did you mean 'model'?"),
            (lambda run: run.table("scores", value="1"), "found '1'", ""),
            (lambda run: run.table("scores", model=1), "found 1", ""),
            (lambda run: run.table("scores", model=["a", None]), "found None", ""),
            (lambda run: run.table("scores", model="zz"), "there is no model 'zz'", "did you mean 'z'?"),
            (lambda run: run.table("scores", model=["a", "b"], value=9), "there is no model 'b'", ""),
            (lambda run: run.table("scores", model="a", value=1.0), "there is no row with model 'a', value 1.0", ""),
            (lambda run: run.trace("zz", "plain", "hello"), "there is no model 'zz'", "did you mean 'z'?"),
            (lambda run: run.trace("z", "plane", "hello"), "there is no prompt set 'plane'", "did you mean 'plain'?"),
            (lambda run: run.trace("z", "plain", "helo"), "there is no prompt 'helo'", "did you mean 'hello'?"),
            (
                lambda run: run.trace("z", "plain", "hello", condition="x"),
                "there is no condition 'x'",
                "",
            ),
            (lambda run: run.findings, "this run has no findings", ""),
        ],
    )
    def test_an_unknown_name_is_refused_with_the_known_ones(self, run, call, what, todo):
        with pytest.raises(StoreError) as error:
            call(run)
        assert (error.value.what, error.value.todo) == (what, todo)
        assert error.value.expected

    def test_findings_are_read_unchanged(self, run):
        (run.folder / "findings.json").write_text(json.dumps([{"sentence": "No model differs."}]), encoding="utf-8")
        assert run.findings == [{"sentence": "No model differs."}]
        (run.folder / "findings.json").write_text("[", encoding="utf-8")
        with pytest.raises(StoreError, match="damaged"):
            _ = run.findings

    def test_a_folder_without_a_run_is_refused(self, tmp_path):
        for path, what in ((tmp_path, "there is no run in it"), (tmp_path / "no", "there is no such folder")):
            with pytest.raises(StoreError) as error:
                ip.read_run(path)
            assert error.value.what == what


class TestCompare:
    def test_a_trace_agrees_with_itself(self, model):
        trace = ip.record(model, TEXT)
        values = ip.compare(trace, trace).set_index("quantity")["value"]
        assert values.filter(like="cosine").to_numpy() == pytest.approx(1.0, abs=1e-12)  # float64 sums
        assert values.filter(like="distance").to_numpy() == pytest.approx(0.0, abs=1e-12)
        assert values["best_token_agrees"] == 1.0

    def test_another_precision_is_compared_by_layer(self, folder, model):
        trace, reference = ip.record(ip.load(str(folder), dtype="bf16"), TEXT), ip.record(model, TEXT)
        found = ip.compare(trace, reference)
        (row,) = found[(found["quantity"] == "residual_cosine") & (found["layer"] == 2)]["value"]
        a, b = (t.residual(2).astype(float).ravel() for t in (trace, reference))
        assert row == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-9)
        assert 0.9 < row < 1  # bfloat16 keeps 8 bits
        assert found.attrs["units"] == {"kl_nats": "nats", "kl_at_least_nats": "nats"}

    def test_other_texts_are_not_compared(self, model):
        with pytest.raises(StoreError, match="other tokens than b"):
            ip.compare(*ip.record(model, [TEXT, "hello you"]))


class TestGenerate:
    def test_greedy_text_consists_of_the_most_probable_tokens(self, model):
        text = TEXT
        for _ in range(4):
            text += ip.generate(model, text, max_new_tokens=1)
        new = ip.generate(model, TEXT, max_new_tokens=4)
        assert new.replace(" ", "") == text.removeprefix(TEXT)  # this tokenizer puts spaces between letters
        assert len(new) == 7

    def test_steering_acts_on_the_text_as_it_does_in_a_record(self, model):
        generator = np.random.default_rng(0)
        push = ip.steer(model, vector=generator.normal(size=32), layers=[1, 3], scale=3, tokens=[0, 1])
        steered = ip.record(model, TEXT, steering=push)
        best = int(steered.logits["id"][0])
        assert ip.generate(model, TEXT, steering=push, max_new_tokens=1) == model.tokenizer.decode(
            [best], skip_special_tokens=True
        )

    @pytest.mark.parametrize(("tokens", "new"), [([1], "aaaaa"), ([0, 1], "aaaaa"), ([1, 0], None)])
    def test_new_tokens_are_steered_with_the_last_token_weight(self, model, tokens, new):
        (letter,) = model.tokenizer("a", add_special_tokens=False)["input_ids"]
        towards = model.module.get_output_embeddings().weight[letter]
        push = ip.steer(model, vector=towards, layers=[3], scale=1000, tokens=tokens)
        found = ip.generate(model, TEXT, steering=push, max_new_tokens=5).replace(" ", "")
        assert found == (new or ip.generate(model, TEXT, max_new_tokens=5).replace(" ", ""))

    def test_no_hook_is_left_behind(self, model):
        plain = ip.generate(model, TEXT)
        ip.generate(model, TEXT, steering=ip.steer(model, vector=[5.0, -5.0]))
        assert ip.generate(model, TEXT) == plain

    def test_a_seed_fixes_the_draw_and_leaves_the_generator_of_torch_unchanged(self, model):
        torch.manual_seed(3)
        before = torch.random.get_rng_state()
        one, same, other = (ip.generate(model, TEXT, sampling=True, seed=seed) for seed in (1, 1, 2))
        assert one == same != other
        assert torch.equal(before, torch.random.get_rng_state())

    @pytest.mark.parametrize(
        ("options", "place"),
        [
            ({"max_new_tokens": 0}, "generate → max_new_tokens"),
            ({"temperature": 0}, "generate → temperature"),
            ({"steering": 3}, "generate → steering"),
            ({"max_tokens": 3}, "generate"),
        ],
    )
    def test_invalid_arguments_are_refused(self, model, options, place):
        with pytest.raises(ConfigError) as error:
            ip.generate(model, TEXT, **options)
        assert error.value.where == place

    def test_only_one_text_for_a_causal_model_is_accepted(self, model, tmp_path):
        with pytest.raises(PromptError, match="is not text"):
            ip.generate(model, [TEXT])
        masked = ip.load(str(save_snapshot(tmp_path / "bert", "bert")), task="masked")
        with pytest.raises(ModelError, match="masked model"):
            ip.generate(masked, "a [MASK] c")
