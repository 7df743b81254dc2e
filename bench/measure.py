"""What every bench says of the machine it ran on, and how it writes and shows its figures."""

import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

RESULTS = Path(__file__).parent / "results"


def other_bench(name: str) -> ModuleType:
    """Another bench as a module; by its path, since tests that benches use have modules of the same names."""
    known = f"bench_{name}"
    spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module
    spec.loader.exec_module(module)
    return module


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system."""
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in info.read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(names: Sequence[str]) -> dict[str, str]:
    """Installed versions of packages; a missing one says so."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def write(
    name: str, rows: list[dict[str, Any]], targets: list[dict[str, Any]], packages: Sequence[str] = ("vitok",)
) -> Path:
    """Writes `results/NAME.json` and returns its path.

    Args:
        rows: One for each engine, with units in the names of the figures.
        targets: `{"name", "value", "limit", "holds"}`; `target` makes them.
        packages: Packages whose versions matter.
    """
    content = {
        "machine": machine(),
        "versions": versions(packages),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "targets": targets,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def target(name: str, value: float, limit: float) -> dict[str, Any]:
    """A target that holds when the value is at most the limit."""
    return {"name": name, "value": value, "limit": limit, "holds": value <= limit}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints rows as a table; a figure that an engine does not have stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *[[_cell(row.get(name)) for name in names] for row in rows]]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def seconds_each(work: Callable[[], Any], count: int, repeat: int = 3) -> float:
    """Seconds for one call: the median of several rounds of `count` calls."""
    rounds = []
    for _ in range(repeat):
        started = perf_counter()
        for _ in range(count):
            work()
        rounds.append((perf_counter() - started) / count)
    return sorted(rounds)[len(rounds) // 2]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
