#!/bin/sh
# Valgrind knows every stack: tasks of many sizes live and end under it, stacks are reused, trimmed
# and unmapped, with no error and no guess about switched stacks. Argument: the source folder.
set -eu
programs=$PWD/../../tests
failures=0 ran=0

leave_out() {
    echo "not run: valgrind: $1"
    exit 77
}
command -v valgrind >/dev/null || leave_out "valgrind is not installed"
[ -x "$programs/test_task_sweep" ] || leave_out "the tests of tasks are not built"
if grep -qE '__(asan|tsan)_init' "$programs/test_task_sweep"; then
    leave_out "this build has a sanitizer"
fi

# PROGRAM [TEST]
run() {
    status=0
    EDDY_BACKEND=poll valgrind --error-exitcode=9 --leak-check=full "$programs/$1" ${2+"$2"} >out 2>&1 ||
        status=$?
    sum=$(sed -n 's/^check: \([0-9]*\) passed, 0 failed.*/\1/p' out)
    if [ $status -ne 0 ] || [ "${sum:-0}" -eq 0 ] || ! grep -q 'ERROR SUMMARY: 0 errors' out; then
        echo "$*: status $status"
        cat out
        failures=1
    elif grep -q 'switching stacks' out; then
        echo "$*: Valgrind was not told of a stack"
        grep 'switching stacks' out
        failures=1
    fi
    ran=$((ran + ${sum:-0}))
}

run test_task_rules
run test_task_sweep
run test_task_stack stacks_are_reused
run test_task_stack 60_kib
run test_task_stack call_deep
run test_task_pool each_size
run test_task_pool the_smallest

[ $failures -eq 0 ] && echo "$ran tests run under Valgrind without an error"
