from farfield import cluster, costs


def asks(cost):
    """Memory and minutes that a job asks a scheduler for, more at each attempt."""

    def of(field):
        return lambda wildcards, attempt: attempt * getattr(cost(config, wildcards, gpus() > 0), field)

    return {field: of(field) for field in costs.Need._fields}


def request(job):
    """What a job, or a group of jobs, asks SLURM for."""
    resources = job.resources
    return cluster.Request(
        ", ".join(sorted({member.rule.name for member in job})) if job.is_group() else job.rule.name,
        partition=resources.get("slurm_partition"),
        account=resources.get("slurm_account"),
        wants_gpu=config["device"] == "cuda" and "gpu" in resources.keys(),
        gpus=int(resources.get("gpu") or 0),
        minutes=int(resources.get("runtime") or 0),
        mem_mb=int(resources.get("mem_mb") or 0),
        cpus=job.threads,
    )


# What a cluster could never run would wait in its queue for ever.
onstart:
    if elsewhere():
        remote = [job for job in workflow.dag.get_jobs_or_groups() if not job.is_local]
        waiting = set(workflow.dag.needrun_jobs())
        due = [job for job in remote if not waiting.isdisjoint(job if job.is_group() else [job])]
        try:
            cluster.check(map(request, due))
        except cluster.ClusterError as error:
            raise WorkflowError(f"the cluster cannot run this study with this profile:\n{error}") from None
