"""cfn-lint with our own rules: python -m infra.lint template.yaml"""

import sys
from pathlib import Path

from cfnlint.runner import main

if __name__ == "__main__":
    sys.argv[1:1] = ["--append-rules", str(Path(__file__).parent), "--template"]
    main()
