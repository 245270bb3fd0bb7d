rule reconstruct:
    input:
        train=study_path("data/train.zarr"),
        test=study_path("data/test.zarr"),
        noisy=study_path("data/noisy.zarr"),
        start=starts_of_recipe,
    output:
        train=directory(study_path("reconstructions/{recipe}/train.zarr")),
        test=directory(study_path("reconstructions/{recipe}/test.zarr")),
        noisy=directory(study_path("reconstructions/{recipe}/noisy.zarr")),
    log:
        study_path("logs/reconstruct/{recipe}.log"),
    benchmark:
        study_path("benchmarks/reconstruct/{recipe}.tsv")
    wildcard_constraints:
        recipe="|".join([*config["baselines"], *config["refined"]]) or "none",
    priority: 5
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.baseline),
        gpu=gpus,
    params:
        code=code("reconstruct"),
        sections=sections("train", "test", "noisy"),
        settings=recipe_settings,
        start=start_of_recipe,
        counts=counts_of_recipe,
        seed=config["seeds"][0],
    script:
        "../scripts/reconstruct.py"
