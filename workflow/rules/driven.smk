# Data, physics or both: the near field's sets, networks fitted to one pattern in either field, and what compares them.


if NEAR:

    ruleorder: simulate_near > simulate

    rule simulate_near:
        output:
            directory(study_path("data/{set}.zarr")),
        log:
            study_path("logs/simulate/{set}.log"),
        wildcard_constraints:
            set="|".join(splits("train", "validation", "test")),
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            **asks(costs.whole_set),
        params:
            code=code("simulate_near"),
            section=section_of_wildcard,
        script:
            "../scripts/simulate_near.py"


rule fit_patterns:
    input:
        truths=[study_path(f"data/{split}.zarr") for split in splits("test", "noisy")],
        start=model_of_fitted,
    output:
        reconstructions=[
            directory(study_path(f"reconstructions/{{fitted}}/{split}.zarr")) for split in splits("test", "noisy")
        ],
        scores=[directory(study_path(f"scores/{{fitted}}/{split}.zarr")) for split in splits("test", "noisy")],
    log:
        study_path("logs/fit_patterns/{fitted}.log"),
    benchmark:
        study_path("benchmarks/fit_patterns/{fitted}.tsv")
    priority: 5
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.fitting),
        gpu=gpus,
    params:
        code=code_with_fitted("fit_patterns"),
        sections=sections(*splits("test", "noisy")),
        settings=fitting_of_wildcard,
        patterns=patterns_of_fitted,
        network=network_of_fitted,
        inputs=config["training"]["inputs"],
        options=options_of_fitted,
        seed=config["seeds"][0],
    script:
        "../scripts/fit_patterns.py"


rule table_driven:
    input:
        scores=scores_of_driven(),
    output:
        csv=report(
            study_path("tables/co-driven.csv"),
            caption="../report/co-driven.rst",
            category="Tables",
            labels={"table": "data, physics or both", "format": "csv"},
        ),
        md=study_path("tables/co-driven.md"),
        tex=study_path("tables/co-driven.tex"),
    log:
        study_path("logs/table/co-driven.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_driven"),
        order=order_of_driven(),
        shares={name: objective(config, name).data for name in config["objectives"]},
    script:
        "../scripts/table_driven.py"


rule figure_driven:
    input:
        table=study_path("tables/co-driven.csv"),
        scores=on_test("scores"),
    output:
        pdf=study_path("figures/co-driven.pdf"),
        png=report(
            study_path("figures/co-driven.png"),
            caption="../report/co-driven.rst",
            category="Figures",
            labels={"figure": "data, physics or both", "format": "png"},
        ),
    log:
        study_path("logs/figure/co-driven.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_driven"),
        order=order_of_driven(),
    script:
        "../scripts/figure_driven.py"


rule figure_phases:
    input:
        truth=study_path("data/test.zarr"),
        reconstructions=on_test("reconstructions"),
    output:
        pdf=study_path("figures/phases.pdf"),
        png=report(
            study_path("figures/phases.png"),
            caption="../report/phases.rst",
            category="Figures",
            labels={"figure": "phases", "format": "png"},
        ),
    log:
        study_path("logs/figure/phases.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_phases"),
        order=order_of_driven(),
        height=taken().get("height"),
        patterns=fewest_fitted(),
    script:
        "../scripts/figure_phases.py"
