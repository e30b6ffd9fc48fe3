"""How a process of ours is set, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.interpreter import choose_sorting

SORTS = "NPY_DISABLE_CPU_FEATURES"
CODE = """
import atexit, gc
atexit.register(lambda: print("frozen", gc.get_freeze_count() > 0))
from flows.interpreter import prepare
prepare()
atexit.register(lambda: print("others", gc.get_freeze_count()))
import pydantic.plugin._loader
print("plugins", list(pydantic.plugin._loader.get_plugins()))
"""


def test_a_process_that_ends_looks_for_no_garbage_once_all_others_have_tidied_up():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == ["plugins []", "others 0", "frozen True"]


def cpu(maker: str, family: int) -> str:
    return f"processor\t: 0\nvendor_id\t: {maker}\ncpu family\t: {family}\nmodel\t\t: 17\n"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (cpu("AuthenticAMD", 25), "X86_V4 AVX512_ICL AVX512_SPR"),
        (cpu("AuthenticAMD", 26), None),
        (cpu("GenuineIntel", 25), None),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", None),  # of other kinds of processors Linux says other things
    ],
)
def test_numpy_sorts_without_avx512_where_a_processor_stores_compressed_numbers_by_microcode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, expected: str | None
):
    monkeypatch.setenv(SORTS, "")  # what it is set to below ends with the test
    monkeypatch.delenv(SORTS)
    cpus = tmp_path / "cpuinfo"
    cpus.write_text(told)
    choose_sorting(cpus)
    assert os.environ.get(SORTS) == expected


def test_how_numpy_sorts_is_left_to_who_has_chosen_and_to_systems_that_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(SORTS, "AVX512_SPR")
    cpus = tmp_path / "cpuinfo"
    choose_sorting(cpus)
    cpus.write_text(cpu("AuthenticAMD", 25))
    choose_sorting(cpus)
    assert os.environ[SORTS] == "AVX512_SPR"


def test_how_numpy_sorts_is_chosen_with_our_first_module_and_before_numpy_is_loaded(tmp_path: Path):
    cpus = tmp_path / "cpuinfo"
    cpus.write_text(cpu("AuthenticAMD", 25))
    code = f"""
import os, pathlib, sys
opened = pathlib.Path.open
pathlib.Path.open = lambda self, *a, **k: opened(
    pathlib.Path({str(cpus)!r}) if str(self) == "/proc/cpuinfo" else self, *a, **k
)
import flows
print(os.environ[{SORTS!r}], 'numpy' in sys.modules)
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NPY_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    assert done.stdout == "X86_V4 AVX512_ICL AVX512_SPR False\n"


def test_numpy_is_left_to_who_says_what_it_is_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SORTS, "")
    monkeypatch.delenv(SORTS)
    monkeypatch.setenv("NPY_ENABLE_CPU_FEATURES", "X86_V3")
    cpus = tmp_path / "cpuinfo"
    cpus.write_text(cpu("AuthenticAMD", 25))
    choose_sorting(cpus)
    assert SORTS not in os.environ
