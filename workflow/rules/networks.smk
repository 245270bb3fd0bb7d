rule train:
    input:
        modules(
            "training", "diffraction", "metrics", "matching", "fourier", "passes", "optimiser", "networks/retriever"
        ),
        network_file,
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
        gpu=gpus(),
    params:
        sections=sections("train", "validation"),
        settings=config["training"],
        options=network_options,
    script:
        "../scripts/train.py"


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
        gpu=gpus(),
    params:
        sections=sections("train", "test", "noisy"),
        seeds=config["seeds"],
    script:
        "../scripts/evaluate_network.py"
