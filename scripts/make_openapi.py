"""Write docs/openapi.json, the description of the HTTP API that is committed and compared.

    python -m scripts.make_openapi [--check] [FILE]

With ``--check`` nothing is written; the exit status is 1 when the file is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from backend.api.app import create_api
from backend.api.services import Services

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def text() -> str:
    """Return the description as JSON: members sorted, so that a change shows as itself and nothing else."""
    # Routes take the services at each request, so describing them needs none.
    app = create_api(cast(Services, None))
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the description of the HTTP API.")
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    path: Path = options.file
    described = text()
    if path.exists() and path.read_text(encoding="utf-8") == described:
        print("nothing to change")
        return 0
    print(f"{path.name} is not what the code says" if options.check else f"{path.name} written")
    if options.check:
        return 1
    path.write_text(described, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
