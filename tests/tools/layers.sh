#!/bin/sh
# tools/layers passes a good tree and fails on each kind of bad one. Argument: the source folder.
set -eu
source=$1
failures=0

fresh() {
    rm -rf tree
    mkdir -p tree/src/base tree/src/poller tree/src/codec/http tree/src/loop tree/src/dns \
        tree/src/file tree/src/http tree/src/net tree/src/web tree/include/eddy
    echo '#include <eddy/common.h>' >tree/include/eddy/loop.h
    : >tree/include/eddy/common.h
    printf '#include "loop/x.h"\n#include <eddy/common.h>\n#include "base/list.h"\n' >tree/src/loop/x.c
    printf '#include "codec/http/h1.h"\n#include <stdio.h>\n' >tree/src/http/server.c
}

# expect WANTED-STATUS 'what it says' 'the case'
expect() {
    status=0
    said=$(LAYERS_MAP="$source/tools/layers.map" "$source/tools/layers" tree) || status=$?
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
expect 0 'all downward' 'a good tree'

fresh && echo '#include "web/router.h"' >>tree/src/loop/x.c
expect 1 'src/loop/x.c:4: upward' 'a higher room'

fresh && echo '#  include  <eddy/net.h>' >>tree/src/loop/x.c
expect 1 'upward: loop/ includes <eddy/net.h>' 'a higher public header'

fresh && echo '#include "codec/url.h"' >tree/src/poller/x.c
expect 1 'sideways: poller/ includes "codec/url.h"' 'a neighbour'

fresh && echo '#include "file/x.h"' >tree/src/dns/x.c
expect 1 'sideways' 'another neighbour'

fresh && echo '#include "http/server.h"' >tree/src/codec/http/h1.c
expect 1 'codec/http/ may include only' 'the codec reaching for its server'

fresh && echo '#include "net/tcp.h"' >tree/src/codec/http/h1.c
expect 1 'codec/http/ may include only' 'protocol code reaching for a socket'

fresh && echo '#include <eddy/loop.h>' >>tree/include/eddy/common.h
expect 1 'include/eddy/common.h:1: upward' 'a public header reaching upward'

fresh && : >tree/include/eddy/nobody.h
expect 1 'belongs to no room' 'a header of no room'

fresh && echo '#include "../base/list.h"' >>tree/src/loop/x.c
expect 1 'a path with ..' 'a path that climbs'

fresh && echo '#include <eddy.h>' >>tree/src/loop/x.c
expect 1 'name what is needed' 'the umbrella header in a room'

fresh && mkdir tree/src/cellar && : >tree/src/cellar/x.c
expect 1 'lies in no room' 'a folder that is no room'

rm -rf tree
[ "$failures" -eq 0 ] && echo "layers judges 12 trees as it should"
