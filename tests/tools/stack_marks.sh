#!/bin/sh
# What is built says that it cannot run under a shadow stack (SHSTK of x86-64, GCS of AArch64): the
# task switch jumps between stacks without telling the processor's second one, so the first return
# behind a switch would end the program. And nobody asks for a stack that can be executed, which a
# file of assembly does by not saying otherwise. Arguments: source, compiler.
set -eu
source=$1 compiler=$2
build=$(cd ../.. && pwd)
failures=0 judged=0

if ! command -v readelf >/dev/null 2>&1; then
    echo "not run: readelf is missing"
    exit 77
fi

fail() {
    echo "$1"
    failures=$((failures + 1))
}

marked() { # does a file claim to work with a shadow stack? An older readelf has no name for GCS.
    readelf -nW "$1" 2>/dev/null | grep -Eq 'feature.*(SHSTK|GCS)|AArch64 feature.*<unknown'
}

# The question must be able to be answered with yes.
echo 'int nothing; int f(void); int f(void) { return nothing; }' >marked.c
if "$compiler" -fcf-protection=full -c marked.c -o marked.o 2>/dev/null && ! marked marked.o; then
    fail "readelf does not show the mark that the compiler has set"
fi

for file in "$build"/lib*/libeddy*.so "$build"/lib*/*/libeddy*.so "$build"/bin/eddy; do
    [ -f "$file" ] || continue
    judged=$((judged + 1))
    marked "$file" && fail "$file claims a shadow stack"
    readelf -lW "$file" | grep -q 'GNU_STACK.* RW ' || fail "$file has an executable stack"
done
# A library is marked when all its objects are: an archive shows each.
for file in "$build"/lib*/libeddy*.a "$build"/lib*/*/libeddy*.a; do
    [ -f "$file" ] || continue
    judged=$((judged + 1))
    marked "$file" && fail "objects in $file claim a shadow stack"
done
[ "$judged" -gt 0 ] || fail "no library in $build"

# The assembly itself, each for its machine where there is a compiler; whatever else it asks for.
for file in "$source"/src/task/switch_*.S; do
    machine=$(basename "$file" .S)
    machine=${machine#switch_}
    case $("$compiler" -dumpmachine) in
    "$machine"-*) cc=$compiler ;;
    *) cc=$machine-linux-gnu-gcc ;;
    esac
    if ! command -v "$cc" >/dev/null 2>&1; then
        echo "not judged: $machine, $cc is missing"
        continue
    fi
    "$cc" -c "$file" -o "$machine.o"
    judged=$((judged + 1))
    marked "$machine.o" && fail "switch_$machine.S claims a shadow stack"
    readelf -SW "$machine.o" | grep -q '\.note\.GNU-stack' || fail "switch_$machine.S: no .note.GNU-stack"
    readelf -SW "$machine.o" | grep '\.note\.GNU-stack' | grep -q ' [WA]*X' &&
        fail "switch_$machine.S asks for an executable stack"
    if [ "$machine" = aarch64 ]; then
        # All the rest is compiled with branch tracking; one file without it would end that for all.
        readelf -nW "$machine.o" | grep -q 'AArch64 feature: BTI' || fail "switch_$machine.S: no BTI"
    fi
done

[ "$failures" -eq 0 ] && echo "$judged files claim no shadow stack and no executable stack"
