"""The summary of the scores: stars, bars and sentences on differences between models."""

import pandas as pd
from internal_physics.families.pairs.apart import Apart
from internal_physics.report import parts as report_parts
from internal_physics.report.summary import summarize
from report_pages import SETS, Page, make_run, render, squeeze, summary_of, told_apart
from synthetic_tables import METRICS, MODELS, make_tables


def test_only_a_smallest_score_told_apart_from_every_other_model_has_a_star(figures):
    tables = make_tables(4, 5, 6, SETS, flawed=False)
    html = summary_of(render(told_apart(tables), figures))
    ec = tables["scores"].query("metric == 'ec' and prompt_set == 'factual'")
    smallest = report_parts.number(float(ec["value"].min()))
    assert f'class="best"><span class="value">{smallest} ★' in html
    assert html.count('class="best"') == 1
    assert Page(html).text.count("No model is best on this set.") == 1  # of two sets
    assert (
        "Told apart, of 6 pairs of models: 0 in ISC, 6 in EC, 0 in ISG, 0 in ISA. Not tested: ISF." in Page(html).text
    )


def test_without_a_star_the_report_says_that_no_model_is_best(figures):
    tables = make_tables(4, 5, 6, SETS, flawed=False)
    for given in (tables, told_apart(tables, models=MODELS[1:4])):  # five prompts; all but one model apart
        html = summary_of(render(given, figures))
        assert " ★" not in html.split("</ul>")[1]
        assert Page(html).text.count("No model is best on this set.") == 2


def test_the_bar_of_a_model_that_is_told_apart_from_none_is_grey(figures):
    tables = make_tables(4, 5, 6, ("factual",), flawed=False)
    html = summary_of(render(told_apart(tables, models=MODELS[:2]), figures))
    assert html.count('class="score"><span class="bar">') == 2
    assert html.count('class="score alike"><span class="bar">') == 4 * len(METRICS) - 2


def test_the_report_explains_told_apart_and_best(tables, figures):
    text = squeeze(Page(summary_of(render(tables, figures))).text)
    assert "90 % interval" in text
    assert "p < 0.1, adjusted for all pairs, sets and metrics" in text
    assert "By the benchmark's convention, smaller values are called better." in text
    assert "neither is good by itself" in text
    assert "Fewer than 5 prompts cannot tell two models apart." not in text  # there are five
    assert "the two are not told apart" not in text


def test_a_report_of_one_model_shows_raw_values_only(figures):
    tables = make_tables(1, 5, 6, ("factual",), flawed=False)
    assert tables["model_pairs"].empty
    for given in (tables, {name: table for name, table in tables.items() if name != "model_pairs"}):
        html = summary_of(render(given, {}, make_run(MODELS[:1], ("factual",))))
        assert 'class="bar"' not in html
        text = squeeze(Page(html).text)
        for word in ("★", "better", "best", "Told apart", "0.50"):
            assert word not in text, word
        assert text.count("[") == len(METRICS)


def summarized(tables, models, metrics):
    return summarize(tables["scores"], tables["scores_normalized"], Apart(tables["model_pairs"], 0.05), models, metrics)


def test_a_single_model_is_never_best_and_too_few_prompts_are_named():
    (alone,) = summarized(make_tables(1, 4, 4), MODELS[:1], ["ec"])
    assert (alone["is_compared"], alone["verdict"]) == (False, "One model: nothing to compare.")
    assert alone["rows"][0]["cells"][0]["is_best"] is False
    (few,) = summarized(make_tables(2, 4, 4, flawed=False), MODELS[:2], ["ec"])
    assert few["verdict"] == (
        "No model is best on this set. Told apart, of 1 pair of models: 0 in EC. "
        "Fewer than 6 prompts cannot tell two models apart."
    )


def test_a_metric_without_a_row_is_an_empty_cell():
    tables = make_tables(2, 4, 4)
    tables["scores"] = tables["scores"].query("not (model == 'smollm2-fp32' and metric == 'ec')")
    (block,) = summarized(tables, MODELS[:2], ["ec"])
    assert block["rows"][0]["cells"] == [None]
    assert block["rows"][1]["cells"][0]["is_best"] is False


def test_a_long_list_of_flags_is_cut_with_its_number():
    count = report_parts.MAX_FLAGGED + 5
    table = pd.DataFrame({"model": [f"m{i}" for i in range(count)], "status": "bad"})
    entries, left = report_parts.flagged_rows({"scores": table})
    assert len(entries) == report_parts.MAX_FLAGGED
    assert left == 5
