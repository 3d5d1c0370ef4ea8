"""Make an image small, and prove that what is left works. Standard library only: it runs in the image's own interpreter.

    slim.py reduce image.toml    remove what nothing reads, strip the libraries
    slim.py compile image.toml   use what is listed, and compile to bytecode just what that has imported
    slim.py test image.toml      run the unit tests listed, where the checkout is the current folder

`image.toml` holds ``remove`` (globs below site-packages), ``uses`` (``module:attribute``: an import alone proves little,
as some packages import hollow when a part is missing), and ``tests``.
"""

import compileall
import importlib
import operator
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

PACKAGES = Path(sysconfig.get_path("purelib"))
LIBRARY = Path("/opt/library")
UNREAD = [
    "**/tests", "**/include", "**/*.a", "**/*.h", "**/*.hpp", "**/*.c", "**/*.cc", "**/*.cpp",
    "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.pyi",
]  # fmt: skip
"""What no program reads at run time, in any package: tests, headers, sources of extensions, stubs."""


def reduce(image: dict[str, Any]) -> None:
    """Remove what nothing reads, and the symbols that no linker will ask for."""
    for pattern in UNREAD + image.get("remove", []):
        found = list(PACKAGES.glob(pattern))
        if not found and pattern not in UNREAD:
            sys.exit(f"slim: nothing to remove at {pattern}: take it out of image.toml")
        for path in found:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    for library in PACKAGES.rglob("*.so*"):
        if library.is_file() and not library.is_symlink():
            subprocess.run(["strip", "--strip-unneeded", library], check=True)
    (PACKAGES / "sluice.pth").write_text(f"{LIBRARY}\n")  # a layer of its own: a release moves no dependencies


def compile_used(image: dict[str, Any]) -> None:
    """Use every attribute listed, then compile the modules that were imported for it."""
    os.environ["_KFP_RUNTIME"] = "true"  # as every step has it: KFP without what KFP depends on
    for use in image["uses"]:
        module, _, attribute = use.partition(":")
        operator.attrgetter(attribute)(importlib.import_module(module))
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    loaded = [Path(file) for file in files if file and file.endswith(".py") and Path(file).is_relative_to(PACKAGES)]
    # Bytecode is tied to its source by hash and not looked at again: layers keep no finer time than a second.
    for file in loaded:
        compileall.compile_file(file, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    print(f"slim: {len(image['uses'])} uses, {len(loaded)} modules compiled")


def test(image: dict[str, Any]) -> None:
    """Run the unit tests of the image."""
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *image["tests"]], check=False).returncode)


if __name__ == "__main__":
    command, file = sys.argv[1:]
    {"reduce": reduce, "compile": compile_used, "test": test}[command](tomllib.loads(Path(file).read_text()))
