/* bench/pipes/libevent-et.c - the scene on libevent, told once for each arrival */
#include <event2/event.h>

#define SCENE_EDGE EV_ET
#define SCENE_NAME "libevent-et"

#include "libevent.c" // NOLINT(bugprone-suspicious-include)
