rule simulate:
    output:
        directory(study_path("data/{set}.zarr")),
    log:
        study_path("logs/simulate/{set}.log"),
    benchmark:
        study_path("benchmarks/simulate/{set}.tsv")
    wildcard_constraints:
        set="train|train-natural|validation|test",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.whole_set),
    params:
        code=code("simulate"),
        section=section_of_wildcard,
    script:
        "../scripts/simulate.py"


rule break_symmetries:
    input:
        train=training_set_to_break,
    output:
        directory(study_path("data/train-broken.zarr")),
    log:
        study_path("logs/break_symmetries.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.whole_set),
    params:
        code=code("break_symmetries"),
        section=section("train"),
        level="after",
    script:
        "../scripts/break_symmetries.py"


use rule break_symmetries as break_partly with:
    output:
        directory(study_path("data/train-{level}.zarr")),
    log:
        study_path("logs/break_partly/{level}.log"),
    params:
        code=code("break_symmetries"),
        section=section("train"),
        level=level_of_wildcard,


rule add_noise:
    input:
        test=study_path("data/test.zarr"),
    output:
        directory(study_path("data/noisy.zarr")),
    log:
        study_path("logs/add_noise.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.whole_set),
    params:
        code=code("add_noise"),
        sections=sections("test", "noisy"),
    script:
        "../scripts/add_noise.py"


rule conditioning:
    input:
        sets=[study_path(f"data/{name}.zarr") for name in ("train", "validation", "test")],
    output:
        study_path("data/conditioning.csv"),
    log:
        study_path("logs/conditioning.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.whole_set),
    params:
        code=code("conditioning"),
        sections=sections("train", "validation", "test"),
        samples=sorted(config["samples"]),
    script:
        "../scripts/conditioning.py"
