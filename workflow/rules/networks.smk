rule train:
    input:
        modules(
            "training",
            "batches",
            "diffraction",
            "metrics",
            "matching",
            "fourier",
            "passes",
            "optimiser",
            "networks/retriever",
        ),
        network_file,
        ancient(study_path("data/conditioning.csv")),  # sets that share no object
        train=training_set,
        validation=study_path("data/validation.zarr"),
    output:
        final=study_path("models/{network}/{symmetry}/n{samples}/seed{seed}/final.safetensors"),
        best=study_path("models/{network}/{symmetry}/n{samples}/seed{seed}/best.safetensors"),
        history=study_path("models/{network}/{symmetry}/n{samples}/seed{seed}/history.csv"),
    log:
        study_path("logs/train/{network}/{symmetry}/n{samples}/seed{seed}.log"),
    benchmark:
        study_path("benchmarks/train/{network}/{symmetry}/n{samples}/seed{seed}.tsv")
    priority: 10
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.training),
        gpu=gpus,
    params:
        sections=sections("train", "validation"),
        settings=config["training"],
        options=network_options,
    script:
        "../scripts/train.py"


use rule train as train_variant with:
    output:
        final=study_path("sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}/final.safetensors"),
        best=study_path("sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}/best.safetensors"),
        history=study_path("sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}/history.csv"),
    log:
        study_path("logs/sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}.log"),
    benchmark:
        study_path("benchmarks/sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}.tsv")
    params:
        sections=sections("train", "validation"),
        settings=variant_settings,
        options=variant_options,


rule table_sweep:
    input:
        modules("sweep", "rendering"),
        histories=histories_of_sweep(),
        validation=study_path("data/validation.zarr"),
    output:
        csv=study_path("tables/sweep.csv"),
        md=study_path("tables/sweep.md"),
        tex=study_path("tables/sweep.tex"),
    log:
        study_path("logs/table/sweep.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        section=section("validation"),
        variants=config["sweep"]["variants"],
    script:
        "../scripts/table_sweep.py"


# Until a run ends well, another attempt of a cluster's job may need what the trainings that shared it have kept.
onsuccess:
    from farfield import store  # slow to import, and of no use to a job

    for job in workflow.dag.jobs:
        if job.rule.name in ("train", "train_variant"):
            store.let_go(Path(job.output.final).parent)


# Not part of `all`: it chooses settings, by the validation set, where `all` uses them.
rule sweep:
    input:
        rules.table_sweep.output,


# Applies and scores in one job: both are short beside a job's start.
rule evaluate_network:
    input:
        modules(
            "methods",
            "networks/retriever",
            "scores",
            "metrics",
            "matching",
            "fourier",
            "passes",
            "symmetry",
        ),
        network_file,
        ancient(study_path("data/conditioning.csv")),  # sets that share no object
        models=models_of_cell,
        truths=truths_of_network,
    output:
        reconstructions=[
            directory(study_path("reconstructions/{network}/{symmetry}/n{samples}/train.zarr")),
            directory(study_path("reconstructions/{network}/{symmetry}/n{samples}/test.zarr")),
            directory(study_path("reconstructions/{network}/{symmetry}/n{samples}/noisy.zarr")),
        ],
        scores=[
            directory(study_path("scores/{network}/{symmetry}/n{samples}/train.zarr")),
            directory(study_path("scores/{network}/{symmetry}/n{samples}/test.zarr")),
            directory(study_path("scores/{network}/{symmetry}/n{samples}/noisy.zarr")),
        ],
    log:
        study_path("logs/evaluate_network/{network}/{symmetry}/n{samples}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.evaluation),
        gpu=gpus,
    params:
        sections=sections("train", "test", "noisy"),
        seeds=config["seeds"],
    script:
        "../scripts/evaluate_network.py"


rule release:
    input:
        modules("release"),
        models=largest_models,
        scores=study_path(f"scores/{{network}}/after/n{max(config['samples'])}/test.zarr"),
    output:
        model=study_path("released/{network}.safetensors"),
        card=study_path("released/{network}.md"),
    log:
        study_path("logs/release/{network}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    script:
        "../scripts/release.py"
