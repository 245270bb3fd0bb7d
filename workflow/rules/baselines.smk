rule reconstruct:
    input:
        modules(
            "fourier",
            "methods",
            "iterative/patterns",
            "iterative/projections",
            "iterative/reconstruct",
            "iterative/shrinkwrap",
            "passes",
        ),
        patterns=study_path("data/{split}.zarr"),
    output:
        directory(study_path("reconstructions/{recipe}/{split}.zarr")),
    log:
        study_path("logs/reconstruct/{recipe}/{split}.log"),
    benchmark:
        study_path("benchmarks/reconstruct/{recipe}/{split}.tsv")
    priority: 5
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=gpus(),
    params:
        section=section_of_wildcard,
        settings=recipe_settings,
        patterns=baseline_count,
        seed=config["seeds"][0],
    script:
        "../scripts/reconstruct.py"
