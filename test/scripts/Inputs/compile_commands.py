"""compile_commands.py ROOT NAME...: what a build of ROOT/runtime/NAME.cpp leaves for clang-tidy, in the form that CMake writes."""
import json
import os
import sys

root, names = os.path.realpath(sys.argv[1]), sys.argv[2:]
commands = []
for name in names:
    file = f"{root}/runtime/{name}.cpp"
    commands.append({"directory": root, "command": f"clang++ -I{root} -c {file}", "file": file})
with open(f"{root}/build/release/compile_commands.json", "w") as out:
    json.dump(commands, out, indent=2)
