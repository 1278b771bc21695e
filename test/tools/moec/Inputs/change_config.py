"""change_config.py <config.json> <key>=<integer>...: prints it with other values."""
import json
import sys

config = json.load(open(sys.argv[1]))
for change in sys.argv[2:]:
    key, value = change.split("=")
    if key not in config:
        sys.exit(f"{sys.argv[1]} has no {key}")
    config[key] = int(value)
json.dump(config, sys.stdout, indent=1)
