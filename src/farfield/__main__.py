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


def _sides(text: str) -> int | tuple[int, ...]:
    """Read one number, or one of each axis, as ``128`` or ``64,128,128``."""
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, or three as F,R,C, got {text!r}") from None
    return numbers if len(numbers) > 1 else numbers[0]


def _monitor(text: str) -> float | str:
    """Read a number, or take the name of a file."""
    try:
        return float(text)
    except ValueError:
        return text


def _motors(text: str) -> dict[str, float]:
    """Read the places of motors, as ``delta=32.1,gamma=12.6``."""
    try:
        return {name.strip(): float(value) for name, value in (pair.split("=") for pair in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected motors and degrees as delta=32.1,gamma=12.6, got {text!r}"
        ) from None


def _numbers(text: str) -> tuple[float, ...]:
    """Read numbers between commas."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers between commas, got {text!r}") from None


def _pixel(text: str) -> float | tuple[float, ...]:
    """Read a pixel's size, or its height and width."""
    numbers = _numbers(text)
    return numbers if len(numbers) > 1 else numbers[0]


def _aim(text: str) -> tuple[int, int]:
    """Read a pixel, as ``128,127``."""
    numbers = _sides(text)
    if isinstance(numbers, int) or len(numbers) != 2:
        raise argparse.ArgumentTypeError(f"expected a row and a column as R,C, got {text!r}")
    return numbers


def _steps(text: str) -> tuple[tuple[float, ...], ...]:
    """Read three vectors, as ``x,y,z;x,y,z;x,y,z``."""
    return tuple(_numbers(vector) for vector in text.split(";"))


PREPARATION = (
    "dimensions",
    "mask",
    "flat",
    "dark",
    "frame",
    "monitor",
    "region",
    "centre",
    "crop",
    "bin",
    "background",
)
INSTRUMENT = ("energy", "distance", "pixel_size", "spec", "diffractometer", "angles", "rocked", "aim", "q_steps")


def _preparation(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in (*PREPARATION, *INSTRUMENT, "scattering")}


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
    beside = [Path(arguments.output).with_suffix(ending) for ending in chain.BESIDE[arguments.dimensions]]
    print(
        f"wrote {' and '.join(str(path) for path in (arguments.output, *beside) if Path(path).exists())}",
        verdict,
        sep="\n",
    )


def _watch(arguments: argparse.Namespace) -> None:
    from farfield.study import watching

    watching.watch(arguments.study, arguments.every)


def _add_preparation(parser: argparse.ArgumentParser) -> None:
    """Add what makes a pattern of a frame, or a volume of a scan."""
    parser.add_argument(
        "data",
        metavar="INPUT",
        help="a frame, or a scan: .npy .npz .tif .cxi .h5 .nxs .edf .mat, FILE::/path in it, or a folder of frames",
    )
    parser.add_argument(
        "--dimensions", type=int, choices=[2, 3], default=2, help="3: the frames are a rocking scan, a volume"
    )
    parser.add_argument("--mask", metavar="FILE", help=MASK)
    parser.add_argument("--flat", metavar="FILE", help="response of the pixels")
    parser.add_argument("--dark", metavar="FILE", help="frame without a beam, at the same exposure")
    parser.add_argument("--frame", type=int, metavar="N", help="which of several, from 0")
    parser.add_argument(
        "--monitor", type=_monitor, metavar="X|FILE", help="what the counts are divided by; FILE: one of each frame"
    )
    parser.add_argument(
        "--region",
        type=_region,
        metavar="Y0:Y1,X0:X1",
        help="where the data lie on the detector of mask, flat and dark",
    )
    parser.add_argument(
        "--centre", choices=["peak", "mass", "frame"], default="peak", help="DC (default: %(default)s)"
    )
    parser.add_argument(
        "--crop", type=_sides, metavar="N", help="pixels a side, of a scan also F,R,C (default: the most that fit)"
    )
    parser.add_argument(
        "--bin",
        type=_sides,
        default=1,
        metavar="N",
        help="pixels a side that are summed to one, of a scan also F,R,C",
    )
    parser.add_argument("--background", type=_background, metavar="V", help="counts without an object, or corners")
    _add_instrument(parser.add_argument_group("instrument", "what the file does not say itself"))


def _add_instrument(group: argparse._ArgumentGroup) -> None:
    """Add what tells lengths in nm, and of a scan where the crystal lies."""
    group.add_argument("--energy", type=float, metavar="KEV", help="of the photons, in keV")
    group.add_argument("--distance", type=float, metavar="M", help="from sample to detector, in m")
    group.add_argument("--pixel-size", type=_pixel, metavar="UM", help="in µm, or Y,X")
    group.add_argument("--spec", metavar="FILE::N", help="a file of spec, and the scan's number, of APS 34-ID-C")
    group.add_argument("--diffractometer", metavar="NAME", help="of a rocking scan: 34-ID-C")
    group.add_argument("--angles", type=_motors, metavar="MOTOR=DEG,…", help="where its motors stood")
    group.add_argument("--rocked", type=_motors, metavar="MOTOR=DEG", help="what moved, from one frame to the next")
    group.add_argument(
        "--aim", type=_aim, metavar="R,C", help="pixel at which the detector's angles point (default: the middle)"
    )
    group.add_argument(
        "--q-steps",
        type=_steps,
        metavar="X,Y,Z;…",
        help="instead, as --q-steps=…: of q in 1/nm, by frame, row, column",
    )
    group.add_argument(
        "--scattering", type=_numbers, metavar="X,Y,Z", help="beside them, as --scattering=…: Q of the peak"
    )


def _add_measured(commands: argparse._SubParsersAction) -> None:
    """Add the commands for a detector's file."""
    inspect = commands.add_parser("inspect", help="show what reconstruct would make of a frame or a scan")
    _add_preparation(inspect)
    inspect.add_argument("-o", "--output", metavar="PNG", help="(default: INPUT-inspected.png, here)")
    inspect.set_defaults(run=_inspect)
    reconstruct = commands.add_parser(
        "reconstruct", help="an object, and whether to believe it, of a frame or a rocking scan"
    )
    _add_preparation(reconstruct)
    reconstruct.add_argument(
        "-o", "--output", required=True, metavar="CXI", help="result; a figure comes beside it, of a scan a .vti too"
    )
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
