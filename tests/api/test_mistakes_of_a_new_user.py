"""The mistakes that a new user made, or would make, each with the test that holds its message.

One line for each mistake: what was done, the test file, the test, and a text that is in that file (its case). A test
that is renamed or dropped fails here, so that no mistake loses its message unnoticed.
"""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
IN_PYTHON, REFUSED, PROMPTS = "api/test_mistakes.py", "config/test_refused_configs.py", "config/test_prompts.py"
COMMAND, FIGURES, WORDS = "cli/test_run.py", "api/test_api_figures.py", "api/test_option_words.py"


class Mistake(NamedTuple):
    """What was done; file and name of the test; its case, as it stands in the file ("" where the test has one)."""

    what: str
    file: str
    test: str
    case: str = ""


MODELS = (
    Mistake("a masked model without its task, in Python", IN_PYTHON, "test_a_masked_model_without_its_task_is_refused"),
    Mistake(
        "a masked model without its task, in a config",
        "recording/test_sight.py",
        "test_a_masked_model_without_its_task_is_refused_with_what_to_write",
    ),
    Mistake("a causal model as masked", "recording/test_sight.py", "test_no_causal_model_passes_as_masked"),
    Mistake("dtype fp16 is understood", IN_PYTHON, "test_a_number_format_by_its_usual_name_is_no_mistake"),
    Mistake("dtype fp17", IN_PYTHON, "test_load", '{"dtype": "fp17"}'),
    Mistake("quantization int4, in Python", IN_PYTHON, "test_load", '{"quantization": "int4"}'),
    Mistake(
        "quantization int4, in a config",
        REFUSED,
        "test_a_value_that_is_not_allowed_is_refused_with_the_allowed_ones",
        'quantization="int4"',
    ),
    Mistake("quantisation, in Python", IN_PYTHON, "test_load", '{"quantisation": "nf4"}'),
    Mistake(
        "quantisation, in a config",
        REFUSED,
        "test_an_unknown_key_is_refused_with_the_nearest_known_one",
        'quantisation="nf4"',
    ),
    Mistake("device gpu, in Python", IN_PYTHON, "test_load", '{"device": "gpu"}'),
    Mistake("device gpu, in a config", REFUSED, "test_the_message_says_that_a_gpu_is_called_cuda"),
    Mistake("cuda without a GPU", "api/test_api.py", "test_a_missing_gpu_is_refused"),
    Mistake(
        "a path where nothing is, in Python", IN_PYTHON, "test_a_path_is_not_taken_for_the_name_of_a_model_on_the_hub"
    ),
    Mistake(
        "a path where nothing is, in a config",
        COMMAND,
        "test_a_wrong_config_is_refused_before_any_job_runs",
        "there is no file or folder no/model",
    ),
    Mistake(
        "an option of transformers", WORDS, "test_an_invalid_option_is_refused_with_the_valid_ones", "load_in_4bit"
    ),
)
STEERING = (
    Mistake("layer instead of layers", IN_PYTHON, "test_steer", '{"vector": [1, -1], "layer": 3}'),
    Mistake("an empty vector", IN_PYTHON, "test_steer", '{"vector": []}'),
    Mistake("NaN in a vector", IN_PYTHON, "test_steer", '{"vector": [NAN]}'),
    Mistake(
        "NaN in a config",
        IN_PYTHON,
        "test_the_config_refuses_numbers_that_are_not_finite_with_the_same_message",
        '{"vector": [NAN]}',
    ),
    Mistake("no direction", IN_PYTHON, "test_steer", '({}, "steer"'),
    Mistake("a contrast without its negative texts", IN_PYTHON, "test_steer", '{"contrast": {"positive": ["a b"]}}'),
    Mistake("a layer as a number", IN_PYTHON, "test_steer", '"layers": 10}'),
    Mistake("a layer that there is not, in Python", IN_PYTHON, "test_steer", '"layers": [4]}'),
    Mistake(
        "a layer that there is not, in a config",
        "workflow/test_conditions_run.py",
        "test_what_does_not_fit_is_refused_before_the_first_pass_with_its_place",
        "there is no layer 9",
    ),
    Mistake("a scale in words", IN_PYTHON, "test_steer", '"scale": "big"}'),
    Mistake("a scale of None", IN_PYTHON, "test_steer", '"scale": None}'),
    Mistake("a vector of another width, in Python", IN_PYTHON, "test_steer", '{"vector": [1.0] * 33}'),
    Mistake(
        "a vector of another width, in a config",
        "workflow/test_conditions_run.py",
        "test_what_does_not_fit_is_refused_before_the_first_pass_with_its_place",
        "40 numbers",
    ),
    Mistake("a direction's file that is missing, in Python", IN_PYTHON, "test_steer", '{"file": "nowhere.pt"}'),
    Mistake(
        "a direction's file that is missing, in a config",
        "workflow/test_conditions_run.py",
        "test_a_wrong_config_stops_at_once_with_its_place",
    ),
)
RECORDS = (
    Mistake("weight_gradients full", IN_PYTHON, "test_record", '{"weight_gradients": "full"}'),
    Mistake("batch_size 0", IN_PYTHON, "test_record", '{"batch_size": 0}'),
    Mistake("an answer as an option", IN_PYTHON, "test_record", '{"answer": "Paris"}'),
    Mistake("a mapping as a prompt is understood", IN_PYTHON, "test_prompts_of_a_masked_model", '"answer": "b"}'),
    Mistake("a masked prompt without a gap", IN_PYTHON, "test_prompts_of_a_masked_model", '"0 masks"'),
    Mistake("a number as a prompt", IN_PYTHON, "test_prompts", "5 is not text"),
    Mistake("prompt instead of text", IN_PYTHON, "test_prompts", '{"prompt": "hello you"}'),
    Mistake("a prompt of one token", IN_PYTHON, "test_prompts", "no next token to predict"),
    Mistake("a residual beyond the last", IN_PYTHON, "test_traces_and_metrics", "t.residual(4)"),
    Mistake("a residual counted from the end", IN_PYTHON, "test_traces_and_metrics", "t.residual(-1)"),
    Mistake("a weight by half its name", IN_PYTHON, "test_traces_and_metrics", 't.gradient("up_proj")'),
    Mistake(
        "factors of a record that keeps norms",
        "records/test_trace.py",
        "test_factors_that_were_not_kept_are_refused_with_what_to_set",
    ),
    Mistake(
        "log-probabilities of a record without logits",
        "records/test_trace.py",
        "test_logits_that_were_not_kept_are_refused_with_what_to_set",
    ),
    Mistake("ec of a list", IN_PYTHON, "test_traces_and_metrics", "ip.metrics.ec([t, t])"),
    Mistake("isf of one trace", IN_PYTHON, "test_traces_and_metrics", "(ip.metrics.isf,"),
    Mistake("write_trace with path and trace exchanged", IN_PYTHON, "test_traces_and_metrics", 'write_trace("p.parq'),
    Mistake("saving to a folder", IN_PYTHON, "test_saving_a_trace_under_no_name", "this is a folder"),
    Mistake("reading a missing record", IN_PYTHON, "test_reading_a_file_that_is_not_a_record", "no such file"),
    Mistake("reading a folder of records", IN_PYTHON, "test_reading_a_file_that_is_not_a_record", "this is a folder"),
    Mistake("a lens at temperature 0", IN_PYTHON, "test_the_lens", '{"temperature": 0}'),
    Mistake("a lens towards foo", IN_PYTHON, "test_the_lens", '{"target": "foo"}'),
    Mistake("a lens with another model", IN_PYTHON, "test_a_lens_with_another_model_is_refused"),
    Mistake("comparing other texts", "api/test_work.py", "test_other_texts_are_not_compared"),
    Mistake("a folder without a run", "api/test_work.py", "test_a_folder_without_a_run_is_refused"),
    Mistake("a table that was not made", "api/test_work.py", "test_an_unknown_name_is_refused_with_the_known_ones"),
    Mistake(
        "ip.open instead of ip.read_run",
        IN_PYTHON,
        "test_a_name_that_there_is_not_is_refused_with_those_that_there_are",
    ),
    Mistake("a figure of a misspelt name", FIGURES, "test_an_unknown_figure_is_refused_with_the_known_ones"),
    Mistake("a figure of a wrong table", FIGURES, "test_mistakes_are_refused_with_an_explanation", "lacks the columns"),
)
CONFIGS = (
    Mistake("a missing config", COMMAND, "test_a_wrong_config_is_refused_before_any_job_runs", "there is no such file"),
    Mistake("broken YAML", COMMAND, "test_a_wrong_config_is_refused_before_any_job_runs", "not valid YAML"),
    Mistake("a key given twice", COMMAND, "test_a_wrong_config_is_refused_before_any_job_runs", '"key twice"'),
    Mistake("a misspelt section", REFUSED, "test_a_misspelt_section_is_an_unknown_key_and_not_only_a_missing_one"),
    Mistake("a quoted number", REFUSED, "test_what_was_meant_is_said_where_one_can_tell", "remove the quotes"),
    Mistake("a metric that is no list", REFUSED, "test_what_was_meant_is_said_where_one_can_tell", 'metrics="ec"'),
    Mistake("an unknown figure format", REFUSED, "test_what_was_meant_is_said_where_one_can_tell", '["pfd"]'),
    Mistake("a condition that is called baseline", "config/test_conditions.py", "test_the_name_baseline_is_taken"),
    Mistake(
        "a masked set without a masked model",
        "config/test_conditions.py",
        "test_a_model_without_a_set_and_a_set_without_a_model_are_refused",
    ),
    Mistake(
        "outputs of another config",
        "plan/test_manifest.py",
        "test_only_files_that_the_config_does_not_make_are_moved_aside",
    ),
    Mistake(
        "a set too small for ISF",
        "plan/test_requirements.py",
        "test_a_set_too_small_for_isf_is_refused_and_allowed_without_isf",
    ),
    Mistake(
        "a mistake that only a job can see",
        "workflow/test_workflow_runs.py",
        "test_a_job_that_fails_says_why_once_and_leaves_nothing_half_done",
    ),
    Mistake("a failed run", "cli/test_last_words.py", "test_a_failed_run_ends_with_the_message_and_its_log"),
    Mistake("Ctrl-C", COMMAND, "test_an_interrupted_run_ends_in_one_sentence"),
)
PROMPT_FILES = (
    Mistake(
        "semicolons as separator", PROMPTS, "test_a_separator_is_recognised_under_columns_of_any_name", "semicolons"
    ),
    Mistake(
        "columns id and prompt", PROMPTS, "test_the_message_says_what_a_field_of_another_program_is_called_here", '"id"'
    ),
    Mistake("a comma without quotes", PROMPTS, "test_a_text_with_an_unquoted_comma_is_explained"),
    Mistake("a quote that is never closed", PROMPTS, "test_a_quote_that_is_never_closed_is_refused"),
    Mistake("another encoding", PROMPTS, "test_a_csv_in_another_encoding_is_explained"),
    Mistake("a name used twice", PROMPTS, "test_a_repeated_name_is_named_with_both_lines"),
    Mistake("a number as a name", PROMPTS, "test_a_name_that_is_a_number_must_be_quoted"),
    Mistake("an empty text", PROMPTS, "test_an_empty_text_is_refused"),
    Mistake("a missing file", PROMPTS, "test_a_missing_file_is_named"),
    Mistake("another ending", PROMPTS, "test_another_ending_is_refused"),
)
MISTAKES = (*MODELS, *STEERING, *RECORDS, *CONFIGS, *PROMPT_FILES)


@cache
def sources_of(file: str) -> dict[str, str]:
    """Name of each test → its source, decorators included."""
    text = (TESTS / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_every_mistake_has_a_test_of_its_message(mistake):
    assert mistake.case in sources_of(mistake.file)[mistake.test]


def test_every_mistake_is_listed_once():
    assert len({mistake.what for mistake in MISTAKES}) == len(MISTAKES)
