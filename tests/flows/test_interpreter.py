"""How a process of ours is set, and how it ends."""

import subprocess
import sys

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
