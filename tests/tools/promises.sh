#!/bin/sh
# tools/promises passes this tree, and fails on each kind of promise that is not kept. Argument: the
# source folder.
set -eu
source=$1
failures=0

fresh() {
    rm -rf tree
    mkdir -p tree/include/eddy tree/examples tree/tests/task tree/tests/examples tree/docs tree/src/task
    printf '%s\n' '/*' ' * eddy/task.h - tasks' ' *' ' *  rule            test' \
        ' *  --------------  -----------------------' \
        ' *  It ends         a_task_comes_to_its_end,' ' *                  what_begins_here_...' \
        ' */' 'int eddy_go(void);' >tree/include/eddy/task.h
    printf '%s\n' 'EDDY_TEST(a_task_comes_to_its_end)' 'EDDY_TEST(what_begins_here_ends_here)' \
        >tree/tests/task/rules_test.c
    echo 'int main(void) { return 0; }' >tree/examples/first.c
    echo 'run("first");' >tree/tests/examples/small_test.c
    # shellcheck disable=SC2016 # not to be expanded
    printf '%s\n' 'See `examples/first.c`.' '| T1 | tasks | `eddy_go()`, `eddy/task.h` | task/rules |' \
        >tree/docs/parity.md
}

# expect WANTED-STATUS 'what it says' 'the case'
expect() {
    status=0
    said=$("$source/tools/promises" tree) || status=$?
    case "$said" in
    *"$2"*) found=1 ;;
    *) found=0 ;;
    esac
    if [ "$status" -ne "$1" ] || [ "$found" -ne 1 ]; then
        echo "$3: status $status, said: $said"
        failures=$((failures + 1))
    fi
}

fresh
expect 0 '1 examples, 2 rules: all are there' 'a good tree'

echo 'run("second");' >tree/tests/examples/small_test.c
expect 1 'examples/first.c: no test runs it' 'an example without a test'

fresh
awk 'BEGIN { for (i = 0; i < 100; i++) print "" }' >>tree/examples/first.c
expect 1 'examples/first.c: 101 lines, over 100' 'an example that is too long'

fresh
sed -i.old 's/a_task_comes/a_task_never_comes/' tree/include/eddy/task.h
expect 1 'task.h:6: there is no test a_task_never_comes_to_its_end' 'a rule without a test'

fresh
sed -i.old 's/what_begins_here/what_ends_here/' tree/include/eddy/task.h
expect 1 'task.h:7: there is no test what_ends_here_' 'the beginning of a test that is none'

fresh
sed -i.old 's,task/rules,task/rule,' tree/docs/parity.md
expect 1 'T1 names task/rule, which' 'a row without a test'

fresh
sed -i.old 's,first.c,last.c,' tree/docs/parity.md
expect 1 'examples/last.c does not exist' 'a page that names no example'

fresh
echo 'As in eddy/tasks.h.' >tree/src/task/README.md
expect 1 'src/task/README.md: eddy/tasks.h does not exist' 'a page that names no header'

fresh
# shellcheck disable=SC2016 # not to be expanded
echo '`eddy_stay()` stays.' >tree/README.md
expect 1 'README.md: there is no eddy_stay()' 'a page that names no function'

[ "$failures" -eq 0 ] || exit 1
"$source/tools/promises" "$source"
