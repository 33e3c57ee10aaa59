/* pkg-config: eddy */
/*
 * The smallest program against an installed libeddy: the header and the library agree, and a call
 * arrives.
 */
#include <eddy/error.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    printf("eddy %s: %s\n", EDDY_VERSION, eddy_strerror(-ENOENT));
    return strcmp(eddy_strerrorname(-EDDY_EURL), "EDDY_EURL") == 0 ? 0 : 1;
}
