"""The command ``farfield``: what is done by hand beside the workflow."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What a command needs is imported when it runs: help and a mistyped word take no time.

MASK = "integers: 0 is good; booleans: True is; ~FILE inverts"


def _apply(arguments: argparse.Namespace) -> None:
    from farfield.measured import application

    names = ("model", "patterns", "output", "device", "mask", "refine")
    made = application.apply(**{name: getattr(arguments, name) for name in names})
    scaled = made.scale[made.scale != 1]
    if len(scaled):
        least, most = (f"{float(factor):.2g}" for factor in scaled.aminmax())
        by = least if least == most else f"{least} to {most}"
        of = f"{len(scaled)} of {len(made.scale)} patterns"
        print(f"scaled {of} by {by}, so that their totals are those of the patterns that it was trained on")
    print(f"wrote {arguments.output}", f"Fourier residual: {_spread(made.residual)}", sep="\n")
    if made.refined is not None:
        print(f"refined: {_spread(made.refined)}")
    if made.error is not None:
        print(f"SA-MSE of each of {len(made.error)} samples relative to predicting zero: {_spread(made.error)}")


def _spread(values: Any) -> str:
    return f"mean {float(values.mean()):.4f}, median {float(values.quantile(0.5)):.4f}"


def _region(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read rows and columns, as ``0:256,256:512``."""
    try:
        rows, columns = (tuple(int(end) for end in line.split(":")) for line in text.split(","))
        (_, _), (_, _) = rows, columns
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected rows and columns as Y0:Y1,X0:X1, got {text!r}") from None
    return rows, columns


def _background(text: str) -> float | str:
    """Read a number, or the word "corners"."""
    try:
        return text if text == "corners" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or 'corners', got {text!r}") from None


def _preparation(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("mask", "flat", "dark", "frame", "monitor", "region", "centre", "crop", "bin", "background")
    return {name: getattr(arguments, name) for name in names}


def _inspect(arguments: argparse.Namespace) -> None:
    from farfield.measured import chain

    picture = arguments.output or f"{Path(arguments.data).stem}-inspected.png"
    print(*chain.inspect(arguments.data, picture, **_preparation(arguments)), f"wrote {picture}", sep="\n")


def _reconstruct(arguments: argparse.Namespace) -> None:
    from farfield.measured import chain

    names = ("starts", "seed", "recipe", "support", "device")
    verdict = chain.reconstruct_file(
        arguments.data,
        arguments.output,
        values="positive" if arguments.positive else "complex",
        overwrite=arguments.force,
        say=print,
        progress=sys.stderr.isatty(),
        **{name: getattr(arguments, name) for name in names},
        **_preparation(arguments),
    )
    print(f"wrote {arguments.output} and {Path(arguments.output).with_suffix('.png')}", verdict, sep="\n")


def _watch(arguments: argparse.Namespace) -> None:
    from farfield.study import watching

    watching.watch(arguments.study, arguments.every)


def _add_preparation(parser: argparse.ArgumentParser) -> None:
    """Add what makes a pattern of a frame."""
    parser.add_argument(
        "data", metavar="INPUT", help="a frame: .npy .npz .tif .cxi .h5 .nxs .edf .mat, or FILE::/path in it"
    )
    parser.add_argument("--mask", metavar="FILE", help=MASK)
    parser.add_argument("--flat", metavar="FILE", help="response of the pixels")
    parser.add_argument("--dark", metavar="FILE", help="frame without a beam, at the same exposure")
    parser.add_argument("--frame", type=int, metavar="N", help="which of several, from 0")
    parser.add_argument("--monitor", type=float, metavar="X", help="what the counts are divided by")
    parser.add_argument(
        "--region",
        type=_region,
        metavar="Y0:Y1,X0:X1",
        help="where the data lie on the detector of mask, flat and dark",
    )
    parser.add_argument(
        "--centre", choices=["peak", "mass", "frame"], default="peak", help="DC (default: %(default)s)"
    )
    parser.add_argument("--crop", type=int, metavar="N", help="pixels a side (default: the most that fit)")
    parser.add_argument("--bin", type=int, default=1, metavar="N", help="pixels a side that are summed to one")
    parser.add_argument("--background", type=_background, metavar="V", help="counts without an object, or corners")


def _add_measured(commands: argparse._SubParsersAction) -> None:
    """Add the commands for a detector's file."""
    inspect = commands.add_parser("inspect", help="show what reconstruct would make of a frame")
    _add_preparation(inspect)
    inspect.add_argument("-o", "--output", metavar="PNG", help="(default: INPUT-inspected.png, here)")
    inspect.set_defaults(run=_inspect)
    reconstruct = commands.add_parser("reconstruct", help="an object, and whether to believe it, of a measured frame")
    _add_preparation(reconstruct)
    reconstruct.add_argument("-o", "--output", required=True, metavar="CXI", help="result; a figure comes beside it")
    reconstruct.add_argument("--starts", type=int, default=10, metavar="N", help="(default: %(default)s)")
    reconstruct.add_argument("--seed", type=int, default=0, metavar="S", help="of the starts (default: %(default)s)")
    reconstruct.add_argument("--recipe", metavar="R", help="such as 2*(300*HIO+150*RAAR+50*ER), the default")
    reconstruct.add_argument("--positive", action="store_true", help="the object is real and not below zero")
    reconstruct.add_argument("--support", metavar="FILE", help="an image, not zero where the object is")
    reconstruct.add_argument("--device", default="cpu", choices=["cpu", "cuda", "cuda-if-available"], help="where")
    reconstruct.add_argument("--force", action="store_true", help="replace a result that exists")
    reconstruct.set_defaults(run=_reconstruct)


def _add_apply(commands: argparse._SubParsersAction) -> None:
    """Add the command for a trained model."""
    apply = commands.add_parser("apply", help="reconstruct patterns with a trained model")
    apply.add_argument("model", help="a .safetensors file of a training")
    apply.add_argument("patterns", help="intensities (samples, M, M) in any file of reconstruct's, or a .zarr store")
    apply.add_argument("output", help="objects to write, .npy or .zarr")
    apply.add_argument("--mask", metavar="FILE", help=MASK)
    apply.add_argument(
        "--refine",
        nargs="?",
        const=True,
        default=False,
        metavar="RECIPE",
        help="let iterations go on from the network's objects, by 200*HIO+50*ER if no recipe is named",
    )
    apply.add_argument("--device", default="cpu", choices=["cpu", "cuda", "cuda-if-available"])
    apply.set_defaults(run=_apply)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="farfield", description="Far-field phase retrieval, beside the workflow.")
    commands = parser.add_subparsers(title="commands", dest="command")
    _add_measured(commands)
    _add_apply(commands)
    watch = commands.add_parser("watch", help="redraw a running study's learning curves into figures/progress.png")
    watch.add_argument("study", help="the study's folder, such as results/laptop")
    watch.add_argument("--every", type=float, default=10.0, metavar="SECONDS")
    watch.set_defaults(run=_watch)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; a known mistake ends it in one sentence, and none at all in the help."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.command:
        parser.print_help(sys.stderr)
        sys.exit(2)
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    try:
        chosen.run(chosen)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
