/*
 * http/fetch_request.c - what a fetch sends, and what it refuses to send
 *
 * The head is written here and nowhere else, out of parts that were judged first: a URL by its
 * grammar, names and values by RFC 9110. So nothing a caller passes on from elsewhere can end a
 * line and begin another. How long the message is, is ours to say, or two programs might read two
 * messages where one was meant.
 */
#include "http/client.h"

#define HEAD_MAX ((size_t)65536)

static int refuse_url(struct eddy_fetch_job *job, const char *why)
{
    return eddy_error_set(job->err, -EDDY_EURL, 0, "%s", why);
}

static int prepare_url(struct eddy_fetch_job *job, const char *text)
{
    struct eddy_url *url = &job->url;

    int r = eddy_url_parse(text, strlen(text), url, job->err);
    if (r < 0)
        return r;
    bool https = eddy_slice_ieq(url->scheme, EDDY_SLICE("https"));
    if (!https && !eddy_slice_ieq(url->scheme, EDDY_SLICE("http")))
        return eddy_error_set(job->err, -EDDY_EURL, 0,
                              "%.*s: cannot be fetched; http and https can",
                              url->scheme.len < 40 ? (int)url->scheme.len : 40, url->scheme.ptr);
    if (url->userinfo.len)
        return refuse_url(job, "a user in the URL is not sent: set the Authorization header");
    if (url->host.len > CLIENT_HOST_MAX)
        return refuse_url(job, "the host name is longer than 255 bytes");

    for (size_t i = 0; i < url->host.len; i++) {
        char c = url->host.ptr[i];
        job->key.host[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    job->key.ipv6 = url->host_is_ipv6;
    job->key.port = url->port;
    job->key.tls = https ? job->options->tls : NULL;
    return 0;
}

static int prepare_method(struct eddy_fetch_job *job)
{
    const char *text = job->options->method;

    if (!text)
        text = job->options->body.len ? "POST" : "GET";
    job->method_text = eddy_slice_of(text);
    job->method = eddy_method_of(job->method_text);
    if (eddy__http1_check_field(job->method_text, (struct eddy_slice){ "", 0 }) < 0)
        return eddy_error_set(job->err, -EINVAL, 0, "the method is not a token");
    if (job->method == EDDY_METHOD_CONNECT)
        return eddy_error_set(job->err, -EINVAL, 0, "CONNECT makes a tunnel, not a fetch");
    return 0;
}

static bool is(struct eddy_slice name, const char *what)
{
    return eddy_slice_ieq(name, eddy_slice_of(what));
}

static int judge_header(struct eddy_fetch_job *job, const struct eddy_header *h)
{
    if (eddy__http1_check_field(h->name, h->value) < 0)
        return eddy_error_set(job->err, -EINVAL, 0,
                              "header %zu cannot be sent: its name is not a token, or its value "
                              "holds a line end or another control character",
                              (size_t)(h - job->options->headers) + 1);
    if (is(h->name, "Content-Length") || is(h->name, "Transfer-Encoding"))
        return eddy_error_set(job->err, -EINVAL, 0, "%.*s is written by eddy_fetch() itself",
                              EDDY_SLICE_ARG(h->name));
    if (is(h->name, "Connection") && eddy__http1_list_has(h->value, EDDY_SLICE("close")))
        job->close = true;
    return 0;
}

static int append(struct eddy_buffer *b, struct eddy_slice s)
{
    return eddy_buffer_append(b, s.ptr, s.len);
}

static int append_field(struct eddy_buffer *b, struct eddy_slice name, struct eddy_slice value)
{
    int r = append(b, name);
    if (r == 0)
        r = append(b, EDDY_SLICE(": "));
    if (r == 0)
        r = append(b, value);
    return r < 0 ? r : append(b, EDDY_SLICE("\r\n"));
}

/* What we add where the caller's headers do not say it themselves. */
static int append_default(struct eddy_fetch_job *job, const char *name, struct eddy_slice value)
{
    const struct eddy_fetch_options *o = job->options;

    if (eddy__http1_header(o->headers, o->header_count, eddy_slice_of(name)).ptr)
        return 0;
    return append_field(&job->head, eddy_slice_of(name), value);
}

static bool body_is_expected(enum eddy_method m)
{
    return m == EDDY_METHOD_POST || m == EDDY_METHOD_PUT || m == EDDY_METHOD_PATCH;
}

static int write_head(struct eddy_fetch_job *job)
{
    const struct eddy_fetch_options *o = job->options;
    struct eddy_buffer *b = &job->head;
    struct eddy_slice target = job->url.target;
    bool rooted = target.len > 0 && target.ptr[0] == '/';

    int r = append(b, job->method_text);
    if (r == 0)
        r = append(b, rooted ? EDDY_SLICE(" ") : EDDY_SLICE(" /"));
    if (r == 0)
        r = append(b, target);
    if (r == 0)
        r = append(b, EDDY_SLICE(" HTTP/1.1\r\n"));
    if (r == 0)
        r = append_default(job, "Host", job->url.authority);
    if (r == 0)
        r = append_default(job, "User-Agent", EDDY_SLICE("eddy/" EDDY_VERSION));
    if (r == 0)
        r = append_default(job, "Accept", EDDY_SLICE("*/*"));
    for (size_t i = 0; r == 0 && i < o->header_count; i++)
        r = append_field(b, o->headers[i].name, o->headers[i].value);
    if (r == 0 && (o->body.len > 0 || body_is_expected(job->method)))
        r = eddy_buffer_printf(b, "Content-Length: %zu\r\n", o->body.len);
    return r < 0 ? r : append(b, EDDY_SLICE("\r\n"));
}

int eddy_fetch_prepare(struct eddy_fetch_job *job, const char *url)
{
    int r = prepare_url(job, url);
    if (r == 0)
        r = prepare_method(job);
    for (size_t i = 0; r == 0 && i < job->options->header_count; i++)
        r = judge_header(job, &job->options->headers[i]);
    if (r < 0)
        return r;
    job->head = EDDY_BUFFER(HEAD_MAX);
    r = write_head(job);
    return r < 0 ? eddy_error_set(job->err, r, 0, "the request's head: %s", eddy_strerror(r)) : 0;
}
