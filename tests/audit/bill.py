"""`python -m tests.audit.bill FILE…`: whether bills of materials are valid CycloneDX; exit code 1 when one is not."""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main() -> int:
    """Validate each file against the schema of the version that it states."""
    faults = 0
    for file in map(Path, sys.argv[1:]):
        text = file.read_text()
        bill = json.loads(text)
        version = SchemaVersion.from_version(bill["specVersion"])
        fault = JsonStrictValidator(version).validate_str(text)
        components, product = len(bill["components"]), bill["metadata"]["component"]
        name = f"{product['name']} {product.get('version', 'without a version')}"
        print(f"{file}: {f'not valid: {fault}' if fault else f'{name}, {components} components'}")
        faults += fault is not None or not components or "version" not in product
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
