"""The image's entry point: AWS's runtime client around the handler that is named as the command."""

import os
import sys

sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", "/var/task"))

from awslambdaric.__main__ import main

if __name__ == "__main__":
    main(["awslambdaric", *(sys.argv[1:] or ["lambdamagic.worker.handler.handler"])])
