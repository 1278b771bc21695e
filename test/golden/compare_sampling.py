"""compare_sampling.py <bundle> <bundle that chooses tokens itself>: both generate the same."""
import subprocess
import sys

PROMPTS = ["3,1,4,1,5", "9", "7,7,7,7,7,7,7,7", ",".join(str(i * 37 % 2000) for i in range(100))]
WAYS = [
    [],
    ["--temperature", "0.6"],
    ["--temperature", "1.5", "--seed", "7"],
    ["--temperature", "1", "--top-k", "40", "--seed", "3"],
    ["--temperature", "0.6", "--top-p", "0.95", "--seed", "11"],
    ["--temperature", "3", "--top-k", "500", "--top-p", "0.8"],
]


def generate(bundle, prompt, way):
    command = ["moec-run", "generate", bundle, "--tokens", prompt, "--max-new-tokens", "40", "--ignore-eos"]
    done = subprocess.run(command + way, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


host, device = sys.argv[1:3]
texts = set()
for way in WAYS:
    for prompt in PROMPTS:
        expected, got = generate(host, prompt, way), generate(device, prompt, way)
        texts.add(expected)
        if expected != got:
            sys.exit(f"{way}, {prompt}:\n{expected}{got}")
if len(texts) < len(WAYS) * 2:
    sys.exit("the ways to choose make no difference")
print(f"{len(WAYS)} ways to choose, {len(PROMPTS)} prompts: the same tokens")
