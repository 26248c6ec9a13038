# INPUTS   Snakemake's limit of new jobs per second, of which the default is 100
# OUTPUTS  none: on a workstation the default is lifted; a limit that is asked for stays
# Under a limit, each job that ends leaves a timer that looks at all waiting jobs again, every second until the end of
# the run (Snakemake 9.27): a quarter of a core after 250 jobs.

SNAKEMAKES_LIMIT = (100, 1)  # jobs, seconds


onstart:
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if CORES and limiter is not None and (limiter.max_jobs, limiter.timespan) == SNAKEMAKES_LIMIT:
        workflow.scheduler.job_rate_limiter = None
