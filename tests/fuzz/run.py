#!/usr/bin/env python3
"""Runs the libFuzzer targets for a given CPU time each, and says what came of it.

    cmake --preset fuzz && cmake --build --preset fuzz
    tests/fuzz/run.py --minutes 30                  # every target, one after the other
    tests/fuzz/run.py --minutes 2 --only config sasl
    tests/fuzz/run.py --jobs 4 --share normal --clock 30    # on a machine that others use, too

--minutes are CPU minutes, so that a figure means the same on a busy machine. Where there may never be
that many, --clock ends a target after so many minutes by the clock; the report has both. The targets
run at idle priority and leave the machine to others, which on a full machine is next to none of it:
--share normal takes a share like anybody's. What is found while fuzzing stays in WORK/NAME (default
build/fuzz/work), where the next run begins. A target ends at its first finding. --keep puts the
smallest set of inputs that reaches as many branches into tests/fuzz/corpus, whose files every test
run tries; nothing that is there is taken away.

Exit 1 if there was a finding: its input lies in WORK/findings. Make it a file of the corpus, see the
test fail, mend.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
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
# While fuzzing, a fifth faster; an input tried by hand shows the whole of every stack.
ENVIRONMENT = {"ASAN_OPTIONS": "malloc_context_size=1"} | os.environ
# What libFuzzer counts for its choice of inputs costs half the time where one reaches 20,000 features;
# of policy_state every two bytes are a login.
EXTRA = {"config": ["-entropic=0"], "policy_state": ["-max_len=4096"]}


def cpu_seconds(pid):
    """User and system time that a running process has taken."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_slow(binary, finding):
    """Whether one input alone takes too long: a target that was stopped or starved for a while thinks
    so of whatever it was at."""
    return subprocess.run(["prlimit", f"--cpu={SLOW_SECONDS}", binary, finding],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0


class Target:
    """One libFuzzer program, what it learns in WORK/NAME, and what it reports in WORK/NAME.log."""

    def __init__(self, name, options):
        self.name = name
        self.binary = options.build / "bin" / f"fuzz_{name}"
        self.learnt = options.work / name
        self.kept = CORPUS / name
        self.findings = options.work / "findings"
        self.log = options.work / f"{name}.log"
        self.share = ["chrt", "--idle", "0"] if options.share == "idle" else []
        self.options = options
        if not self.binary.exists():
            sys.exit(f"run.py: no {self.binary}; build the preset fuzz first")
        self.learnt.mkdir(parents=True, exist_ok=True)
        self.findings.mkdir(exist_ok=True)

    def run(self):
        """Fuzzes until the time is used up or something is found; a row of the report."""
        row = self.fuzz(self.options.minutes * 60, self.options.clock * 60)
        if not row["findings"]:
            self.minimise()
            if self.options.keep:
                row["kept"] = self.keep()
        return row

    def fuzz(self, seconds, clock_seconds):
        before = self.inputs_found()
        begin = time.monotonic()
        used, executions, features, found, ends = 0.0, 0, 0, [], False
        while not ends and not found:
            with open(self.log, "ab") as log:
                text_begin = log.tell()
                process = subprocess.Popen(
                    self.share + [self.binary, self.learnt, self.kept,
                                  f"-artifact_prefix={self.findings}/{self.name}-",
                                  f"-max_len={MAX_LENGTH}", "-len_control=20",
                                  "-print_final_stats=1", f"-report_slow_units={SLOW_SECONDS}"]
                    + EXTRA.get(self.name, []), env=ENVIRONMENT, stdout=log, stderr=log)
                ended, _, usage = os.wait4(process.pid, os.WNOHANG)
                while not ended:
                    time.sleep(1)
                    if not ends and (used + cpu_seconds(process.pid) >= seconds
                                     or time.monotonic() - begin >= clock_seconds):
                        os.kill(process.pid, signal.SIGINT)  # libFuzzer ends with its figures
                        ends = True
                    ended, _, usage = os.wait4(process.pid, os.WNOHANG)
                process.returncode = 0  # it has been waited for
                used += usage.ru_utime + usage.ru_stime
            with open(self.log, "rb") as log:
                log.seek(text_begin)
                text = log.read().decode(errors="replace")
            counts = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)
            executions += int(counts[-1]) if counts else 0
            features = max([features] + [int(f) for f in re.findall(r"ft: (\d+)", text)])
            new = self.inputs_found() - before
            doubtful = (f"{self.name}-slow-unit", f"{self.name}-timeout")
            found = [f for f in new
                     if not f.name.startswith(doubtful) or is_slow(self.binary, f)]
            for harmless in new - set(found):
                harmless.unlink()
            if not counts and not found:
                raise RuntimeError(f"{self.name} ended by itself; see {self.log}")
        return {"target": self.name, "cpu minutes": round(used / 60, 1),
                "clock minutes": round((time.monotonic() - begin) / 60, 1),
                "executions": executions, "features": features,
                "inputs": sum(1 for _ in self.learnt.iterdir()),
                "findings": sorted(f.name for f in found)}

    def inputs_found(self):
        return {f for f in self.findings.iterdir() if f.name.startswith(f"{self.name}-")}

    def merge(self, *arguments):
        subprocess.run(self.share + [self.binary, "-merge=1", f"-max_len={MAX_LENGTH}"]
                       + EXTRA.get(self.name, []) + list(arguments), check=True, env=ENVIRONMENT,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def minimise(self):
        """Leaves in WORK/NAME what the corpus of the repository does not reach already."""
        with tempfile.TemporaryDirectory(dir=self.options.work) as smaller:
            base = pathlib.Path(smaller) / "base"
            shutil.copytree(self.kept, base)
            known = {f.name for f in base.iterdir()}
            self.merge(base, self.learnt)
            shutil.rmtree(self.learnt)
            self.learnt.mkdir()
            for file in base.iterdir():
                if file.name not in known:
                    file.rename(self.learnt / file.name)

    def keep(self):
        """Adds to the repository's corpus what reaches further branches; the number of files."""
        before = sum(1 for _ in self.kept.iterdir())
        self.merge("-use_counters=0", self.kept, self.learnt)
        return sum(1 for _ in self.kept.iterdir()) - before


def main():
    every = sorted(f.name.removesuffix("_fuzz.cc") for f in (ROOT / "tests/fuzz").glob("*_fuzz.cc"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/fuzz")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/fuzz/work")
    parser.add_argument("--minutes", type=float, default=30, help="CPU minutes a target (30)")
    parser.add_argument("--clock", type=float, default=float("inf"), metavar="MINUTES",
                        help="at most so many minutes a target by the clock (no bound)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="so many targets side by side, in the order of --only (1)")
    parser.add_argument("--share", choices=["idle", "normal"], default="idle",
                        help="of the machine: what is left, or as much as anybody (idle)")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="TARGET",
                        help="of " + " ".join(every))
    parser.add_argument("--keep", action="store_true",
                        help="add what reaches new branches to tests/fuzz/corpus")
    parser.add_argument("--json", type=pathlib.Path, help="also write the report to this file")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    targets = [Target(name, options) for name in options.only]
    rows = []
    print(f"{'target':16} {'CPU min':>8} {'clock min':>10} {'executions':>11} {'features':>9} "
          f"{'inputs':>7}  findings", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(t.run) for t in targets]):
            row = done.result()
            rows.append(row)
            print(f"{row['target']:16} {row['cpu minutes']:8} {row['clock minutes']:10} "
                  f"{row['executions']:11} {row['features']:9} {row['inputs']:7}  "
                  f"{' '.join(row['findings']) or 'none'}", flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1))
    return 1 if any(row["findings"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
