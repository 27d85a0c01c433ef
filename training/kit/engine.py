"""The engine in this process: models run on arrays, through the C library that `fovea` itself uses (core/include/fovea/plan.h)."""
import ctypes
import os
import pathlib

import numpy as np

from . import protobuf

MAX_RANK, MESSAGE = 8, 512
DTYPES = {1: ctypes.c_float, 11: ctypes.c_int64}  # of fovea/tensor.h, those that detectors put out


class Tensor(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("rank", ctypes.c_int), ("dims", ctypes.c_int64 * MAX_RANK), ("strides", ctypes.c_int64 * MAX_RANK), ("data", ctypes.c_void_p)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * MESSAGE)]


class PlanParams(ctypes.Structure):
    _fields_ = [("device", ctypes.c_char_p), ("threads", ctypes.c_int), ("flags", ctypes.c_uint), ("constants", ctypes.c_void_p), ("constant_count", ctypes.c_int), ("precision", ctypes.c_int)]


def library():
    """$FOVEA_LIBRARY, the build tree beside this kit, or the installed one."""
    built = pathlib.Path(__file__).resolve().parents[2] / "build/core/libfovea.so.0"
    path = os.environ.get("FOVEA_LIBRARY") or (str(built) if built.exists() else "libfovea.so.0")
    try:
        loaded = ctypes.CDLL(path)
    except OSError as error:
        raise SystemExit(f"the engine's library is not there ({error}): build it (ninja -C build), or set FOVEA_LIBRARY to where it is") from None
    for name in ("fv_session_input", "fv_session_output"):
        getattr(loaded, name).restype = ctypes.POINTER(Tensor)
    for name in ("fv_session_input_name", "fv_session_output_name"):
        getattr(loaded, name).restype = ctypes.c_char_p
    return loaded


class Engine:
    """A model on the CPU, one thread; one caller at a time."""

    def __init__(self, path, outputs=()):
        """outputs: values of an ONNX graph that are given out besides its own outputs, behind them."""
        self.library, self.error = library(), Error()
        model, plan, self.session = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        path = pathlib.Path(path)
        if outputs:
            data = path.read_bytes() + protobuf.outputs(outputs)
            self._check(self.library.fv_model_open_memory(data, ctypes.c_size_t(len(data)), str(path).encode(), None, ctypes.byref(model), ctypes.byref(self.error)))
        else:
            self._check(self.library.fv_model_open(str(path).encode(), None, ctypes.byref(model), ctypes.byref(self.error)))
        self._check(self.library.fv_plan_create(model, ctypes.byref(PlanParams(device=b"cpu", threads=1)), ctypes.byref(plan), ctypes.byref(self.error)))
        self._check(self.library.fv_session_create(plan, ctypes.byref(self.session), ctypes.byref(self.error)))
        self.library.fv_plan_destroy(ctypes.byref(plan))
        self.library.fv_model_destroy(ctypes.byref(model))
        self.names = [self.library.fv_session_output_name(self.session, n).decode() for n in range(self.library.fv_session_output_count(self.session))]
        self.input = self._view(self.library.fv_session_input(self.session, 0))

    def __del__(self):
        if getattr(self, "session", None):
            self.library.fv_session_destroy(ctypes.byref(self.session))

    def _check(self, code):
        if code < 0:
            raise SystemExit(self.error.message.decode(errors="replace"))

    @staticmethod
    def _view(pointer):
        """The engine's own memory as an array of the logical shape."""
        tensor = pointer.contents
        kind = np.dtype(DTYPES[tensor.dtype])
        shape, steps = tensor.dims[: tensor.rank], [step * kind.itemsize for step in tensor.strides[: tensor.rank]]
        extent = kind.itemsize + sum((n - 1) * step for n, step in zip(shape, steps))
        memory = (ctypes.c_byte * extent).from_address(tensor.data)
        return np.ndarray(shape, kind, memory, strides=steps)

    def __call__(self, value):
        """Input 0, [1, C, H, W] -> outputs in their order, views that hold until the next call."""
        self.input[...] = value
        self._check(self.library.fv_session_run(self.session, ctypes.byref(self.error)))
        return [self._view(self.library.fv_session_output(self.session, n)) for n in range(len(self.names))]
