#!/bin/sh
# tools/test-run adds up what programs say, counts a crash and a hang as one failure each, and names
# what was left out. Argument: the source folder.
set -eu
source=$1
failures=0

rm -rf fake
mkdir fake

# expect STATUS 'LAST LINE' 'ANOTHER LINE'
expect() {
    status=0
    "$source/tools/test-run" fake >out 2>&1 || status=$?
    if [ "$status" -ne "$1" ] || [ "$(tail -n 1 out)" != "$2" ] || ! grep -qF -- "$3" out; then
        echo "wanted status $1, '$2', '$3'; got status $status and:"
        cat out
        failures=1
    fi
}

cat >fake/CTestTestfile.cmake <<'T'
add_test(three "/bin/sh" "-c" "echo 'check: 3 passed, 0 failed, 1 not run'; echo 'not run: x: no ring'")
add_test(script "/bin/sh" "-c" "exit 0")
T
expect 0 '4 passed, 0 failed' 'left out: three: x: no ring'

cat >>fake/CTestTestfile.cmake <<'T'
add_test(skips "/bin/sh" "-c" "echo 'not run: skips: no peer'; exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
T
expect 0 '4 passed, 0 failed' '2 left out'

cat >>fake/CTestTestfile.cmake <<'T'
add_test(two_bad "/bin/sh" "-c" "echo 'a.c:1: wrong'; echo 'check: 1 passed, 2 failed, 0 not run'; exit 1")
T
expect 1 '5 passed, 2 failed' 'a.c:1: wrong'

cat >>fake/CTestTestfile.cmake <<'T'
add_test(crash "/bin/sh" "-c" "echo 'half a line'; kill -SEGV $$")
add_test(hang "/bin/sh" "-c" "sleep 20")
set_tests_properties(hang PROPERTIES TIMEOUT 1)
add_test(at_exit "/bin/sh" "-c" "echo 'check: 7 passed, 0 failed, 0 not run'; exit 23")
T
expect 1 '12 passed, 5 failed' 'failed: hang'

: >fake/CTestTestfile.cmake
expect 1 '0 passed, 0 failed' '0 passed'

rm -rf fake
[ $failures -eq 0 ] && echo "test-run counts as it should"
