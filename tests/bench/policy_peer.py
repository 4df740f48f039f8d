#!/usr/bin/env python3
"""Plays the policy scenarios against a private Dovecot as shipped, in real time.

Every scenario has a Dovecot of its own, all at once; each login its own connection, as an smtpd
process has, and the patience of Postfix. A guess counts as let through when Dovecot's log says that
it was verified; an owner as refused when no OK has come in time. Scenarios that last longer than
--longest are left out and said so. Prints the table of docs/POLICY.md. Needs dovecot-core.

usage: policy_peer.py [--build DIR] [--longest SECONDS] [--only TEXT] [--json FILE]
"""

import argparse
import asyncio
import base64
import collections
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402  the private Dovecot

PATIENCE = 10  # Postfix hangs up after it
GIVES_UP = 0.08


class Connection:
    """A client of the auth protocol with any number of requests open."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.answers = {}
        self.task = asyncio.ensure_future(self.read())

    @classmethod
    async def open(cls, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"VERSION\t1\t2\nCPID\t%d\n" % (id(reader) & 0x7FFFFFFF or 1))
        while (line := await reader.readline()) != b"DONE\n":
            if not line:
                raise ConnectionError("the handshake ended")
        return cls(reader, writer)

    async def read(self):
        with contextlib.suppress(ConnectionError):
            while line := await self.reader.readline():
                fields = line.decode(errors="replace").rstrip("\n").split("\t")
                if fields[0] in ("OK", "FAIL") and fields[1] in self.answers:
                    answer = self.answers.pop(fields[1])
                    if not answer.done():
                        answer.set_result(fields[0])
        for answer in self.answers.values():
            if not answer.done():
                answer.set_result("closed")

    def ask(self, number, login):
        resp = base64.b64encode(f"\0{login['user']}\0{login['password']}".encode()).decode()
        rip = f"\trip={login['rip']}" if login["rip"] else ""
        answer = asyncio.get_running_loop().create_future()
        self.answers[str(number)] = answer
        self.writer.write(f"AUTH\t{number}\tPLAIN\tservice=smtp\tsecured\tsession=s{number}{rip}"
                          f"\tresp={resp}\n".encode())
        return answer

    def cancel(self, number):
        self.writer.write(f"CANCEL\t{number}\n".encode())

    def close(self):
        self.task.cancel()
        self.writer.close()


async def patient(answer):
    try:
        return await asyncio.wait_for(asyncio.shield(answer), PATIENCE)
    except asyncio.TimeoutError:
        return "no answer"


async def alone(path, number, login):
    """One login on a connection of its own; what came of it."""
    connection = await Connection.open(path)
    try:
        answer = connection.ask(number, login)
        if login["how"] == "hung-up":
            await asyncio.sleep(GIVES_UP)
            return "left"
        return await patient(answer)
    finally:
        connection.close()


async def together(path, numbered):
    """Logins that share one connection."""
    connection = await Connection.open(path)
    try:
        answers = [connection.ask(number, login) for number, login in numbered]
        if numbered[0][1]["how"] == "cancelled":
            await asyncio.sleep(GIVES_UP)
            for number, _ in numbered:
                connection.cancel(number)
            await asyncio.sleep(PATIENCE)
            return ["left"] * len(numbered)
        return await asyncio.gather(*(patient(answer) for answer in answers))
    finally:
        connection.close()


async def play(path, logins):
    """The answer to each login, by number."""
    began = asyncio.get_running_loop().time()
    tasks, answers = [], {}

    async def note(numbers, coroutine):
        got = await coroutine
        answers.update(zip(numbers, got if isinstance(got, list) else [got]))

    shared = collections.defaultdict(list)
    for number, login in enumerate(logins, start=1):
        await asyncio.sleep(max(0.002, began + login["at"] - asyncio.get_running_loop().time())
                            if login["how"] == "alone" else 0)
        if login["how"] in ("pipelined", "cancelled"):
            shared[login["rush"]].append((number, login))
            continue
        task = asyncio.ensure_future(note([number], alone(path, number, login)))
        tasks.append(task)
        if login["who"] == "other" and login["how"] == "alone" and login["at"] == 0:
            await task  # who must be known before anything happens
    for numbered in shared.values():
        tasks.append(asyncio.ensure_future(
            note([number for number, _ in numbered], together(path, numbered))))
    await asyncio.gather(*tasks)
    return answers


def verified_numbers(log):
    """The attempts whose credential Dovecot has looked at and found wrong."""
    found = set()
    for line in log.splitlines():
        if "password mismatch" in line.lower() or "unknown user" in line.lower():
            if match := re.search(r",<s(\d+)>\)", line):
                found.add(int(match.group(1)))
    return found


async def run(scenario):
    with tempfile.TemporaryDirectory(prefix="saslatch-peer-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        accounts = {**scenario["accounts"], "somebody": "else"}
        (folder / "users").write_text(
            "".join(f"{user}:{{PLAIN}}{password}\n" for user, password in accounts.items()))
        (folder / "users").chmod(0o644)
        server = compare.Dovecot(None, folder, "dovecot")
        make = server.command
        def verbose():
            command = make()
            with open(folder / "dovecot.conf", "a") as config:
                config.write("auth_verbose = yes\nservice auth {\n  client_limit = 5000\n}\n"
                             "service anvil {\n  client_limit = 5000\n}\n")
            return command
        server.command = verbose
        with server:
            answers = await play(str(server.socket), scenario["logins"])
            await asyncio.sleep(3)  # what was cancelled is still verified, if at all
        verified = verified_numbers((folder / "dovecot.log").read_text(errors="replace"))
    result = {"scenario": scenario["scenario"], "guesses": 0, "let_through": 0, "owners": 0,
              "owners_refused": 0, "answers": collections.Counter()}
    for number, login in enumerate(scenario["logins"], start=1):
        result["answers"][f"{login['who']}: {answers[number]}"] += 1
        if login["who"] == "attacker":
            result["guesses"] += 1
            result["let_through"] += number in verified
        elif login["who"] == "owner":
            result["owners"] += 1
            result["owners_refused"] += answers[number] != "OK"
    print(f"{scenario['scenario']}: {dict(result['answers'])}", file=sys.stderr, flush=True)
    return result


async def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/dev"))
    parser.add_argument("--longest", type=float, default=3600)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    lines = subprocess.run([options.build / "bin/policy_scenarios_table", "--logins"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    scenarios = [json.loads(line) for line in lines]
    scenarios = [s for s in scenarios if options.only in s["scenario"]]
    played = [s for s in scenarios if s["seconds"] <= options.longest]
    results = {r["scenario"]: r for r in await asyncio.gather(*(run(s) for s in played))}
    print("| scenario | guesses | Dovecot as shipped |\n| --- | --- | --- |")
    for scenario in scenarios:
        name = scenario["scenario"]
        result = results.get(name)
        if result is None:
            print(f"| {name} | | not played: lasts {scenario['seconds'] / 3600:.0f} h |")
            continue
        parts = []
        if result["guesses"]:
            parts.append(f"{result['let_through']} through")
        if result["owners"]:
            parts.append(f"{result['owners_refused']} of {result['owners']} owners refused")
        print(f"| {name} | {result['guesses']} | {', '.join(parts)} |")
    if options.json:
        options.json.write_text(json.dumps(list(results.values()), indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
