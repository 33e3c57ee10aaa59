/* bench/pipes/eddy-edge.c - the scene on eddy, told once for each arrival */
#include <eddy/poller.h>

#define SCENE_EDGE EDDY_EDGE
#define SCENE_NAME "eddy-edge"

#include "eddy.c" // NOLINT(bugprone-suspicious-include)
