#!/usr/bin/env python3
"""Runs the libFuzzer targets for a given CPU time each, and says what came of it.

    cmake --preset fuzz && cmake --build --preset fuzz
    tests/fuzz/run.py --minutes 30                  # every target, one after the other
    tests/fuzz/run.py --minutes 2 --only config sasl

Minutes are CPU minutes, so that a figure means the same on a busy machine; the targets run at idle
priority and leave the machine to others. What is found while fuzzing stays in WORK/NAME (default
build/fuzz/work), where the next run begins. A target ends at its first finding. --keep puts the
smallest set of inputs that reaches as many branches into tests/fuzz/corpus, whose files every test
run tries; nothing that is there is taken away.

Exit 1 if there was a finding: its input lies in WORK/findings. Make it a file of the corpus, see the
test fail, mend.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
SLOW_SECONDS = 5  # CPU time an input may take under the sanitizers; most take a millisecond
# Inputs longer than every bound we have on a line, so that the bounds are tried too.
MAX_LENGTH = 20000


def cpu_seconds(pid):
    """User and system time that a running process has taken."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle():
    """For a child: work only when nobody else wants to."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def is_slow(binary, finding):
    """Whether one input alone takes too long: a target that was stopped or starved for a while thinks
    so of whatever it was at."""
    def limited():
        resource.setrlimit(resource.RLIMIT_CPU, (SLOW_SECONDS, SLOW_SECONDS))
    return subprocess.run([binary, finding], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=limited).returncode != 0


def fuzz(name, binary, work, seconds):
    """One target until its CPU time is used up or it found something; a row of the report."""
    corpus, findings = work / name, work / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    before = set(findings.iterdir())
    used, executions, found, features = 0.0, 0, [], 0
    while used < seconds and not found:
        with open(work / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [binary, corpus, CORPUS / name, f"-artifact_prefix={findings}/{name}-",
                 f"-max_len={MAX_LENGTH}", "-len_control=20", "-print_final_stats=1",
                 f"-report_slow_units={SLOW_SECONDS}"],
                stdout=log, stderr=log, preexec_fn=idle)
            begin = log.tell()
            ended, _, usage = os.wait4(process.pid, os.WNOHANG)
            while not ended:
                time.sleep(1)
                if seconds and used + cpu_seconds(process.pid) >= seconds:
                    os.kill(process.pid, signal.SIGINT)  # libFuzzer ends with its figures
                    seconds = 0
                ended, _, usage = os.wait4(process.pid, os.WNOHANG)
            used += usage.ru_utime + usage.ru_stime
        with open(work / f"{name}.log", "rb") as log:
            log.seek(begin)
            text = log.read().decode(errors="replace")
        counts = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)
        executions += int(counts[-1]) if counts else 0
        features = max([features] + [int(f) for f in re.findall(r"ft: (\d+)", text)])
        new = set(findings.iterdir()) - before
        found = [f for f in new if not f.name.startswith((f"{name}-slow-unit", f"{name}-timeout"))
                 or is_slow(binary, f)]
        for harmless in new - set(found):
            harmless.unlink()
        if not counts and not found:
            sys.exit(f"run.py: {name} ended by itself; see {work / name}.log")
    return {"target": name, "cpu minutes": round(used / 60, 1), "executions": executions,
            "features": features, "inputs": sum(1 for _ in corpus.iterdir()),
            "findings": sorted(f.name for f in found)}


def minimise(name, binary, work):
    """Leaves in WORK/NAME what the corpus of the repository does not reach already."""
    corpus = work / name
    with tempfile.TemporaryDirectory(dir=work) as smaller:
        base = pathlib.Path(smaller) / "base"
        shutil.copytree(CORPUS / name, base)
        known = {f.name for f in base.iterdir()}
        subprocess.run([binary, "-merge=1", f"-max_len={MAX_LENGTH}", base, corpus], check=True,
                       preexec_fn=idle, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(corpus)
        corpus.mkdir()
        for file in base.iterdir():
            if file.name not in known:
                file.rename(corpus / file.name)


def keep(name, binary, work):
    """Adds to the repository's corpus what reaches further branches; the number of files."""
    before = sum(1 for _ in (CORPUS / name).iterdir())
    subprocess.run([binary, "-merge=1", "-use_counters=0", f"-max_len={MAX_LENGTH}",
                    CORPUS / name, work / name], check=True, preexec_fn=idle,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sum(1 for _ in (CORPUS / name).iterdir()) - before


def main():
    every = sorted(f.name.removesuffix("_fuzz.cc") for f in (ROOT / "tests/fuzz").glob("*_fuzz.cc"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/fuzz")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/fuzz/work")
    parser.add_argument("--minutes", type=float, default=30, help="CPU minutes a target (30)")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="TARGET",
                        help="of " + " ".join(every))
    parser.add_argument("--keep", action="store_true",
                        help="add what reaches new branches to tests/fuzz/corpus")
    parser.add_argument("--json", type=pathlib.Path, help="also write the report to this file")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'target':18} {'CPU min':>8} {'executions':>12} {'features':>9} {'inputs':>7}  findings")
    for name in options.only:
        binary = options.build / "bin" / f"fuzz_{name}"
        if not binary.exists():
            sys.exit(f"run.py: no {binary}; build the preset fuzz first")
        row = fuzz(name, binary, options.work, options.minutes * 60)
        if not row["findings"]:
            minimise(name, binary, options.work)
            if options.keep:
                row["kept"] = keep(name, binary, options.work)
        rows.append(row)
        print(f"{name:18} {row['cpu minutes']:8} {row['executions']:12} {row['features']:9} "
              f"{row['inputs']:7}  {' '.join(row['findings']) or 'none'}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    return 1 if any(row["findings"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
