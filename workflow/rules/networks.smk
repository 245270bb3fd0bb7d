# Whether trainings keep second names of their files, which `onsuccess` removes: Snakemake has it for main workflows alone.
KEEPS = workflow.modifier.is_main_snakefile()


rule train:
    input:
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
        code=code_with_objective("train"),
        sections=sections("train", "validation"),
        settings=config["training"],
        objective=objective_of_wildcard,
        options=network_options,
        keeps=KEEPS,
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
        code=code_with_objective("train"),
        sections=sections("train", "validation"),
        settings=variant_settings,
        objective=objective_of_wildcard,
        options=variant_options,
        keeps=KEEPS,


rule table_sweep:
    input:
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
        code=code("table_sweep"),
        section=section("validation"),
        networks=config["networks"],
        variants=config["sweep"]["variants"],
    script:
        "../scripts/table_sweep.py"


# Until a run ends well, another attempt of a cluster's job may need what the trainings that shared it have kept.
onsuccess:
    for job in workflow.dag.jobs:
        if job.rule.name in ("train", "train_variant"):
            rmtree(Path(job.output.final).parent / KEPT, ignore_errors=True)


# Not part of `all`: it chooses settings, by the validation set, where `all` uses them.
rule sweep:
    input:
        rules.table_sweep.output,


# Applies and scores in one job: both are short beside a job's start.
rule evaluate_network:
    input:
        models=models_of_cell,
        truths=truths_of_network,
        validation=study_path("data/validation.zarr"),
    output:
        reconstructions=[
            directory(study_path(f"reconstructions/{{network}}/{{symmetry}}/n{{samples}}/{split}.zarr"))
            for split in splits("train", "test", "noisy")
        ],
        scores=[
            directory(study_path(f"scores/{{network}}/{{symmetry}}/n{{samples}}/{split}.zarr"))
            for split in splits("train", "test", "noisy")
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
        code=code_with_network("evaluate_network"),
        sections=sections(*splits("train", "test", "noisy"), "validation"),
        seeds=config["seeds"],
        counts=counts_of_evaluation(),
    script:
        "../scripts/evaluate_network.py"


rule release:
    input:
        models=largest_models,
        scores=largest_scores,
    output:
        model=study_path("released/{network}.safetensors"),
        card=study_path("released/{network}.md"),
    log:
        study_path("logs/release/{network}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("release"),
    script:
        "../scripts/release.py"
