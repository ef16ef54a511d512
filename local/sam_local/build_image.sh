#!/bin/bash
# Build a stand-in for public.ecr.aws/lambda/python:3.13-x86_64, for a machine that cannot pull it (Debian 12, as root,
# with debootstrap). It holds the parts of Lambda's image that `sam local invoke` uses, where Lambda has them:
# Python in /var/lang, the runtime interface client in /var/runtime, and a bootstrap. sam adds the runtime emulator.
#
#   local/sam_local/build_image.sh [PREFIX]     PREFIX: a CPython 3.13 with pip, default the newest that pyenv has
set -euo pipefail

prefix=${1:-$(ls -d "$HOME"/.pyenv/versions/3.13.* | sort -V | tail -1)}
image=public.ecr.aws/lambda/python:3.13-x86_64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The libraries that CPython's own modules are linked with.
debootstrap --variant=minbase --include=ca-certificates,libbz2-1.0,libffi8,liblzma5,libsqlite3-0,libssl3,zlib1g \
  bookworm "$work/root"
mkdir -p "$work/root/var/runtime" "$work/root/var/task"
cp -a "$prefix" "$work/root/var/lang"
"$prefix/bin/python3.13" -m pip install -q --disable-pip-version-check --target "$work/root/var/runtime" awslambdaric==4.2.2

cat > "$work/root/var/runtime/bootstrap" <<'BOOTSTRAP'
#!/bin/bash
export LD_LIBRARY_PATH=/var/lang/lib AWS_EXECUTION_ENV=AWS_Lambda_python3.13
exec /var/lang/bin/python3.13 /var/runtime/bootstrap.py
BOOTSTRAP
cat > "$work/root/var/runtime/bootstrap.py" <<'BOOTSTRAP'
import os
import sys

sys.path[:1] = ["/var/task", "/opt/python"]
sys.path.append("/var/runtime")

from awslambdaric.__main__ import main

main(["bootstrap", os.environ["_HANDLER"]])
BOOTSTRAP
chmod 755 "$work/root/var/runtime/bootstrap"

tar -C "$work/root" -c . | docker import --platform linux/amd64 \
  --change 'ENV PATH=/var/lang/bin:/usr/bin:/bin LD_LIBRARY_PATH=/var/lang/lib:/opt/lib LAMBDA_TASK_ROOT=/var/task' \
  --change 'WORKDIR /var/task' - "$image"
