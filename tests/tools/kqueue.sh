#!/bin/sh
# kqueue.sh <source> <compiler>: what is for kqueue compiles, against a header of the tests where the
# system has none.
set -eu
source=$1
compiler=$2

for file in poller/kqueue.c poller/poller.c base/sys.c base/sys_wait.c loop/backend.c; do
    "$compiler" -std=c17 -D_GNU_SOURCE -DEDDY_HAVE_KQUEUE=1 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -I "$source/tests/poller/bsd" -I "$source/src" -I "$source/include" \
        -fsyntax-only "$source/src/$file"
done
echo "kqueue: compiles"
