import lit.formats

config.name = "suite-unit"
config.test_format = lit.formats.GoogleTest(".", "Tests")
