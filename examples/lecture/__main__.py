"""Run all experiments and write one page: python examples/lecture [--out experiments] [NAME ...].

What was already measured by the same sources is not measured again, so that a run that was cut short goes on.
"""

import hashlib
import html
import json
import sys
from pathlib import Path

from experiment import HERE, Experiment, command, complain, guarded, load, save

import symgrad

STYLE = """
:root { color-scheme: light dark; --text: #1F2933; --muted: #6B7785; --paper: #fff; --rule: #CBD2D9; }
@media (prefers-color-scheme: dark) { :root { --text: #E4E7EB; --muted: #9AA5B1; --paper: #12171C; --rule: #3E4C59; } }
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: var(--text); background: var(--paper); max-width: 52rem;
       margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
img { width: 100%; background: #fff; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; } td, th { text-align: left; padding: 3px 8px;
  border-bottom: 1px solid var(--rule); vertical-align: top; } .pass { color: #009E73; } .fail, .not { color: #D55E00; }
.pass, .fail, .not { font-weight: bold; } p.control { color: var(--muted); } a { color: inherit; }
"""


def scripts() -> list[Path]:
    return sorted(HERE.glob("x[0-9][0-9]_*.py"))


def sources() -> str:
    """Changes with the library."""
    files = sorted(Path(symgrad.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


def known(experiment: Experiment, out: Path) -> dict | None:
    """The record of an earlier run of the same script, if its figure and table are there as well."""
    try:
        record = json.loads((out / f"{experiment.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = all((out / f"{experiment.name}{part}").exists() for part in (".svg", ".md"))
    return record if whole and record.get("key") == experiment.key() else None


def section(experiment: Experiment, record: dict) -> str:
    """One experiment as HTML."""
    control, outcome = experiment.verdict(record)[1], experiment.outcome(record)
    rows = "".join(
        f"<tr><td>{html.escape(check.line(record['on']))}<td>{check.spread(record['off'])}"
        for check in experiment.checks
    )
    remarks = "".join(f"<p><b>{heading}.</b> {html.escape(text)}</p>" for heading, text in experiment.remarks())
    return (
        f"<h2 id='{experiment.name}'>{experiment.name[:3].upper()} · {html.escape(experiment.title)}</h2>"
        f"<p>{html.escape(experiment.claim)} <span class='{outcome.split()[0].lower()}'>{outcome}</span></p>"
        f"{remarks}"
        f"<img src='{experiment.name}.svg' alt='{html.escape(experiment.title, quote=True)}'>"
        f"<table><tr><th>measured, {len(record['on'])} seeds: mean (lowest to highest)<th>control{rows}</table>"
        f"<p class='control'>Control: {html.escape(experiment.control)}; it must fail"
        f"{', and does' if control else ', and DOES NOT'}.</p>"
    )


def markdown(experiment: Experiment, record: dict) -> str:
    """The numbers of one experiment as a table, for pages that show its figure."""
    lines = [
        f"<!-- Written by python examples/lecture --out {{this folder}}; {experiment.name}.json holds the numbers. -->",
        f"**Claim.** {experiment.claim} **{experiment.outcome(record)}** "
        f"({len(record['on'])} seeds; control, which must fail: {experiment.control})",
        *(f"\n**{heading}.** {text}" for heading, text in experiment.remarks()),
        "",
        "| measured, mean (lowest to highest) | with | control | must be |",
        "|---|---|---|---|",
    ]
    for check in experiment.checks:
        on, off = (check.spread(record[part]) for part in ("on", "off"))
        lines.append(
            f"| {check.statistic} | {on} | {off} | {check.relation} {check.threshold:g}{', mean' * check.mean} |"
        )
    return "\n".join(lines).replace("|∇L(0)|", "‖∇L(0)‖") + "\n"


def claims(found: list[tuple[Experiment, dict]]) -> str:
    """All claims and what became of them, as a table."""
    rows = [f"| {e.name[:3].upper()} | {e.claim} | {e.outcome(r)} |" for e, r in found]
    lines = [
        "<!-- Written by python examples/lecture --out {this folder}. -->",
        "| | claim | found |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines).replace("|∇L(0)|", "‖∇L(0)‖") + "\n"


def page(found: list[tuple[Experiment, dict]]) -> str:
    outcomes = [e.outcome(r) for e, r in found]
    said = f"{outcomes.count('PASS')} of {len(found)} claims hold, each with a control that fails."
    said += " Those that do not reproduce say what was found." * ("NOT REPRODUCED" in outcomes)
    links = " ".join(f"<a href='#{e.name}'>{e.name[:3].upper()}</a>" for e, _ in found)
    body = "".join(section(e, r) for e, r in found)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>The lecture's experiments</title><style>{STYLE}</style><h1>The lecture's experiments</h1>"
        f"<p>{said}</p><p>{links}</p>{body}</html>\n"
    )


def main() -> int:
    parser = command("python examples/lecture", "Run the lecture's experiments.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as x14; all if none is given")
    arguments = parser.parse_args()
    names = [Path(name).stem.lower() for name in arguments.names]
    unknown = [name for name in names if not any(s.stem.startswith(name) for s in scripts())]
    if unknown:
        return complain(f"no experiment is called {' '.join(unknown)}; there are x01 to {scripts()[-1].stem[:3]}")
    chosen = [s for s in scripts() if not names or s.stem.startswith(tuple(names))]
    return guarded(lambda: run(chosen, arguments.out, arguments.jobs), arguments.out)


def run(chosen: list[Path], out: Path, jobs: int) -> int:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    out.mkdir(parents=True, exist_ok=True)
    library, found = sources(), []
    experiments = [load(script) for script in chosen]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("experiments", total=sum(len(e.tasks()) for e in experiments))
        for experiment in experiments:
            progress.update(task, description=experiment.name)
            record = known(experiment, out)
            if record is None or record.get("library") != library:
                record = experiment.run(jobs, lambda: progress.advance(task)) | {"library": library}
                experiment.figure(record, out / f"{experiment.name}.svg")
                (out / f"{experiment.name}.md").write_text(markdown(experiment, record), encoding="utf-8")
                save(record, out)  # last: what has a record is finished
            else:
                progress.advance(task, len(experiment.tasks()))
            found.append((experiment, record))
            progress.console.print(
                f"{experiment.outcome(record):<15} {experiment.name}: {experiment.title}",
                highlight=False,
                soft_wrap=True,
            )
    recorded = [(e, record) for e in map(load, scripts()) if (record := known(e, out))]
    (out / "index.html").write_text(page(recorded), encoding="utf-8")
    (out / "claims.md").write_text(claims(recorded), encoding="utf-8")
    outcomes = [e.outcome(r) for e, r in found]
    counts = ", ".join(f"{outcomes.count(o)} {o.lower()}" for o in ("PASS", "NOT REPRODUCED", "FAIL"))
    sys.stdout.write(f"{counts}; open {out / 'index.html'}\n")
    return 1 if "FAIL" in outcomes else 0


if __name__ == "__main__":
    raise SystemExit(main())
