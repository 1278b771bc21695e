# Runs every GoogleTest program that moec_unit_test() declared.
import os

import lit.formats

config.name = "moec-unit"
config.suffixes = []
config.test_source_root = os.path.join(config.moec_build_dir, "unit")
config.test_exec_root = config.test_source_root
config.test_format = lit.formats.GoogleTest(".", "Tests")
config.environment["MOEC_SOURCE_DIR"] = config.moec_source_dir
config.environment["MOEC_BUILD_DIR"] = config.moec_build_dir
if config.moec_sanitize:
    config.environment["ASAN_OPTIONS"] = "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0"
