"""A user's own Python: a module that their image can import, or a file whose digest they vouch for."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from sluice import digest, storage
from sluice.config.base import Strict
from sluice.errors import SluiceError, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType, TracebackType

OURS = str(Path(__file__).parent)
NO_DIGEST = "code from a file needs its sha256: read the file, and give what `sha256sum` says of it"
TWO_VOUCHERS = "a digest goes with a file; a module that is imported by name is vouched for by the image"


class Code(Strict):
    """A user's own module; a plain text in sluice.yaml is its name.

    Attributes:
        module: a name that the component's image can import (``my_package.features``), or the path or URI of a
            ``.py`` file; empty: none.
        sha256: digest of the file, which must have one.
    """

    module: str = ""
    sha256: str = Field(default="", pattern=r"^((sha256:)?[0-9a-f]{64})?$")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return {"module": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _vouched(self) -> Self:
        if self.is_file and not self.sha256:
            raise ValueError(NO_DIGEST)
        if self.sha256 and not self.is_file:
            raise ValueError(TWO_VOUCHERS)
        return self

    @property
    def is_file(self) -> bool:
        """Whether it is a file, not a name."""
        return is_file(self.module)


class UserCodeError(SluiceError):
    """The user's own code raised: ``__cause__`` is what it raised, with the frames of that code and of what it called."""


class _Checked(importlib.abc.ExecutionLoader):
    """Loads a module from bytes that were checked already: they are not read a second time."""

    def __init__(self, uri: str, content: bytes) -> None:
        self._uri, self._content = uri, content

    def get_filename(self, fullname: str) -> str:
        return self._uri

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._content)


def is_file(module: str) -> bool:
    """Whether it names a file or URI (it has a slash or ends in ``.py``), not an importable module."""
    return "/" in module or module.endswith(".py")


def load(module: str, sha256: str = "") -> ModuleType:
    """A user's module.

    Args:
        module: importable name, or path or URI of a ``.py`` file.
        sha256: digest of the file; the bytes that are run are those that were checked.

    Raises:
        SluiceError: there is no such module or file, a file has no digest or another one.
        UserCodeError: the module raised while it was imported.

    Example:
        >>> make = function(load("gs://bucket/model.py", "sha256:5d41..."), "build")
    """
    return _from_file(module, sha256) if is_file(module) else _by_name(module, sha256)


def function(module: ModuleType, name: str) -> Callable[..., Any]:
    """A function of a user's module; what it raises comes as UserCodeError.

    Raises:
        SluiceError: the module has no such function.
    """
    found = getattr(module, name, None)
    if not callable(found):
        raise SluiceError(f"the module has no function {name!r}", where=module.__name__, remedy=f"define {name}(...)")

    @functools.wraps(found)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return found(*args, **kwargs)
        except (Exception, SystemExit) as error:  # one that leaves the process would leave a step green, and no model
            raise _failed(error, f"{_place(module)}: {name}") from error

    return call


@contextlib.contextmanager
def blamed(module: ModuleType) -> Iterator[None]:
    """What a user's module raises inside, whoever calls it (a layer in the middle of training), comes as UserCodeError.

    Raises:
        UserCodeError: an error came through frames of the module, or of the package that it is part of.
    """
    package = sys.modules.get(module.__name__.partition(".")[0], module)
    root = str(Path(_place(package)).parent) if hasattr(package, "__path__") else _place(module)
    try:
        yield
    except UserCodeError:
        raise
    except (Exception, SystemExit) as error:
        raised = error.__cause__ if isinstance(error, SluiceError) else error
        trace = raised.__traceback__ if raised else None
        while trace and not trace.tb_frame.f_code.co_filename.startswith(root):
            trace = trace.tb_next
        if raised is None or trace is None:
            raise
        raise _failed(raised.with_traceback(trace), _place(module)) from raised


def _by_name(name: str, sha256: str) -> ModuleType:
    if sha256:
        raise SluiceError(TWO_VOUCHERS, where=name, remedy="leave sha256 out, or give the file")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(error, name) from error  # the module is there; something that it imports is not
        raise SluiceError(f"there is no module {name!r} here", where=name,
                          remedy="install it in the component's image, or give a file with its sha256") from None  # fmt: skip
    except (Exception, SystemExit) as error:
        raise _failed(error, name) from error


def _from_file(uri: str, sha256: str) -> ModuleType:
    if not sha256:
        raise SluiceError(NO_DIGEST, where=uri)
    content = _read(uri)
    found = digest.of_bytes(content)
    if found.removeprefix("sha256:") != sha256.removeprefix("sha256:"):
        raise SluiceError(f"the file's digest is {found}, and not {sha256}: its code was not run", where=uri,
                          remedy="read what changed, then give the new digest, or put the old file back")  # fmt: skip
    name = f"{Path(uri).stem}_{found[7:19]}"  # a module of its own: another file may have the same name
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_loader(name, _Checked(uri, content))
    if spec is None or spec.loader is None:
        raise SluiceError("not a Python module", where=uri)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _failed(error, uri) from error
    return module


def _read(uri: str) -> bytes:
    from obstore.exceptions import BaseError

    folder, _, file = uri.rpartition("/")
    try:
        return storage.local_path(uri).read_bytes() if storage.is_local(uri) else storage.Store.at(folder).get(file)
    except FileNotFoundError:
        raise SluiceError("no such file", where=uri, remedy="give the path or URI of a Python file") from None
    except (OSError, BaseError) as error:
        raise SluiceError(f"the file cannot be read: {first_line(error)}", where=uri,
                          remedy="check the address, and what the step may read") from error  # fmt: skip


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__


def _failed(error: BaseException, where: str) -> UserCodeError:
    error.__traceback__ = _theirs(error.__traceback__)
    return UserCodeError(f"your code raised {type(error).__name__}: {first_line(error)}", where=where, remedy="its traceback stands above")  # fmt: skip


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame that is neither ours nor the import system's."""
    while trace and trace.tb_frame.f_code.co_filename.startswith((OURS, "<frozen importlib")):
        trace = trace.tb_next
    return trace
