"""Stale means stale: a change reruns what depends on it and nothing else. Mostly dry runs on a finished run.

test_example_family.py runs what a change of code has made stale, after which nothing is left to do.
tests/ground/test_staleness.py says for single files of the library which jobs reach them.
"""

import os
import time

import pytest
from internal_physics.families.family import Per
from rule_code import figures_label
from workflow_runs import (
    BELOW_AGREEMENT,
    BELOW_COLLECT,
    BELOW_GAINS,
    BELOW_INFORMATION,
    BELOW_KERNEL,
    BELOW_LENS,
    BELOW_METRICS,
    BELOW_NOTES,
    BELOW_PAIRS,
    BELOW_PHASES,
    BELOW_RECORDS,
    BELOW_ROUTING,
    BELOW_STATES,
    CONFIG,
    FIGURES,
    MODELS,
    OF_RECORDS,
    RECORDS,
    SETS,
    figures_of,
)

LIBRARY = "scripts/internal_physics"
FAMILIES = f"{LIBRARY}/families"
COMMENT = "# A comment that changes nothing."
CODE = "CHANGED = True"
ALL_FIGURES = {figures_label(name) for per in Per for name in FIGURES[per]}


def both(*sets):
    """Record jobs of both models on these sets."""
    return {(model, prompt_set) for model in MODELS for prompt_set in sets}


class TestNothingChanged:
    def test_a_second_run_does_nothing(self, tree):
        done = tree.run()
        assert done.labels == set()
        assert "Nothing to be done" in done.text

    def test_a_replay_of_the_run_file_does_nothing(self, base):
        assert base.plan(config="results/run.yaml").labels == set()

    def test_touched_files_rerun_nothing(self, tree):
        later = time.time() + 60
        for path in tree.path(LIBRARY).rglob("*.py"):
            os.utime(path, (later, later))
        os.utime(tree.path(CONFIG), (later, later))
        assert tree.plan().labels == set()

    def test_a_rewritten_but_equal_config_reruns_nothing(self, tree):
        tree.append(CONFIG, COMMENT)
        tree.append(CONFIG, "record: {batch_size: 16}  # the default")
        assert tree.plan().labels == set()


class TestPrompts:
    def test_a_changed_text_records_its_own_set_again(self, tree):
        tree.edit(CONFIG, "the cat sat on the mat.", "the dog sat on the mat.")
        plan = tree.plan()
        assert plan.records() == both("words")
        assert plan.labels == {"record_1_words"} | BELOW_RECORDS
        assert plan.jobs["record_1_words"] == len(MODELS)

    def test_a_changed_reason_is_told_in_the_run_file_alone(self, tree):
        tree.edit(CONFIG, "Counts up.", "Counts from one to four.")
        assert tree.plan().labels == {"provenance", "report"}

    def test_a_changed_note_records_nothing_and_reads_no_record(self, tree):
        """Table prompts_read passes notes to its readers; the footers of the records are read apart from them."""
        tree.edit(CONFIG, 'reason: "Counts up."', 'reason: "Counts up.", kind: counting')
        plan = tree.plan()
        assert plan.labels == {
            "run_tables",
            *BELOW_NOTES,
            *BELOW_COLLECT,
            *BELOW_KERNEL,
            *figures_of("gains", "hypotheses", "decided", "model_pairs"),
        }

    def test_an_added_prompt_records_its_own_set_again(self, tree):
        tree.edit(CONFIG, "      - {name: short,", '      - {name: new, text: "a new one"}\n      - {name: short,')
        assert tree.plan().records() == both("words")

    def test_an_added_set_is_recorded_alone(self, tree):
        added = 'prompts: [{name: a, text: "abc"}, {name: b, text: "abcd"}, {name: c, text: "abcde"}]'
        tree.edit(CONFIG, "\nstatistics:", f"  letters: {{{added}}}\n\nstatistics:")
        plan = tree.plan()
        assert plan.records() == both("letters")
        assert plan.labels == {"record_2_letters"} | BELOW_RECORDS

    def test_a_removed_set_records_nothing(self, tree):
        text = tree.path(CONFIG).read_text()
        start, end = text.index("  words:"), text.index("statistics:")
        tree.path(CONFIG).write_text(text[:start] + "\n" + text[end:])
        plan = tree.plan()
        assert plan.records() == set()
        assert plan.labels == BELOW_RECORDS

    def test_what_is_kept_of_one_set_concerns_that_set(self, tree):
        tree.edit(CONFIG, "weight_gradients: sketch", "weight_gradients: factors")
        assert tree.plan().records() == both("words")

    @pytest.mark.parametrize("option", ["special_tokens: none", "chat_template: true"])
    def test_how_one_set_becomes_tokens_concerns_that_set(self, tree, option):
        tree.edit(CONFIG, "weight_gradients: sketch", f"weight_gradients: sketch\n    {option}")
        assert tree.plan().records() == both("words")


class TestModels:
    def test_an_added_model_is_fetched_and_recorded_alone(self, tree):
        self.add(tree, 'other: {source: "path:results/tiny_models/./llama"}')
        plan = tree.plan()
        assert plan.jobs["fetch"] == 1
        assert plan.records() == {("other", name) for name in SETS}
        assert all(plan.jobs[metric] == 1 for metric in OF_RECORDS)

    def test_another_precision_shares_the_snapshot(self, tree):
        self.add(tree, 'half: {source: "path:results/tiny_models/llama", dtype: bfloat16}')
        plan = tree.plan()
        assert "fetch" not in plan.labels
        assert plan.records() == {("half", name) for name in SETS}

    def test_precisions_of_one_model_are_fetched_once(self, fresh, tmp_path):
        tree = fresh.copy(tmp_path / "tree")
        self.add(tree, 'half: {source: "path:results/tiny_models/llama", dtype: bfloat16}')
        self.add(tree, 'four: {source: "path:results/tiny_models/llama", quantization: nf4}')
        plan = tree.plan()
        assert plan.jobs["fetch"] == 2
        assert plan.fetched() == {"llama", "gpt2"}
        assert len(plan.records()) == 4 * len(SETS)

    def test_a_changed_model_file_is_fetched_and_recorded_again(self, tree):
        tree.append("results/tiny_models/gpt2/config.json", "")
        plan = tree.plan()
        assert plan.fetched() == {"gpt2"}
        assert plan.records() == {("tiny-gpt2", name) for name in SETS}

    def test_how_texts_become_tokens_of_one_model_concerns_its_records_alone(self, tree):
        line = '  tiny-gpt2: {source: "path:results/tiny_models/gpt2"'
        tree.edit(CONFIG, line, f"{line}, special_tokens: explicit")
        plan = tree.plan()
        assert plan.records() == {("tiny-gpt2", name) for name in SETS}
        assert not plan.labels & {"fetch", "spectra"}

    def test_what_lies_beside_a_model_reruns_nothing(self, tree):
        for name in ("README.md", "trainer_state.json", "optimizer.pt", "consolidated.safetensors", "modeling_x.py"):
            tree.path(f"results/tiny_models/llama/{name}").write_text("{}")
        assert tree.plan().labels == set()

    def test_a_removed_model_records_nothing(self, tree):
        tree.edit(CONFIG, '  tiny-gpt2: {source: "path:results/tiny_models/gpt2"}\n', "")
        plan = tree.plan()
        assert not plan.labels & {"fetch", "spectra", *RECORDS, *OF_RECORDS}
        also = {"run_tables", *BELOW_NOTES, "pulls", "figures_thermodynamics", "findings"}
        of_two_models = {"model_pairs", "figures_pairs"}
        below = BELOW_METRICS | BELOW_GAINS | BELOW_PHASES | BELOW_INFORMATION | BELOW_ROUTING | BELOW_KERNEL | also
        of_one_model = below - of_two_models
        assert plan.labels == of_one_model

    @staticmethod
    def add(tree, line):
        tree.edit(CONFIG, "\nprompt_sets:", f"  {line}\n\nprompt_sets:")


class TestCode:
    def test_comments_rerun_nothing(self, tree):
        for path in tree.path(LIBRARY).rglob("*.py"):
            path.write_text(f"{path.read_text()}\n{COMMENT}\n")
        assert tree.plan().labels == set()

    def test_a_changed_metric_reruns_that_metric_and_what_hangs_below(self, tree):
        tree.append(f"{FAMILIES}/gradient_flow/isf.py", CODE)
        plan = tree.plan()
        assert plan.labels == {"metric:isf"} | BELOW_METRICS
        assert plan.jobs["metric:isf"] == len(MODELS)

    def test_a_changed_agreement_compares_again_and_computes_nothing_else(self, tree):
        tree.append(f"{FAMILIES}/agreement/agreement.py", CODE)
        assert tree.plan().labels == {"agreement"} | BELOW_AGREEMENT

    def test_what_the_gradient_flow_metrics_share_reruns_them_and_no_other(self, tree):
        tree.append(f"{FAMILIES}/gradient_flow/flow.py", CODE)
        plan = tree.plan()
        assert plan.labels == {"gradient_flow", "collect"} | BELOW_COLLECT | BELOW_PAIRS
        assert plan.jobs["gradient_flow"] == len(MODELS)

    @pytest.mark.parametrize(("family", "figure"), [("gradient_flow", "radar"), ("kernel", "kernel_map")])
    def test_a_changed_figure_is_drawn_again_with_its_family_and_no_other(self, tree, family, figure):
        tree.append(f"{FAMILIES}/{family}/figures/{figure}.py", CODE)
        assert tree.plan().labels == {f"figures_{family}", "report"}

    @pytest.mark.parametrize(
        ("script", "stale"),
        [
            ("information_package", {"information_package"}),
            ("figures", ALL_FIGURES | {"information_package", "report"}),
        ],
    )
    def test_a_changed_adapter_reruns_its_rules(self, tree, script, stale):
        """Snakemake itself looks at a script's date, so that a comment reruns here."""
        tree.append(f"scripts/{script}.py", COMMENT)
        later = time.time() + 60
        os.utime(tree.path(f"scripts/{script}.py"), (later, later))
        assert tree.plan().labels == stale

    def test_a_changed_house_style_redraws_every_figure(self, tree):
        tree.append(f"{LIBRARY}/figures/internal_physics.mplstyle", "")
        assert tree.plan().labels == ALL_FIGURES | {"information_package", "report", "explorer"}

    def test_a_changed_report_text_rewrites_the_report(self, tree):
        tree.append("report/report.html.j2", "")
        assert tree.plan().labels == {"report"}

    def test_a_changed_script_of_the_explorer_rewrites_the_explorer(self, tree):
        tree.append(f"{LIBRARY}/report/explorer/main.js", "")
        assert tree.plan().labels == {"explorer"}

    def test_changed_recording_records_again_and_fetches_nothing(self, tree):
        tree.append(f"{LIBRARY}/recording/recorder.py", CODE)
        plan = tree.plan()
        assert plan.records() == both(*SETS)
        assert "fetch" not in plan.labels

    def test_what_only_the_python_api_uses_reruns_nothing(self, tree):
        tree.append(f"{LIBRARY}/api/recording.py", CODE)
        assert tree.plan().labels == set()


class TestOptions:
    def test_another_seed_resamples_and_records_nothing(self, tree):
        tree.edit(CONFIG, "seed: 0", "seed: 1")
        drawing = {
            "collect",
            *BELOW_COLLECT,
            *BELOW_GAINS,
            *BELOW_PAIRS,
            "thermodynamics",
            *BELOW_STATES,
            *BELOW_AGREEMENT,
            *BELOW_KERNEL,
        }
        assert tree.plan().labels == drawing | {"decided", *BELOW_LENS, "findings"}

    def test_another_level_of_confidence_leaves_recordings_and_means_alone(self, tree):
        tree.edit(CONFIG, "{n_resamples: 199}", "{n_resamples: 199, confidence_level: 0.9}")
        plan = tree.plan()
        assert plan.labels & {*RECORDS, *OF_RECORDS} == {"metric:isf", "thermodynamics"}
        assert "collect" in plan.labels

    def test_another_reference_compares_again_and_records_nothing(self, tree):
        tree.append(CONFIG, "reference: tiny-gpt2")
        plan = tree.plan()
        assert plan.labels == {"agreement"} | BELOW_AGREEMENT | BELOW_PAIRS
        assert plan.jobs["agreement"] == len(MODELS)

    def test_fewer_metrics_compute_nothing_but_tables(self, tree):
        tree.append(CONFIG, "metrics: [ec, isc, isg, isa]")
        plan = tree.plan()
        assert not plan.labels & {*RECORDS, *OF_RECORDS}
        assert plan.labels == {"collect"} | BELOW_PAIRS | BELOW_COLLECT - {"figures_residual_gain"}

    @pytest.mark.parametrize(
        "option", ["temperature: 0.7", "top_k: 3", "sampling: true", "target: self", "final_norm: false"]
    )
    def test_another_reading_of_the_layers_records_nothing(self, tree, option):
        tree.append(CONFIG, f"information: {{{option}}}")
        assert tree.plan().labels == {"information"} | BELOW_INFORMATION

    def test_another_lens_prompt_draws_two_figures_again(self, tree):
        tree.append(CONFIG, "information: {lens_prompt: words/short}")
        assert tree.plan().labels == BELOW_LENS | {"provenance", "report"}

    @pytest.mark.parametrize("option", ["batch_size: 2", "target: logit"])
    def test_how_prompts_are_run_concerns_every_recording(self, tree, option):
        tree.append(CONFIG, f"record: {{{option}}}")
        plan = tree.plan()
        assert plan.records() == both(*SETS)
        assert not plan.labels & {"fetch", "spectra"}

    def test_where_long_sets_are_cut_concerns_no_recording_that_stays_whole(self, tree):
        tree.append(CONFIG, "record: {prompts_per_job: 7}")
        assert tree.plan().records() == set()
