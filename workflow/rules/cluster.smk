from farfield.study import cluster, costs

# By what factor jobs may ask for more when they are tried again; a cluster's limits can allow for less.
room = dict.fromkeys(costs.Need._fields, 2.0)


def asks(cost):
    """Memory and minutes that a job asks a scheduler for, a quarter more at each attempt if there is room."""

    def of(field):
        return lambda wildcards, attempt: int(
            min(1 + (attempt - 1) / 4, room[field]) * getattr(cost(config, wildcards, gpus() > 0), field)
        )

    return {field: of(field) for field in costs.Need._fields}


def request(job):
    """What a job, or a group of jobs, asks SLURM for."""
    resources, members = job.resources, list(job) if job.is_group() else [job]
    return cluster.Request(
        ", ".join(sorted({member.rule.name for member in members})),
        partition=resources.get("slurm_partition"),
        account=(str(resources.get("slurm_account") or "").replace(",", " ").split() or [None])[0],
        options=tuple(f"--{name}={resources.get(name)}" for name in ("qos", "constraint") if resources.get(name)),
        lacks_gpu=config["device"] == "cuda" and any(member.resources.get("gpu") == 0 for member in members),
        gpus=int(resources.get("gpu") or 0),
        minutes=int(resources.get("runtime") or 0),
        mem_mb=int(resources.get("mem_mb") or 0),
        cpus=job.threads,
    )


# What a cluster could never run would wait in its queue for ever.
onstart:
    if elsewhere():
        dag = workflow.dag
        remote = {dag.get_job_group(job) or job for job in dag.needrun_jobs() if not job.is_local}
        try:
            room["runtime"], room["mem_mb"] = cluster.check(map(request, remote))
            if not cluster.keeps_accounts():
                # With "squeue" the plugin (2.8) turns to sacct when slurmctld is away, which then knows of no job and
                # lets it wait for ever; with None it goes on asking squeue.
                workflow.executor_settings.status_command = None
        except cluster.ClusterError as error:
            raise WorkflowError(f"the cluster cannot run this study with this profile:\n{error}") from None
