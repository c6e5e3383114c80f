"""built: what the checks look at, for those that are run by hand.

`make check` gives each check the programs and files it has built. Run without arguments, a check takes
them from a build directory, made up to date first: $PATROND_BUILD, else build-test/gcc, build or the tree itself,
whichever is configured, else build-test/gcc is configured.
"""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
USUAL = [TOP / "build-test/gcc", TOP / "build", TOP]


def run(*command, where):
    try:
        subprocess.run(command, cwd=where, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: cannot build what it looks at: {e}\n"
                 "scripts/packages --install test installs what the build needs")


def configured():
    directory = USUAL[0]
    directory.mkdir(parents=True, exist_ok=True)
    if not (TOP / "configure").exists():
        run("autoreconf", "-fi", where=TOP)
    run(TOP / "configure", "-q", where=directory)
    return directory


def directory():
    given = os.environ.get("PATROND_BUILD")
    if given:
        return pathlib.Path(given)
    return next((d for d in USUAL if (d / "Makefile").exists()), None) or configured()


def made(*targets):
    """Paths of these targets of make, up to date."""
    build = directory()
    run("make", "-s", f"-j{os.cpu_count() or 1}", *targets, where=build)
    return [build / t for t in targets]


def arguments(*targets):
    """Those of the command line, else the targets."""
    return sys.argv[1:] or [str(p) for p in made(*targets)]
