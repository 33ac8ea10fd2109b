"""Only the extensions; everything else is in pyproject.toml. Without a compiler the readable plane is used instead, and
there is no load test."""

import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

WITHOUT = {
    "sfu.plane.compiled._plane": "the slow plane will be used",
    "sfu.core.estimation.compiled._loops": "NumPy will do its work",
    "loadtest.traffic.compiled._engine": "there will be no load test",
}


class BuildIfPossible(build_ext):
    """setuptools' own handling of optional extensions misses compilers that cannot even be started."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except Exception as failure:
            print(f"!!! {ext.name} is left out: {WITHOUT[ext.name]}: {failure}", file=sys.stderr)


def compiled(module: str) -> Extension:
    return Extension(
        module,
        [module.replace(".", "/") + ".pyx"],
        define_macros=[("Py_LIMITED_API", "0x030B0000"), ("_GNU_SOURCE", "1")],
        # No fused multiply-add: timestamps are to be those of the twin on every processor. No symbols: they would be
        # nine tenths of the file.
        extra_compile_args=["-O3", "-g0", "-ffp-contract=off", "-Wno-unused-function"],
        libraries=["pthread"],
        py_limited_api=True,
        optional=True,
    )


extensions = []
if sys.platform == "linux":  # recvmmsg, sendmmsg, eventfd, GSO
    from Cython.Build import cythonize

    extensions = cythonize(
        [
            compiled("sfu.plane.compiled._plane"),
            compiled("sfu.core.estimation.compiled._loops"),
            compiled("loadtest.traffic.compiled._engine"),
        ],
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True},
    )

setup(
    ext_modules=extensions,
    cmdclass={"build_ext": BuildIfPossible},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if extensions else {},
)
