"""Holds the borders of docs/architecture.md: who may include whom, and where
names of chips and model families may occur."""
import pathlib
import re
import sys

# Folder -> folders whose headers it may include (besides its own and the system's).
ALLOWED = {
    "runtime": set(),
    "dialects": set(),
    "frontend": {"dialects"},
    "models": {"frontend", "dialects"},
    "passes": {"dialects"},
    # codegen/tools sees everything; the rest of codegen the schema and the checkpoint reader.
    "codegen": {"dialects", "passes", "runtime/bundle", "frontend"},
    "codegen/tools": {"dialects", "passes", "runtime/bundle", "frontend", "models", "codegen"},
    "frontend/tools": {"dialects", "models", "frontend"},
}
FOLDERS = ["runtime", "dialects", "frontend", "models", "passes", "codegen"]
# "llama3" is also the published name of a rope scaling.
FAMILIES = re.compile(r"deepseek|qwen|mixtral|kimi|llama(?!3)", re.IGNORECASE)
CHIPS = re.compile(r"\bsm_\d+|\bgfx\d+")
CHIP_FOLDERS = ("codegen/target", "codegen/kernels", "codegen/tools", "runtime/device")


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cpp", ".td", ".fbs"):
                yield folder, path, path.relative_to(root).as_posix()


def strip_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def check(root):
    for folder, path, name in sources(root):
        owner = folder
        for key in ALLOWED:
            if name.startswith(key + "/") and len(key) > len(owner):
                owner = key
        text = path.read_text()
        for line, content in enumerate(text.splitlines(), 1):
            included = re.match(r'\s*#?include\s+[<"]([^>"]+)[>"]', content)
            if not included:
                continue
            target = included.group(1)
            top = target.split("/")[0]
            if top in FOLDERS and top != folder:
                if not any(target.startswith(ok + "/") for ok in ALLOWED[owner]):
                    yield f"{name}:{line}: {owner}/ may not include {target}"
            if folder == "runtime" and top in ("mlir", "llvm", "clang", "lld"):
                yield f"{name}:{line}: runtime/ may not include {target}"
        code = strip_comments(text)
        is_code = path.suffix in (".h", ".cpp")
        if is_code and folder != "models" and (found := FAMILIES.search(code)):
            yield f"{name}: names the model family '{found.group(0)}' outside models/"
        if is_code and not name.startswith(CHIP_FOLDERS) and (found := CHIPS.search(code)):
            yield f"{name}: names the chip '{found.group(0)}' outside codegen/target"


errors = list(check(pathlib.Path(sys.argv[1])))
print("\n".join(errors))
sys.exit(1 if errors else 0)
