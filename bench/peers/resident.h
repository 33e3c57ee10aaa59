/* bench/peers/resident.h - resident memory and page tables of this process, in KiB; C and C++ */
#ifndef BENCH_PEERS_RESIDENT_H
#define BENCH_PEERS_RESIDENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
            kib += strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

#endif
