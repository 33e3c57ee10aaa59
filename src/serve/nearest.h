/*
 * serve/nearest.h - which of the words that exist was meant
 */
#ifndef EDDY_SERVE_NEAREST_H
#define EDDY_SERVE_NEAREST_H

#include <eddy/common.h>

/*
 * The word of @among (ends with NULL) that is closest to @word by edits (insert, delete, change,
 * swap of neighbours), the first of equals. NULL when none is near enough to have been meant: more
 * than a third of the longer one would have to change.
 */
EDDY_PRIVATE const char *eddy__nearest(const char *word, const char *const *among);

#endif
