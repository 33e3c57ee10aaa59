/*
 * base/log.h - the sink, for who must know whether there is one
 */
#ifndef EDDY_BASE_LOG_H
#define EDDY_BASE_LOG_H

#include <eddy/log.h>

/* Standard error, from warnings on, unless a sink is set. */
EDDY_PRIVATE void eddy__log_default(void);

#endif
