"""A sequence of steps that do nothing, in another orchestrator. Prints milliseconds a step.

python bench/peers/orchestration.py prefect|metaflow|dagster STEPS

Each keeps what happened on disk, as it does by default, and passes each step's result to the next.
"""

import os
import subprocess
import sys
import tempfile
import time


def prefect(steps: int) -> float:
    """A flow in this process, with the server that Prefect starts for it, on SQLite."""
    from prefect import flow, task

    @task(persist_result=True)
    def noop(after: int) -> int:
        return after + 1

    @flow
    def sequence(count: int) -> int:
        number = 0
        for _ in range(count):
            number = noop(number)
        return number

    sequence(1)  # starts the server
    start = time.perf_counter()
    assert sequence(steps) == steps
    return time.perf_counter() - start


def metaflow(steps: int) -> float:
    """`python flow.py run`: each step is a process of its own."""
    lines = ["from metaflow import FlowSpec, step", "class Sequence(FlowSpec):"]
    names = ["start", *(f"s{number}" for number in range(1, steps - 1)), "end"]
    for name, following in zip(names, [*names[1:], None]):
        value = "0" if name == "start" else "self.number + 1"
        go_on = f"self.next(self.{following})" if following else "pass"
        lines += ["    @step", f"    def {name}(self):", f"        self.number = {value}", f"        {go_on}"]
    lines += ["if __name__ == '__main__':", "    Sequence()"]
    with open("flow.py", "w") as file:
        file.write("\n".join(lines))
    start = time.perf_counter()
    subprocess.run([sys.executable, "flow.py", "--quiet", "run"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def dagster(steps: int) -> float:
    """A job with the multiprocess executor, its default."""
    names = [f"s{number}" for number in range(steps)]
    lines = ["from dagster import job, op", "@op", "def first() -> int:", "    return 1"]
    lines += ["@op", "def following(after: int) -> int:", "    return after + 1", "@job", "def sequence():"]
    lines += [f"    {names[0]} = first()"]
    for before, name in zip(names, names[1:]):
        lines += [f"    {name} = following.alias('{name}')({before})"]
    with open("dagster_sequence.py", "w") as file:
        file.write("\n".join(lines))
    sys.path.insert(0, os.getcwd())
    from dagster import DagsterInstance, execute_job, reconstructable
    import dagster_sequence

    with DagsterInstance.local_temp(os.getcwd()) as instance:
        start = time.perf_counter()
        assert execute_job(reconstructable(dagster_sequence.sequence), instance).success
        return time.perf_counter() - start


PEERS = {"prefect": prefect, "metaflow": metaflow, "dagster": dagster}

if __name__ == "__main__":
    peer, count = PEERS[sys.argv[1]], int(sys.argv[2])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ.update(HOME=home, USER="bench", PREFECT_HOME=home, DAGSTER_HOME=home)
        os.environ.update(PREFECT_LOGGING_LEVEL="ERROR", DO_NOT_TRACK="1", DAGSTER_DISABLE_TELEMETRY="1")
        os.environ.update(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120")
        os.chdir(home)
        print(f"\nms a step: {1000 * peer(count) / count:.1f}")
