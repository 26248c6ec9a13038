"""All experiments, by name. The Snakefile, the report and the documentation start here.

To add one, make its folder, name its EXPERIMENT below, and give its data options a field in `ArmEntry`
(config/options/lab.py). Modules of an experiment must not import this one.
"""

from internal_physics.lab.experiments.capacity.experiment import EXPERIMENT as CAPACITY
from internal_physics.lab.experiments.experiment import Experiment
from internal_physics.lab.experiments.grammar.experiment import EXPERIMENT as GRAMMAR
from internal_physics.lab.experiments.junk.experiment import EXPERIMENT as JUNK
from internal_physics.lab.experiments.knowledge.experiment import EXPERIMENT as KNOWLEDGE
from internal_physics.lab.experiments.reasoning.experiment import EXPERIMENT as REASONING
from internal_physics.lab.experiments.rows.experiment import EXPERIMENT as ROWS
from internal_physics.lab.experiments.word_problems.experiment import EXPERIMENT as WORD_PROBLEMS

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (ROWS, KNOWLEDGE, CAPACITY, JUNK, GRAMMAR, REASONING, WORD_PROBLEMS)
}
