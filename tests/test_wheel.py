"""The wheel holds the packages symgrad and viz, whole, and nothing else."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("symgrad", "viz")


def run(*command):
    done = subprocess.run([sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def package_files(folder):
    """The files of both packages, relative to the folder, without what tools leave behind."""
    found = (path.relative_to(folder) for name in PACKAGES for path in (folder / name).rglob("*") if path.is_file())
    return {
        path.as_posix() for path in found if not any(part[0] == "." or part == "__pycache__" for part in path.parts)
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The site-packages of a fresh environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("wheel")
    run("build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    run("venv", "--without-pip", folder / "venv")
    places = sysconfig.get_paths("venv", {"base": str(folder / "venv")})
    scripts, packages = Path(places["scripts"]), Path(places["purelib"])
    run("pip", "--python", scripts / "python", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", wheel)
    assert any(path.stem == "symgrad" for path in scripts.iterdir())
    return packages


def test_only_the_two_packages_are_installed(installed):
    names = {path.name for path in installed.iterdir()}
    (metadata,) = (name for name in names if name.endswith(".dist-info"))
    assert metadata.startswith("symgrad-")
    assert names == {*PACKAGES, metadata}


def test_no_file_of_the_packages_is_missing(installed):
    wanted = package_files(ROOT)
    assert {"symgrad/py.typed", "viz/py.typed", "symgrad/data/digits.npz"} <= wanted
    assert package_files(installed) == wanted
