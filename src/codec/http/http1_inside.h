/*
 * codec/http/http1_inside.h - what the files of this folder share
 */
#ifndef EDDY_CODEC_HTTP_HTTP1_INSIDE_H
#define EDDY_CODEC_HTTP_HTTP1_INSIDE_H

#include "codec/http/http1.h"

/* http1_start.c. The first line, from @head[0]; *ret_used is where the fields begin. */
int eddy__http1_request_line(const char *head, size_t len, struct eddy__http1_head *ret,
                             size_t *ret_used, struct eddy_error *err);
int eddy__http1_response_line(const char *head, size_t len, struct eddy__http1_head *ret,
                              size_t *ret_used, struct eddy_error *err);

/* http1_rules.c. Judges the fields of @head and fills what is derived from them. */
int eddy__http1_judge_request(struct eddy__http1_head *head, const char *base,
                              struct eddy_error *err);
int eddy__http1_judge_response(struct eddy__http1_head *head, enum eddy_method asked,
                               const char *base, struct eddy_error *err);

/* http1_rules.c. "host", "host:port", "[::1]:port". */
bool eddy__http1_host_ok(struct eddy_slice host, bool port_required);

/* An offence at @at inside the head that begins at @base. */
static inline int eddy__http1_refuse(struct eddy_error *err, int code, const char *base,
                                     const char *at, const char *why)
{
    return eddy_error_set(err, code, (size_t)(at - base), "%s", why);
}

#endif
