"""Answers like a GoogleTest program with a case that passes and one that skips itself."""
import json
import os
import sys

if "--gtest_list_tests" in sys.argv:
    print("Fake.\n  Passes\n  Skips")
else:
    cases = [{"name": name, "result": result, "time": "0s"} for name, result in (("Passes", "COMPLETED"), ("Skips", "SKIPPED"))]
    share = cases[int(os.environ["GTEST_SHARD_INDEX"])::int(os.environ["GTEST_TOTAL_SHARDS"])]
    with open(os.environ["GTEST_OUTPUT"].removeprefix("json:"), "w") as file:
        json.dump({"testsuites": [{"name": "Fake", "testsuite": share}]}, file)
