# One test of each kind of result.
import lit.formats

config.name = "suite"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".test"]
config.excludes = ["unit"]
