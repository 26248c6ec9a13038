# INPUTS   what Snakemake says while it runs, results/findings.json
# OUTPUTS  the estimated time left beside the steps, and no reason of hundreds of files; at the end the findings and the
#          claims of the lab, or the message of each failed job and its log
# A job on a cluster is a Snakemake too, which calls neither of the two at its end.

from internal_physics.cli.last_words import Watch, say_last
from internal_physics.cli.progress import make_readable

WATCH = Watch()
if workflow.is_main_process:
    make_readable(logger)
    logger.addHandler(WATCH)


onsuccess:
    say_last(WATCH.on_success())


onerror:
    say_last(WATCH.on_error())
