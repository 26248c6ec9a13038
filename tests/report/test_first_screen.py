"""What the report opens with: findings, the figure of the first one, and which figures are open."""

import re

from report_pages import (
    Page,
    render,
)


def test_the_report_begins_with_the_findings_each_with_its_figure(tables, figures):
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


def test_the_figure_of_the_first_finding_that_has_one_stands_beside_the_findings(tables, figures):
    found = [
        {"sentence": "No figure.", "figure": ""},
        {"sentence": "Not drawn in this run.", "figure": "decided-factual"},
        {"sentence": "Drawn.", "figure": "radar-nonsense"},
        {"sentence": "Drawn too.", "figure": "correlation_matrix"},
    ]
    html = render(tables, figures, findings=found)
    beside = html.split('<figure class="hero">')[1].split("</figure>")[0]
    assert html.count('class="hero"') == 1
    assert ": Normalised scores of the models on nonsense." in beside
    (number,) = set(re.findall(r"#figure-(\d+)", beside))
    assert f'Drawn. <a href="#figure-{number}">' in html
    assert html.index('<figure class="hero">') < html.index('id="summary"')


def test_findings_without_figures_have_no_figure_beside_them(tables, figures):
    html = render(tables, figures, findings=[{"sentence": "Drawn nowhere.", "figure": ""}])
    assert 'class="hero"' not in html


def test_without_findings_the_report_begins_with_the_scores(tables, figures):
    assert 'id="findings"' not in render(tables, figures)


def test_the_sources_of_the_models_come_last(tables, figures):
    html = render(tables, figures)
    assert html.index("Made from") > html.index('id="provenance"')


def test_without_findings_every_figure_is_folded_and_the_first_of_a_kind_explains_how_to_read_it(tables, figures):
    html = render(tables, figures)
    assert html.count('<details class="figure">') == 9
    for part in ("How to read it.", "How it is computed."):
        assert Page(html).text.count(part) == len(figures)


def test_figures_of_findings_are_open_and_stand_before_the_folded_ones_of_their_section(tables, figures):
    found = [{"sentence": "They differ.", "figure": "radar-nonsense"}]
    html = render(tables, figures, findings=found)
    assert html.count('<details class="figure">') == 8
    shown, folded = html.split("Figures without a finding", 1)
    assert "models on nonsense." in shown.split('<section id="summary">')[1]
    assert "models on factual" not in shown.split('<section id="summary">')[1]
    assert "models on factual" in folded
    explained = shown.split("models on nonsense.")[-1]  # the open one is the first of its kind and so explains it
    assert "How to read it." in explained
    assert Page(html).text.count("How to read it.") == len(figures)
