"""`make sim MUTANTS=1`: plant each bug, and print which life of the simulator found it, by what.

Exit 1 where one lives through all of the seeds, or where a seed that finds one finds something without it too.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.sim.mutants.hunt import Catch, hunt_named
from tests.sim.mutants.planted import MOST_SEEDS, mutants


def main() -> int:
    """Hunt them all, on every core; 1 where one was not caught."""
    parser = argparse.ArgumentParser(prog="make sim MUTANTS=1")
    parser.add_argument("--only", default="", help="planted bugs whose name holds this")
    parser.add_argument("--most", type=int, default=MOST_SEEDS, help="how many lives each may take")
    parser.add_argument("--others", action="store_true", help="print what else was found on the way")
    wanted = parser.parse_args()
    names = [name for name in mutants() if wanted.only in name]
    began, missed = time.perf_counter(), 0
    print("| planted bug | incident class | caught at seed | lives | by |\n|---|---|---:|---:|---|")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as cores:
        for name, catch in zip(names, cores.map(hunt_named, names, [wanted.most] * len(names)), strict=True):
            missed += not catch.seed
            print(_row(name, catch), flush=True)
            for other in catch.others if wanted.others else ():
                print(f"    also {other}")
    print(f"\n{len(names) - missed} of {len(names)} planted bugs caught in {time.perf_counter() - began:.0f} s")
    return 1 if missed else 0


def _row(name: str, catch: Catch) -> str:
    by = catch.finding.replace("|", "/").split("\n")[0][:160] or "nothing"
    return f"| {name} | {mutants()[name].incident} | {catch.seed or 'NONE'} | {catch.lives} | {by} |"


if __name__ == "__main__":
    sys.exit(main())
