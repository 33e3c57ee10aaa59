#!/bin/sh
# A census build reports how deep stacks were used, by where tasks were spawned, the deepest first;
# other builds refuse. Arguments: the source folder, the C compiler.
set -eu
source=$1
failures=0

fail() {
    echo "$1"
    failures=1
}

rm -rf census
CC=$2 cmake -S "$source" -B census -G Ninja -DCMAKE_BUILD_TYPE=Debug -DBUILD_TESTING=OFF \
    -DEDDY_ROOMS="base;poller;loop;task" -DEDDY_CENSUS=ON >out 2>&1 &&
    cmake --build census --target eddy-static -j 2 >>out 2>&1 || {
    cat out
    exit 1
}

cat >census.c <<'C'
#include <eddy/task.h>

#include <string.h>

struct use_args {
    size_t bytes;
};

static int use(struct use_args *a)
{
    volatile char room[a->bytes];

    memset((char *)room, 1, sizeof room);
    return eddy_sleep(1) + room[0] - 1;
}
EDDY_TASK(use);

int main(int argc, char **argv)
{
    EDDY_SCOPE(s, .timeout_ms = 0);
    for (int i = 0; i < 7; i++)
        EDDY_GO(&s, use, .bytes = 20000); /* shallow */
    EDDY_GO(&s, use, .bytes = 100000); /* deep */
    EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 1 << 20), use, .bytes = 500000); /* deepest */
    int r = eddy_join(&s);
    EDDY_GO(&s, use, .bytes = 10); /* after a deep one, on the same stack */
    r = r ? r : eddy_join(&s);
    if (r == 0 && argc > 1)
        r = eddy_census_report(1) < 0;
    return r;
}
C
libraries="census/lib/libeddy.a $(pkg-config --silence-errors --libs liburing || true) -lpthread"
# shellcheck disable=SC2086 # several words
"$2" -D_GNU_SOURCE -O1 -I"$source/include" census.c -o census-test $libraries

line_of() {
    grep -n "$1" census.c | head -n 1 | cut -d: -f1
}

# a line of the report: WHERE AT-LEAST AT-MOST OF TASKS
expect() {
    line=$(grep "census.c:$1 use\$" report) || {
        fail "nothing about line $1"
        return
    }
    # shellcheck disable=SC2086 # into words
    set -- $line "$@"
    [ "$1" -ge "$7" ] && [ "$1" -le "$8" ] && [ "$2" -eq "$9" ] && [ "$3" -eq "${10}" ] ||
        fail "wanted $7 to $8 bytes of $9, ${10} tasks; got: $line"
}

./census-test yes >report 2>quiet || fail "it failed"
[ -s quiet ] && fail "it reports without being asked"
expect "$(line_of '/\* shallow')" 20000 25000 245760 7
expect "$(line_of '/\* deep \*')" 100000 105000 245760 1
expect "$(line_of '/\* deepest')" 500000 505000 1048576 1
expect "$(line_of '/\* after')" 300 6000 245760 1
tail -n +2 report | awk '{ print $1 }' >order
sort -rn order | cmp -s - order || fail "it is not sorted"

EDDY_CENSUS_REPORT=1 ./census-test 2>at-end || fail "it failed, reporting at the end"
tail -n +2 report | sed 's/.*  //' | sort >wanted
tail -n +2 at-end | sed 's/.*  //' | sort | cmp -s - wanted || fail "another report at the loop's end"
EDDY_CENSUS_REPORT=0 ./census-test 2>at-end
[ -s at-end ] && fail "EDDY_CENSUS_REPORT=0 asks for nothing"

[ $failures -eq 0 ] || {
    cat report
    exit 1
}
echo "the census counts as it should"
