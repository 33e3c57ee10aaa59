/*
 * task/census_none.c - instead of census.c in builds without EDDY_CENSUS
 */
#include <eddy/task.h>

#include <errno.h>

int eddy_census_report(int fd)
{
    (void)fd;
    return -ENOSYS;
}
