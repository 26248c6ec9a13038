"""Stale means stale: a change in one file of the library makes exactly these jobs stale, and no others.

A job's parameter `code` is a checksum over the import closure of its script and of the modules that this loads by
name (that the rules pass it is tested in tests/rules, and under a real Snakemake in tests/workflow). Only jobs that are
stale by their own code are listed here; jobs that use their outputs become stale through Snakemake.
Labels: a rule's name; "metric:isf" and "table:isf_spectra" where one rule serves several.
"""

from functools import cache

import pytest
from internal_physics.families import registry
from internal_physics.ground.closure import ROOT, script_files
from rule_code import FROM_RECORDS, SCRIPTS, WITH_NOTES, figures_label, jobs

LIBRARY = ROOT / "internal_physics"
ALL = frozenset(label for label in jobs() if not label.startswith("lab_"))
LAB = frozenset(jobs()) - ALL  # not part of the default run
FIGURES = frozenset(label for label in ALL if label.startswith("figures_"))
REPORTING = {"check_tables", "findings", "report", "explorer"}  # they know all families
RUNNING = {"record", "derive_direction", "jacobian"}  # they run a model; so do these, without recording:
LOADING = {*RUNNING, "spectra", "information"}


def figures(*names):
    """The jobs that draw these kinds."""
    return {figures_label(name) for name in names}


LAYER_CURVES = figures(*(name for name in registry.FIGURES if name.startswith("information_")))
OF_WEIGHTS = (
    "expert_temperature",
    "pulls",
    "phase_map",
    "state_diagrams",
    "thermodynamics_heatmap",
    "thermodynamics_profile",
)
COMPARISONS = figures("layer_impact", "layer_impact_information", "watched_tokens")
AGREEMENT = figures("agreement_profile", "agreement_weights", "agreement_conditions")
KERNEL = figures("kernel_heatmap", "kernel_map", "kernel_layers", "kernel_spectrum", "kernel_shares", "kernel_cka")
TRAINING = ("training", "training_kernels")
BESIDE = figures("standard_control", "standard_control_information")

STALE = {
    # Formulas of one metric.
    "families/gradient_flow/scores.py": {"gradient_flow"},
    "families/gradient_flow/flow.py": {"gradient_flow"},
    "families/gradient_flow/isf.py": {"metric:isf"},
    "families/residual_gain/residual_gain.py": {"metric:residual_gain"},
    "families/thermodynamics/thermodynamics.py": {"thermodynamics"},
    "families/thermodynamics/spectrum.py": {"spectra", "thermodynamics"},
    "families/thermodynamics/tail.py": {"spectra"},
    "families/thermodynamics/change_points.py": {"phases", *TRAINING},
    "families/information/distribution.py": {"information"},
    "families/information/rows.py": {"information"},
    "families/agreement/agreement.py": {"agreement"},
    "families/agreement/pairs.py": {"agreement"},
    "families/agreement/statuses.py": {"agreement", "collect_agreement", *AGREEMENT, *REPORTING},
    "families/kernel/tangent_kernel.py": {"kernel"},
    "families/kernel/factors.py": {"kernel"},
    "families/kernel/sketched.py": {"kernel"},
    "families/kernel/parts.py": {"kernel", "collect_kernel"},
    "families/information/followed.py": {"information"},
    # How a family's rows become tables.
    "families/scores/collect.py": {"collect"},
    "families/gradient_flow/isf_spectra.py": {"table:isf_spectra"},
    "families/agreement/means.py": {"collect_agreement"},
    "families/kernel/collect_kernel.py": {"collect_kernel"},
    "families/kernel/spectrum.py": {"collect_kernel"},
    "families/kernel/neighbours.py": {"collect_kernel"},
    "families/scores/normalize.py": {"normalize"},
    "families/comparison/compare.py": {"compare"},
    "families/pairs/model_pairs.py": {"model_pairs"},
    "families/information/collect_information.py": {"collect_information"},
    "families/information/decided.py": {"decided"},
    "families/residual_gain/hypothesis_tests.py": {"hypotheses"},
    "families/information/information_package.py": {"information_package"},
    # Columns: jobs that write or read these tables, and those that know all tables.
    "families/gradient_flow/tables.py": {"table:isf_spectra", *figures("isf_spectrum"), *REPORTING},
    "families/scores/tables.py": {
        *("collect", "normalize", "correlate", "training"),
        *figures("radar", "correlation_matrix", "layer_heatmap", "layer_profiles"),
        *figures("difference_distributions", "gain_panels"),
        *BESIDE,
        *REPORTING,
    },
    "families/residual_gain/tables.py": {
        *("gains", "hypotheses", "residual_gain_result", "training"),
        *figures("gain_heatmap", "gain_panels"),
        *REPORTING,
    },
    "families/thermodynamics/tables.py": {"collect_thermodynamics", "pulls", *figures(*OF_WEIGHTS), *REPORTING},
    "families/thermodynamics/pulls.py": {"pulls"},
    "families/gradient_flow/quantities.py": {*BESIDE, *COMPARISONS, *figures("difference_distributions"), *REPORTING},
    "families/residual_gain/quantities.py": {*BESIDE, *COMPARISONS, *figures("difference_distributions"), *REPORTING},
    "families/information/tables.py": {
        *("collect_information", "information_package", "decided", "training"),
        *LAYER_CURVES,
        *figures("decided"),
        *BESIDE,
        *REPORTING,
    },
    "families/pairs/tables.py": {"model_pairs", *figures("radar", "model_differences"), *REPORTING},
    "families/pairs/apart.py": {"findings", "report", *figures("radar", "model_differences")},
    "families/agreement/tables.py": {"collect_agreement", *AGREEMENT, *REPORTING},
    "families/kernel/tables.py": {"collect_kernel", "training_kernels", *KERNEL, *REPORTING},
    "families/comparison/tables.py": {"compare", *COMPARISONS, *REPORTING},
    "families/run/tables.py": {"run_tables", "provenance", *TRAINING, *WITH_NOTES, *REPORTING},
    "families/run/ran.py": {"provenance"},
    "families/run/notes.py": WITH_NOTES - {"residual_gain_result"},
    "families/run/tokens.py": {"prompts_read"},
    "families/run/conditions.py": {"run_tables"},
    # Figures, and what they share.
    "families/gradient_flow/figures/radar.py": figures("radar"),
    "families/thermodynamics/figures/phase_map.py": figures("phase_map"),
    "families/thermodynamics/figures/weights.py": figures(*OF_WEIGHTS, "singular_spectra"),
    "figures/style.py": {*FIGURES, "information_package", "explorer"},
    "figures/internal_physics.mplstyle": {*FIGURES, "information_package", "explorer"},
    # Descriptions of families.
    "families/registry.py": REPORTING,
    "families/family.py": REPORTING,
    **dict.fromkeys((f"families/{family.name}/family.py" for family in registry.FAMILIES), REPORTING),
    # Records: metrics read them, tables and figures do not.
    **{f"records/{name}.py": {*RUNNING, *FROM_RECORDS, "prompts_read"} for name in ("store", "trace", "info")},
    "tables/measure.py": FROM_RECORDS - {"kernel"},
    "recording/recorder.py": RUNNING,
    "models/loading.py": LOADING,
    "models/fetch.py": {"fetch"},
    # Statistics and ground.
    "statistics/bootstrap.py": {
        *("metric:isf", "collect", "correlate", "hypotheses", "decided", "model_pairs", "compare"),
        *figures("gain_panels"),
    },
    "statistics/many_means.py": {"thermodynamics", "pulls", "collect_agreement"},
    "statistics/shares.py": {"collect_agreement", "decided"},
    "statistics/alignment.py": {"collect_kernel"},
    "statistics/matched.py": {"model_pairs", "compare"},
    "statistics/many_tests.py": {"findings", "model_pairs", "correlate", "hypotheses", "collect_kernel"},
    "statistics/paired.py": {"compare", "model_pairs", "information_package"},
    "ground/status.py": {  # "ok" marks rows; figures and jobs that record or fetch do not use it
        *(*(FROM_RECORDS - {"kernel"}), "collect_kernel", *figures("kernel_layers")),
        *("spectra", "phases", "collect", "compare", "model_pairs", "correlate", "gains", "hypotheses", "jacobian"),
        *("run_tables", "information_package", "decided", "pulls", "collect_agreement", *REPORTING),
        *("table:routing", "table:expert_loads", *TRAINING, *figures("along_training")),
    },
    "tables/gather.py": {"collect", "compare", "collect_information"},
    "ground/errors.py": ALL,
    "ground/closure.py": set(),
    # Modules between the parts of the workflow, and outside it.
    "families/pairs/findings.py": {"findings"},
    "report/build.py": {"report"},
    "report/summary.py": {"report"},
    "report/explorer/payload.py": {"explorer"},
    "report/explorer/main.js": {"explorer"},
    "report/explorer/explorer.css": {"explorer"},
    "plan/run_plan.py": set(),
    "config/load.py": set(),
    "docs/pages.py": set(),
    "api/loading.py": set(),
    "api/checks.py": set(),
    "exports.py": set(),
}


TRAININGS = {label for label in LAB if label.startswith("lab_train:")}
MEASUREMENTS = {label for label in LAB if label.startswith("lab_measure:")}
STALE_IN_THE_LAB = {
    "lab/experiments/rows/data.py": {"lab_train:rows", "lab_measure:rows"},
    "lab/experiments/rows/measures.py": {"lab_measure:rows"},
    "lab/experiments/rows/experiment.py": {"lab_measure:rows", "lab_collect_rows"},
    "lab/experiments/registry.py": set(),
    "lab/train/loop.py": {*TRAININGS, "lab_measure:knowledge"},  # which fine-tunes
    "lab/measure.py": MEASUREMENTS,
    "lab/gates.py": {"lab_gates"},
    "lab/kernels/record.py": {"lab_kernel"},
    "lab/kernels/figures/lab_kernel.py": {"lab_figures_kernel"},
    "lab/experiments/capacity/kernels.py": {"lab_kernel"},
    "config/options/lab.py": set(),
    "config/options/lab_rows.py": {"lab_train:rows", "lab_measure:rows", "lab_collect_rows"},
    "plan/lab_plan.py": set(),
}


@cache
def reached(label):
    """Library files in the closure of a job."""
    script, *modules = jobs()[label]
    return {file.relative_to(LIBRARY).as_posix() for file in script_files(SCRIPTS / f"{script}.py", *modules)}


@pytest.mark.parametrize("file", STALE)
def test_a_change_makes_exactly_these_jobs_stale(file):
    assert (LIBRARY / file).is_file()
    assert {label for label in ALL if file in reached(label)} == set(STALE[file])


@pytest.mark.parametrize("file", STALE_IN_THE_LAB)
def test_a_change_makes_exactly_these_jobs_of_the_lab_stale(file):
    """A probe trains nothing again, and an experiment nothing of another one."""
    assert (LIBRARY / file).is_file()
    assert {label for label in LAB if file in reached(label)} == set(STALE_IN_THE_LAB[file])


def test_the_lab_makes_nothing_outside_of_it_stale():
    stale = [label for label in ALL if any(file.startswith("lab/") for file in reached(label))]
    assert stale == ["report"]  # which shows its claims
    assert not any(file.startswith(("lab/data", "lab/train", "lab/experiments/rows")) for file in reached("report"))


def test_a_new_family_makes_no_job_of_another_one_stale():
    """No job that computes, draws or records reaches the files in which a new family is named."""
    for file in ("families/registry.py", "plan/run_plan.py", "exports.py", "metrics.py", "docs/pages.py"):
        assert {label for label in ALL if file in reached(label)} <= REPORTING


def test_every_file_that_a_job_reaches_is_in_the_library():
    files = {path.relative_to(LIBRARY).as_posix() for path in LIBRARY.rglob("*") if path.is_file()}
    assert set().union(*map(reached, ALL)) <= files
