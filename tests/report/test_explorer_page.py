"""The explorer in a real browser: it draws what is chosen, keeps the choice in its address, and needs no mouse."""

import json

import pytest
from browser import Browser
from explorer_pages import SETS, STEPS, payload_of
from internal_physics.report.explorer.page import render_page
from synthetic_tables import SICK_STATUS

NARROW = 400
TAB, DOWN = ("Tab", 9), ("ArrowDown", 40)
DRAWN = "document.getElementById('plot').data"
FIRST_MEANS = f"JSON.stringify({DRAWN}.find((trace) => trace.mode === 'lines+markers').y)"
SICK = f"{SETS[0]}_02"  # of the third model


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorer")
    path = folder / "explorer.html"
    path.write_text(render_page(payload_of(folder, steps=True)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser, page):
    """The browser with the page open; tests go to other addresses of it, which is faster than loading it again."""
    browser.open(page)
    return browser


def go(browser, fragment):
    """Another address of the page that is open."""
    browser.run(f"location.hash = {json.dumps(fragment)}")
    browser.wait_for("document.documentElement.dataset.shown === location.hash")


def choose(browser, control, value):
    """As a reader does: the value of a native control is set, and the control says so."""
    box = f"document.getElementById({json.dumps(control)})"
    browser.run(f"{box}.value = {json.dumps(value)}; {box}.dispatchEvent(new Event('change'))")


def views(browser):
    return browser.run("[...document.querySelectorAll('#views button')].map((button) => button.id.slice(5))")


def text(browser, element):
    return browser.run(f"document.getElementById({json.dumps(element)}).innerText")


def test_every_view_draws_without_an_error_or_a_request_and_fits_a_phone(browser, page):
    browser.open(page)
    named = views(browser)
    assert named == ["profiles", "steps", "radar", "scatter", "lens", "map", "kernel", "nearest"]
    for width in (1300, NARROW):
        browser.open(page, width=width)
        for view in named:
            go(browser, f"view={view}")
            assert (browser.problems, browser.requests) == ([], [])
            assert browser.run(f"{DRAWN}.length") > 0, view
            assert text(browser, "title"), view
            assert browser.run("document.documentElement.scrollWidth") <= width, view
            sizes = "[...document.querySelectorAll('body *')].filter((e) => e.innerText && e.offsetWidth)"
            assert browser.run(f"Math.min(...{sizes}.map((e) => parseFloat(getComputedStyle(e).fontSize)))") >= 12
            letters = "[...document.querySelectorAll('#plot svg text')]"
            assert browser.run(f"Math.min(...{letters}.map((e) => parseFloat(getComputedStyle(e).fontSize)))") >= 12


def test_a_chosen_quantity_changes_the_plot_and_the_address_restores_it(browser, page):
    browser.open(page)
    before, title = browser.run(FIRST_MEANS), text(browser, "title")
    choose(browser, "family", "information")
    assert browser.run(FIRST_MEANS) != before
    assert text(browser, "title") != title
    browser.run("document.getElementById('models-1').click()")
    browser.run("document.getElementById('sets-1').click()")
    state = [browser.run(FIRST_MEANS), text(browser, "title"), browser.run(f"{DRAWN}.length")]
    browser.open(page, browser.run("location.hash.slice(1)"))
    assert [browser.run(FIRST_MEANS), text(browser, "title"), browser.run(f"{DRAWN}.length")] == state
    assert browser.run("document.getElementById('models-1').checked") is False
    assert browser.problems == []


def test_the_mean_that_is_drawn_is_that_of_the_prompts_and_lies_in_its_interval(opened):
    go(opened, f"how=prompts&sets={SETS[0]}&models=smollm2-fp32")
    lines = opened.run(f"{DRAWN}.filter((trace) => trace.y.length > 1).map((trace) => trace.y)")
    values = [value for value in lines[0] if value is not None]
    go(opened, f"sets={SETS[0]}&models=smollm2-fp32")
    low, high, middle = opened.run(f"{DRAWN}.map((trace) => trace.y)")
    of_first_layer = values[:: len(middle)]
    assert len(of_first_layer) == 5
    assert middle[0] == pytest.approx(sum(of_first_layer) / 5, rel=1e-6)
    assert all(a < b < c for a, b, c in zip(low, middle, high, strict=True))
    assert min(of_first_layer) < low[0] < high[0] < max(of_first_layer)


def test_a_missing_number_is_absent_with_its_reason_and_never_zero(opened):
    go(opened, "")
    for view in ("profiles", "scatter"):
        go(opened, f"view={view}&sets={SETS[0]}")
        assert SICK_STATUS in text(opened, "absent")
        assert SICK in text(opened, "absent")
    go(opened, f"how=prompts&sets={SETS[0]}&prompt={SETS[0]}/{SICK}")
    assert f"– {SICK_STATUS}" in text(opened, "prompt")
    ys = opened.run(f"{DRAWN}.flatMap((trace) => trace.y)")
    assert 0 not in ys
    assert None in ys


def test_a_point_under_the_pointer_is_told_with_prompt_and_number_and_a_click_reads_it(opened):
    go(opened, f"view=scatter&sets={SETS[0]}&models=smollm2-fp32")
    box = opened.run(
        "(() => { const { x, y, width, height } = document.querySelector('#plot .point').getBoundingClientRect();"
        " return [x + width / 2, y + height / 2]; })()"
    )
    opened.point(*box)
    opened.wait_for("document.querySelector('#plot .hovertext') !== null")
    told = opened.run("document.querySelector('#plot .hovertext').textContent")
    assert opened.run("getComputedStyle(document.querySelector('#plot .hovertext path')).fill") == "rgb(255, 255, 255)"
    assert "A text, with a comma" in told
    assert f"{SETS[0]}/{SETS[0]}_0" in told
    assert "loss: " in told
    assert " nats per predicted token" in told
    for kind in ("mousePressed", "mouseReleased"):
        opened.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    opened.wait_for("location.hash.includes('prompt=')")
    assert "A text, with a comma" in text(opened, "prompt")


def test_training_steps_choose_models(opened):
    go(opened, "")
    names = f"{DRAWN}.filter((trace) => trace.mode === 'lines+markers').map((trace) => trace.name)"
    assert len(opened.run(names)) == 3
    opened.run("document.getElementById('steps-0').click()")
    assert opened.run(names) == ["smollm2-bf16", "smollm2-int8"]


def test_means_are_joined_along_training_in_the_order_of_steps(opened):
    lines = f"{DRAWN}.filter((trace) => trace.mode === 'lines+markers').map((trace) => [trace.name, trace.x, trace.y])"
    go(opened, f"view=steps&sets={SETS[1]}&y=prompts.ec")
    ((name, steps, means),) = opened.run(lines)
    assert (name, steps) == ("training", list(STEPS))
    go(opened, f"view=steps&sets={SETS[1]}&y=prompts.ec&how=prompts")
    of_prompts = [values for _, _, values in opened.run(lines)]
    assert len(of_prompts) == 5
    for column, middle in enumerate(means):
        found = [values[column] for values in of_prompts if values[column] is not None]
        assert len(found) == (4 if STEPS[column] == STEPS[2] else 5)  # the last model could not record one prompt
        assert middle == pytest.approx(sum(found) / len(found), rel=1e-6)
    opened.run("document.getElementById('steps-0').click()")
    assert all(steps == list(STEPS[1:]) for _, steps, _ in opened.run(lines))
    go(opened, f"view=steps&sets={SETS[0]}&y=prompts.loss_nats")
    assert SICK_STATUS in text(opened, "absent")
    assert f"{SICK}, step {STEPS[2]}" in text(opened, "absent")


def test_a_score_that_only_a_whole_set_has_is_joined_along_training_with_its_interval(opened, tmp_path):
    payload = payload_of(tmp_path, steps=True)
    step_of = {about["model"]: about["step"] for about in payload["about_models"]}
    is_shown = {"metric": "isf", "set": SETS[1], "condition": payload["conditions"][0]}.items()
    rows = [row for row in payload["scores"]["rows"] if is_shown <= row.items() and step_of[row["model"]] is not None]
    rows.sort(key=lambda row: step_of[row["model"]])
    go(opened, f"view=steps&sets={SETS[1]}")
    choices = opened.run("[...document.getElementById('score').options].map((option) => option.value)")
    assert choices == ["", "isf"]
    choose(opened, "score", "isf")
    lines = f"{DRAWN}.map((trace) => [trace.mode, trace.x, trace.y])"
    low, high, middle = opened.run(lines)
    assert middle == ["lines+markers", list(STEPS), [row["value"] for row in rows]]
    assert (low[2], high[2]) == ([row["low"] for row in rows], [row["high"] for row in rows])
    assert "interval of table scores" in text(opened, "caption")
    assert "score=isf" in opened.run("location.hash")


def test_an_address_of_another_run_says_what_is_not_here(opened):
    go(opened, "models=unheard-of&quantity=no.such&view=profiles")
    assert "unheard-of" in text(opened, "absent")
    assert "no.such" in text(opened, "absent")
    assert opened.problems == []


def test_all_choices_are_reached_and_made_by_keys_alone(opened):
    go(opened, "")
    reached = []
    for _ in range(60):
        opened.press(*TAB)
        reached.append(opened.run("document.activeElement.id"))
    controls = opened.run(
        "[...document.querySelectorAll('#views button, #controls select, #controls input')].map((e) => e.id)"
    )
    assert set(controls) <= set(reached)
    assert opened.run(
        "[...document.querySelectorAll('#controls select, #controls input')].every((e) => e.labels.length === 1)"
    )
    before = text(opened, "title")
    opened.run("document.getElementById('quantity').focus()")
    opened.press(*DOWN)
    opened.wait_for(f"document.getElementById('title').innerText !== {json.dumps(before)}")
    assert opened.run("document.activeElement.id") == "quantity"
    assert opened.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_prompt_can_be_read_with_its_tokens_and_numbers(opened):
    go(opened, "")
    choose(opened, "prompt-choice", f"{SETS[0]}/{SETS[0]}_01")
    said = text(opened, "prompt")
    assert "A text, with a comma" in said
    assert "4 tokens" in said
    assert "Gradients: those of the loss." in said
    assert "smollm2-fp32" in said


def test_the_lens_shows_the_tokens_of_the_chosen_prompt_as_text(opened):
    go(opened, f"view=lens&prompt={SETS[1]}/{SETS[1]}_02&lens=smollm2-bf16, baseline")
    assert text(opened, "title") == f"Lens of {SETS[1]}/{SETS[1]}_02 in smollm2-bf16, baseline"
    assert opened.run(f"{DRAWN}[0].text[1]") == ["&lt;b&gt;"] * 4  # never as a tag
    assert opened.run(f"{DRAWN}[0].z[6][0]") == pytest.approx(0.7, rel=1e-4)
    framed = opened.run("document.getElementById('plot').layout.shapes.map((shape) => [shape.x0, shape.y0])")
    assert framed == [[pytest.approx(1.51), pytest.approx(-0.46)]]  # the only cell whose token is the expected one
    assert opened.problems == []


def test_the_kernel_is_a_symmetric_square_and_a_pair_without_a_number_says_why(opened):
    go(opened, "view=kernel")
    square = opened.run(f"{DRAWN}[0].z")
    assert len(square) == len(square[0]) == 10
    assert all(square[p][q] == square[q][p] for p in range(10) for q in range(10))
    assert square[0][1] == pytest.approx(0.5, rel=1e-4)
    assert square[0][9] is None
    assert "no gradient" in text(opened, "absent")


def test_the_nearest_prompts_come_first_and_one_without_a_number_is_named(opened):
    go(opened, f"view=nearest&prompt={SETS[0]}/{SETS[0]}_01")
    names = [f"{name}/{name}_{number:02d}" for name in SETS for number in range(1, 6)]
    assert opened.run(f"{DRAWN}[0].y")[::-1] == names[1:9]
    assert names[9] in text(opened, "absent")
    choose(opened, "prompt-choice", names[6])
    assert set(opened.run(f"{DRAWN}[0].y")[::-1][:2]) == {names[5], names[7]}


def test_the_map_places_every_prompt_and_marks_the_chosen_one(opened):
    go(opened, f"view=map&prompt={SETS[0]}/{SETS[0]}_03")
    traces = opened.run(f"{DRAWN}.map(({{ x, y, marker }}) => ({{ x, y, size: marker.size }}))")
    places = sorted((x, size) for trace in traces for x, size in zip(trace["x"], trace["size"], strict=True))
    assert [x for x, _ in places] == pytest.approx([i / 10 for i in range(10)], rel=1e-4)
    assert [size > 9 for _, size in places] == [i == 2 for i in range(10)]


def test_a_missing_score_leaves_a_gap_in_the_radar_with_its_reason(opened):
    go(opened, f"view=radar&sets={SETS[0]}")
    rings = opened.run(f"{DRAWN}.map((trace) => trace.r)")
    assert [None in ring for ring in rings] == [False, False, True]  # the last model has no ISF
    assert all(0 <= score <= 1 for ring in rings for score in ring if score is not None)
    assert "fit did not converge" in text(opened, "absent")


@pytest.mark.parametrize("view", ["profiles", "radar"])
def test_lines_have_the_colours_of_their_models_among_the_choices(opened, view):
    go(opened, f"view={view}&sets={SETS[0]}")
    swatches = opened.run("[...document.querySelectorAll('.swatch')].map((swatch) => swatch.getAttribute('style'))")
    lines = opened.run(f"{DRAWN}.filter((trace) => trace.mode === 'lines+markers').map((trace) => trace.line.color)")
    assert [f"background:{color}" for color in lines] == swatches
    assert len(set(swatches)) == 3


def test_checkpoints_have_the_colour_of_the_line_of_their_training(opened):
    go(opened, f"view=steps&sets={SETS[1]}&y=prompts.ec")
    swatches = opened.run("[...document.querySelectorAll('.swatch')].map((swatch) => swatch.getAttribute('style'))")
    (line,) = opened.run(f"{DRAWN}.filter((trace) => trace.mode === 'lines+markers').map((trace) => trace.line.color)")
    assert set(swatches) == {f"background:{line}"}


def test_few_layers_have_ticks_at_whole_numbers(opened):
    go(opened, f"view=profiles&sets={SETS[0]}")
    n_layers = opened.run(f"{DRAWN}.find((trace) => trace.mode === 'lines+markers').x.length")
    ticks = opened.run("[...document.querySelectorAll('#plot .xtick text')].map((tick) => tick.textContent)")
    assert n_layers <= 12
    assert all(tick.isdigit() for tick in ticks)


@pytest.mark.parametrize("view", ["profiles", "steps", "radar", "scatter"])
@pytest.mark.parametrize("none", ["models", "sets", "conditions"])
def test_where_nothing_is_chosen_the_plot_says_so(opened, view, none):
    opened.problems.clear()
    go(opened, f"view={view}&{none}=")
    notes = opened.run("document.getElementById('plot').layout.annotations.map((note) => note.text)")
    assert notes == ["Nothing to draw for this choice"]
    assert opened.problems == []


def test_without_a_choice_the_kernel_of_most_prompts_is_shown(browser, tmp_path):
    payload = payload_of(tmp_path)
    (large, *_) = payload["squares"]
    payload["squares"].insert(0, large | {"subjects": large["subjects"][:4], "part": ["few"]})
    path = tmp_path / "explorer.html"
    path.write_text(render_page(payload), encoding="utf-8")
    browser.open(path)
    go(browser, "view=kernel")
    assert len(browser.run(f"{DRAWN}[0].z")) == 10
    few = browser.run("[...document.getElementById('kernel').options].map((option) => option.value)")[0]
    choose(browser, "kernel", few)
    assert len(browser.run(f"{DRAWN}[0].z")) == 4


def test_models_of_one_colour_have_different_dashes_and_symbols(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("internal_physics.report.explorer.page.MODEL_COLORS", ("#0072B2", "#D55E00"))  # of three models
    (tmp_path / "few.html").write_text(render_page(payload_of(tmp_path)), encoding="utf-8")
    browser.open(tmp_path / "few.html", f"view=profiles&sets={SETS[0]}")
    lines = f"{DRAWN}.filter((trace) => trace.mode === 'lines+markers').map((trace) => trace.line)"
    (first, _, third) = browser.run(lines)
    assert first["color"] == third["color"]
    assert first["dash"] != third["dash"]
    go(browser, f"view=scatter&sets={SETS[0]}")
    (first, _, third) = browser.run(
        f"{DRAWN}.map((trace) => trace.marker).map(({{color, symbol}}) => [color, symbol[0]])"
    )
    assert first[0] == third[0]
    assert first[1] != third[1]
