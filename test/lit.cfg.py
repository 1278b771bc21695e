# One runner for everything: lit tests here, GoogleTest programs through
# test/unit/lit.cfg.py.
import os
import shutil

import lit.formats

config.name = "moec"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.moec_build_dir, "test")

config.environment["PATH"] = os.pathsep.join(
    [config.moec_build_dir + "/bin", config.llvm_bin_dir, os.environ["PATH"]]
)
config.substitutions.append(("%python", config.python))
config.substitutions.append(("%source_root", config.moec_source_dir))
config.substitutions.append(("%build_root", config.moec_build_dir))
config.substitutions.append(("%tiny_r1", config.moec_source_dir + "/models/tiny-r1"))
config.substitutions.append(("%goldens", config.moec_source_dir + "/test/golden/Inputs"))

if shutil.which("ptxas", path=config.environment["PATH"]):
    config.available_features.add("ptxas")
if os.access(config.llvm_bin_dir + "/clang-format", os.X_OK):
    config.available_features.add("clang-format-22")
if os.access(config.llvm_bin_dir + "/clang-tidy", os.X_OK):
    config.available_features.add("clang-tidy-22")
if config.moec_sanitize:
    config.available_features.add("sanitizer")
    # libMLIR is not instrumented: containers and bump allocators that cross its border would be
    # misjudged.
    config.environment["ASAN_OPTIONS"] = "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0"
    config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
