/*
 * codec/utf8.h - whether bytes are UTF-8
 */
#ifndef EDDY_CODEC_UTF8_H
#define EDDY_CODEC_UTF8_H

#include <eddy/common.h>

/* Whether @len bytes are whole, shortest-form UTF-8 without surrogates (RFC 3629). */
EDDY_PRIVATE bool eddy__utf8_valid(const char *text, size_t len);

/* The length of the sequence at @text, 1 to 4, or 0: not UTF-8, or cut short. @len is at least 1. */
EDDY_PRIVATE size_t eddy__utf8_step(const char *text, size_t len);

#endif
